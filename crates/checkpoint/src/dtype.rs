//! The element types of tensors.

use std::fmt;

/// The element type of a tensor, as PyTorch names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dtype {
    /// float64
    F64,
    /// float32
    F32,
    /// float16
    F16,
    /// bfloat16
    Bf16,
    /// int64
    I64,
    /// int32
    I32,
    /// int16
    I16,
    /// int8
    I8,
    /// uint8
    U8,
    /// bool, one byte, 0 or 1
    Bool,
    /// complex64, two float32
    C64,
    /// complex128, two float64
    C128,
    /// complex32, two float16
    C32,
    /// uint16
    U16,
    /// uint32
    U32,
    /// uint64
    U64,
    /// float8_e4m3fn: no infinities
    F8E4m3fn,
    /// float8_e5m2: the upper byte of a float16
    F8E5m2,
    /// float8_e4m3fnuz: no infinities, no negative zero
    F8E4m3fnuz,
    /// float8_e5m2fnuz: no infinities, no negative zero
    F8E5m2fnuz,
}

/// Each type with PyTorch's name, the name of its storage class in checkpoints (None where it is saved in an untyped one),
/// and its size in bytes.
const TABLE: [(Dtype, &str, Option<&str>, usize); 20] = [
    (Dtype::F64, "float64", Some("DoubleStorage"), 8),
    (Dtype::F32, "float32", Some("FloatStorage"), 4),
    (Dtype::F16, "float16", Some("HalfStorage"), 2),
    (Dtype::Bf16, "bfloat16", Some("BFloat16Storage"), 2),
    (Dtype::I64, "int64", Some("LongStorage"), 8),
    (Dtype::I32, "int32", Some("IntStorage"), 4),
    (Dtype::I16, "int16", Some("ShortStorage"), 2),
    (Dtype::I8, "int8", Some("CharStorage"), 1),
    (Dtype::U8, "uint8", Some("ByteStorage"), 1),
    (Dtype::Bool, "bool", Some("BoolStorage"), 1),
    (Dtype::C64, "complex64", Some("ComplexFloatStorage"), 8),
    (Dtype::C128, "complex128", Some("ComplexDoubleStorage"), 16),
    (Dtype::C32, "complex32", None, 4),
    (Dtype::U16, "uint16", None, 2),
    (Dtype::U32, "uint32", None, 4),
    (Dtype::U64, "uint64", None, 8),
    (Dtype::F8E4m3fn, "float8_e4m3fn", None, 1),
    (Dtype::F8E5m2, "float8_e5m2", None, 1),
    (Dtype::F8E4m3fnuz, "float8_e4m3fnuz", None, 1),
    (Dtype::F8E5m2fnuz, "float8_e5m2fnuz", None, 1),
];

impl Dtype {
    /// PyTorch's name: `float32`, `int64`, ...
    pub fn name(self) -> &'static str {
        TABLE[self as usize].1
    }

    /// Bytes per element.
    pub fn size(self) -> usize {
        TABLE[self as usize].3
    }

    /// Whether it is one of the real floating-point types, those that [`Tensor::to_f32`](crate::Tensor::to_f32) reads.
    pub fn is_float(self) -> bool {
        self.name().starts_with("float") || self == Dtype::Bf16
    }

    /// Whether its elements are a real and an imaginary float.
    pub fn is_complex(self) -> bool {
        matches!(self, Dtype::C32 | Dtype::C64 | Dtype::C128)
    }

    /// Whether flipping the top bit of a number negates it: not so for integers and some 8-bit floats.
    pub(crate) fn is_signed_by_bit(self) -> bool {
        self.is_complex() || matches!(self, Dtype::F64 | Dtype::F32 | Dtype::F16 | Dtype::Bf16)
    }

    /// Bytes per number: those of an element, or of one half of a complex one.
    pub(crate) fn component_size(self) -> usize {
        if self.is_complex() { self.size() / 2 } else { self.size() }
    }

    /// The class of its storages; None where PyTorch saves them untyped.
    pub(crate) fn storage_class(self) -> Option<&'static str> {
        TABLE[self as usize].2
    }

    pub(crate) fn of_storage_class(class: &str) -> Option<Self> {
        TABLE.iter().find(|row| row.2 == Some(class)).map(|row| row.0)
    }

    pub(crate) fn of_name(name: &str) -> Option<Self> {
        TABLE.iter().find(|row| row.1 == name).map(|row| row.0)
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_enum() {
        for (index, row) in TABLE.iter().enumerate() {
            assert_eq!(row.0 as usize, index);
        }
    }

    #[test]
    fn floats_are_real() {
        assert!(Dtype::Bf16.is_float() && Dtype::F8E5m2.is_float() && !Dtype::C32.is_float() && !Dtype::U16.is_float());
        assert_eq!((Dtype::C32.component_size(), Dtype::U32.component_size()), (2, 4));
    }
}
