//! Numbers of any type, one by one.

use half::{bf16, f16};

use crate::{Dtype, Tensor, float8};

/// What is done with the numbers of one type: reading, and writing where they can be rounded to it.
type Read = fn(&[u8]) -> f64;
type Write = fn(f64, &mut Vec<u8>) -> f64;

impl Tensor {
    /// Calls `each` with every number in row-major order: real and imaginary part apart, bool as 0 and 1, integers beyond
    /// 2^53 rounded.
    pub(crate) fn for_each(&self, mut each: impl FnMut(f64)) {
        let (size, read) = (self.dtype().component_size(), reader(self.dtype()));
        self.to_contiguous_bytes().chunks_exact(size).for_each(|bytes| each(read(bytes)));
    }

    /// The same, as a list.
    pub(crate) fn numbers(&self) -> Vec<f64> {
        let mut numbers = Vec::with_capacity(self.numel());
        self.for_each(|number| numbers.push(number));
        numbers
    }
}

/// How a number of a type, or one half of a complex one, is read.
fn reader(dtype: Dtype) -> Read {
    match dtype {
        Dtype::F64 | Dtype::C128 => |bytes| f64::from_le_bytes(first(bytes)),
        Dtype::F32 | Dtype::C64 => |bytes| f32::from_le_bytes(first(bytes)).into(),
        Dtype::F16 | Dtype::C32 => |bytes| f16::from_le_bytes(first(bytes)).into(),
        Dtype::Bf16 => |bytes| bf16::from_le_bytes(first(bytes)).into(),
        Dtype::F8E4m3fn => |bytes| float8::e4m3fn(u8::from_le_bytes(first(bytes))).into(),
        Dtype::F8E5m2 => |bytes| float8::e5m2(u8::from_le_bytes(first(bytes))).into(),
        Dtype::F8E4m3fnuz => |bytes| float8::fnuz(u8::from_le_bytes(first(bytes)), 3).into(),
        Dtype::F8E5m2fnuz => |bytes| float8::fnuz(u8::from_le_bytes(first(bytes)), 2).into(),
        Dtype::I64 => |bytes| i64::from_le_bytes(first(bytes)) as f64,
        Dtype::I32 => |bytes| i32::from_le_bytes(first(bytes)).into(),
        Dtype::I16 => |bytes| i16::from_le_bytes(first(bytes)).into(),
        Dtype::I8 => |bytes| i8::from_le_bytes(first(bytes)).into(),
        Dtype::U64 => |bytes| u64::from_le_bytes(first(bytes)) as f64,
        Dtype::U32 => |bytes| u32::from_le_bytes(first(bytes)).into(),
        Dtype::U16 => |bytes| u16::from_le_bytes(first(bytes)).into(),
        Dtype::U8 | Dtype::Bool => |bytes| u8::from_le_bytes(first(bytes)).into(),
    }
}

/// Rounds a number (to nearest, ties to even) to a floating-point type, appends it and gives it back; none for other types.
pub(crate) fn writer(dtype: Dtype) -> Option<Write> {
    Some(match dtype {
        Dtype::F64 => |number, out| append(number, number.to_le_bytes(), out),
        Dtype::F32 => |number, out| append(number as f32, (number as f32).to_le_bytes(), out),
        Dtype::F16 => |number, out| append(f16::from_f64(number), f16::from_f64(number).to_le_bytes(), out),
        Dtype::Bf16 => |number, out| append(bf16::from_f64(number), bf16::from_f64(number).to_le_bytes(), out),
        _ => return None,
    })
}

fn append<const N: usize>(rounded: impl Into<f64>, bytes: [u8; N], out: &mut Vec<u8>) -> f64 {
    out.extend(bytes);
    rounded.into()
}

/// The first bytes; callers have that many.
fn first<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.first_chunk().copied().unwrap_or([0; N])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(dtype: Dtype, bytes: &[u8]) -> Vec<f64> {
        Tensor::contiguous(dtype, &[bytes.len() / dtype.size()], bytes.to_vec()).numbers()
    }

    #[test]
    fn every_type_is_read_by_its_bit_pattern() {
        // 1.5 is 0x3FC00000 in float32, its upper half in bfloat16, and 0x3E00 in float16; -2 is all ones but the last bit.
        assert_eq!(numbers(Dtype::F32, &[0, 0, 0xC0, 0x3F]), [1.5]);
        assert_eq!(numbers(Dtype::Bf16, &[0xC0, 0x3F]), [1.5]);
        assert_eq!(numbers(Dtype::F16, &[0x00, 0x3E]), [1.5]);
        assert_eq!(numbers(Dtype::I16, &[0xFE, 0xFF, 7, 0]), [-2.0, 7.0]);
        assert_eq!(numbers(Dtype::U8, &[0xFE]), [254.0]);
        assert_eq!(numbers(Dtype::C64, &[0, 0, 0xC0, 0x3F, 0, 0, 0xC0, 0xBF]), [1.5, -1.5]);
    }

    #[test]
    fn numbers_are_rounded_to_the_nearest_and_to_even_between_two() {
        // float16 has 10 bits after the point: between 2048 and 4096 it counts by twos. 2049 lies between 2048 (even
        // mantissa) and 2050, 2051 between 2050 and 2052 (even). bfloat16 has 7: between 256 and 512 it counts by twos too.
        let round = |dtype, number| {
            let mut bytes = Vec::new();
            let rounded = writer(dtype).unwrap()(number, &mut bytes);
            assert_eq!(numbers(dtype, &bytes), [rounded]);
            rounded
        };
        assert_eq!([2049.0, 2051.0].map(|number| round(Dtype::F16, number)), [2048.0, 2052.0]);
        assert_eq!([257.0, 259.0].map(|number| round(Dtype::Bf16, number)), [256.0, 260.0]);
        assert_eq!(round(Dtype::F32, 16_777_217.0), 16_777_216.0); // 2^24 + 1, of 23 bits after the point
        assert!(writer(Dtype::I64).is_none());
    }
}
