//! Tensors as views into shared storages, as PyTorch saves them.

use std::borrow::Cow;
use std::sync::Arc;

use crate::error::{Fault, refuse};
use crate::{Dtype, Error};

/// The raw little-endian bytes that one or more tensors are views of.
pub(crate) struct Storage {
    pub(crate) bytes: Vec<u8>,
}

/// What a lazily conjugated or negated tensor does to the numbers of its storage.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) struct Flips {
    pub(crate) conj: bool,
    pub(crate) neg: bool,
}

impl Storage {
    /// The storage with the signs of its numbers flipped: all for a negation, imaginary parts for a conjugation.
    pub(crate) fn flipped(&self, dtype: Dtype, flips: Flips) -> Self {
        let mut bytes = self.bytes.clone();
        for (index, number) in bytes.chunks_exact_mut(dtype.component_size()).enumerate() {
            if let Some(top) = number.last_mut()
                && flips.neg != (flips.conj && index % 2 == 1)
            {
                *top ^= 0x80;
            }
        }
        Self { bytes }
    }
}

/// A tensor: element `(i, j, ..)` is at `offset + i * stride[0] + j * stride[1] + ..` of its storage.
///
/// Cloning shares the storage. Every tensor lies within its storage: that was checked when it was made.
#[derive(Clone)]
pub struct Tensor {
    pub(crate) dtype: Dtype,
    pub(crate) shape: Vec<usize>,
    pub(crate) stride: Vec<usize>,
    pub(crate) offset: usize,
    pub(crate) requires_grad: bool,
    pub(crate) storage: Arc<Storage>,
}

impl Tensor {
    /// A contiguous float32 tensor with its own storage.
    ///
    /// # Panics
    /// When `values` has not as many elements as `shape` says.
    pub fn from_f32(shape: &[usize], values: &[f32]) -> Self {
        Self::contiguous(Dtype::F32, shape, values.iter().flat_map(|value| value.to_le_bytes()).collect())
    }

    /// A contiguous int64 tensor with its own storage.
    ///
    /// # Panics
    /// When `values` has not as many elements as `shape` says.
    pub fn from_i64(shape: &[usize], values: &[i64]) -> Self {
        Self::contiguous(Dtype::I64, shape, values.iter().flat_map(|value| value.to_le_bytes()).collect())
    }

    pub(crate) fn contiguous(dtype: Dtype, shape: &[usize], bytes: Vec<u8>) -> Self {
        let numel = bytes.len() / dtype.size();
        let product = shape.iter().try_fold(1usize, |product, size| product.checked_mul(*size));
        assert_eq!(product, Some(numel), "a tensor of shape {shape:?} was given {numel} elements");
        let storage = Arc::new(Storage { bytes });
        Self {
            dtype,
            shape: shape.to_vec(),
            stride: contiguous_stride(shape),
            offset: 0,
            requires_grad: false,
            storage,
        }
    }

    /// The element type.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// The size of each axis; empty for a scalar.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The step of each axis, in elements of the storage.
    pub fn stride(&self) -> &[usize] {
        &self.stride
    }

    /// The index in the storage, in elements, where the tensor's first element is.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Whether PyTorch is to compute its gradient, as for the parameters of a network.
    pub fn requires_grad(&self) -> bool {
        self.requires_grad
    }

    /// Whether both are views of one storage, as tied weights are.
    pub fn shares_storage(&self, other: &Tensor) -> bool {
        Arc::ptr_eq(&self.storage, &other.storage)
    }

    /// The number of elements; 1 for a scalar.
    pub fn numel(&self) -> usize {
        if self.shape.contains(&0) { 0 } else { self.shape.iter().product() }
    }

    /// The elements in row-major order, little-endian; borrowed when they lie so already.
    pub fn to_contiguous_bytes(&self) -> Cow<'_, [u8]> {
        let size = self.dtype.size();
        if self.numel() == 0 {
            Cow::Borrowed(&[])
        } else if self.is_contiguous() {
            Cow::Borrowed(&self.storage.bytes[self.offset * size..][..self.numel() * size])
        } else {
            Cow::Owned(self.gather())
        }
    }

    /// The elements in row-major order, of any real float type; float64 is rounded to nearest, the others fit exactly.
    ///
    /// # Errors
    /// [`Error::Convert`] for integers, bools and complex numbers.
    pub fn to_f32(&self) -> Result<Vec<f32>, Error> {
        match self.dtype {
            Dtype::F32 => Ok(each(&self.to_contiguous_bytes(), f32::from_le_bytes)),
            dtype if dtype.is_float() => {
                let mut values = Vec::with_capacity(self.numel());
                self.for_each(|number| values.push(number as f32));
                Ok(values)
            }
            found => Err(Error::Convert { found, wanted: Dtype::F32 }),
        }
    }

    /// The elements in row-major order; narrower integers and bool are widened.
    ///
    /// # Errors
    /// [`Error::Convert`] for floating-point and complex types, and for uint64 with a value that does not fit.
    pub fn to_i64(&self) -> Result<Vec<i64>, Error> {
        let bytes = self.to_contiguous_bytes();
        Ok(match self.dtype {
            Dtype::I64 => each(&bytes, i64::from_le_bytes),
            Dtype::I32 => each(&bytes, |value| i32::from_le_bytes(value).into()),
            Dtype::I16 => each(&bytes, |value| i16::from_le_bytes(value).into()),
            Dtype::I8 => each(&bytes, |value| i8::from_le_bytes(value).into()),
            Dtype::U8 | Dtype::Bool => each(&bytes, |value| u8::from_le_bytes(value).into()),
            Dtype::U16 => each(&bytes, |value| u16::from_le_bytes(value).into()),
            Dtype::U32 => each(&bytes, |value| u32::from_le_bytes(value).into()),
            found => {
                let wide = (found == Dtype::U64).then(|| each(&bytes, u64::from_le_bytes));
                let narrow = |wide: Vec<u64>| wide.into_iter().map(|value| i64::try_from(value).ok()).collect();
                return wide.and_then(narrow).ok_or(Error::Convert { found, wanted: Dtype::I64 });
            }
        })
    }

    fn is_contiguous(&self) -> bool {
        let wanted = contiguous_stride(&self.shape);
        // The step of an axis of size 1 is never taken.
        self.shape
            .iter()
            .zip(self.stride.iter().zip(&wanted))
            .all(|(size, (found, wanted))| *size == 1 || found == wanted)
    }

    fn gather(&self) -> Vec<u8> {
        let size = self.dtype.size();
        let mut bytes = Vec::with_capacity(self.numel() * size);
        let mut index = vec![0; self.shape.len()];
        for _ in 0..self.numel() {
            let at: usize = self.offset + index.iter().zip(&self.stride).map(|(i, step)| i * step).sum::<usize>();
            bytes.extend_from_slice(&self.storage.bytes[at * size..][..size]);
            for axis in (0..index.len()).rev() {
                index[axis] += 1;
                if index[axis] < self.shape[axis] {
                    break;
                }
                index[axis] = 0;
            }
        }
        bytes
    }
}

/// Type and shape, for tests and logs.
impl std::fmt::Debug for Tensor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tensor({} {:?})", self.dtype, self.shape)
    }
}

/// Equal type, shape, elements (bit for bit) and wish for a gradient, wherever they are stored.
impl PartialEq for Tensor {
    fn eq(&self, other: &Self) -> bool {
        self.dtype == other.dtype
            && self.shape == other.shape
            && self.requires_grad == other.requires_grad
            && self.to_contiguous_bytes() == other.to_contiguous_bytes()
    }
}

/// A storage read from a file. A bool that is neither 0 nor 1 is refused: libtorch's kernels misbehave on it.
pub(crate) fn checked_bools(dtype: Option<Dtype>, bytes: Vec<u8>) -> Result<Storage, Fault> {
    if dtype == Some(Dtype::Bool) && bytes.iter().any(|byte| *byte > 1) {
        return refuse("a bool is stored as a byte other than 0 and 1; the file is damaged");
    }
    Ok(Storage { bytes })
}

/// The steps of a row-major tensor; an axis of size 0 counts as 1, as in PyTorch.
pub(crate) fn contiguous_stride(shape: &[usize]) -> Vec<usize> {
    let mut stride = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        stride[axis - 1] = stride[axis] * shape[axis].max(1);
    }
    stride
}

fn each<const N: usize, T>(bytes: &[u8], value: impl Fn([u8; N]) -> T) -> Vec<T> {
    bytes.as_chunks::<N>().0.iter().map(|chunk| value(*chunk)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(dtype: Dtype, bytes: &[u8]) -> Tensor {
        Tensor::contiguous(dtype, &[bytes.len() / dtype.size()], bytes.to_vec())
    }

    #[test]
    fn a_transposed_slice_is_gathered_in_row_major_order() {
        // Storage 0..12 as (3, 4); columns 1 and 2 of rows 0..3, transposed: [[1, 5, 9], [2, 6, 10]].
        let mut tensor = Tensor::from_f32(&[12], &(0..12).map(|value| value as f32).collect::<Vec<_>>());
        (tensor.shape, tensor.stride, tensor.offset) = (vec![2, 3], vec![1, 4], 1);
        assert_eq!(tensor.to_f32().unwrap(), [1.0, 5.0, 9.0, 2.0, 6.0, 10.0]);
    }

    #[test]
    fn floats_convert_by_their_bit_patterns() {
        // IEEE 754: 1.5 = 1.1b * 2^0. Half: exponent 15, mantissa 0x200 -> 0x3E00. bfloat16: the upper half of 0x3FC00000.
        assert_eq!(bytes(Dtype::F16, &[0x00, 0x3E]).to_f32().unwrap(), [1.5]);
        assert_eq!(bytes(Dtype::Bf16, &[0xC0, 0x3F]).to_f32().unwrap(), [1.5]);
        assert_eq!(bytes(Dtype::F64, &[0, 0, 0, 0, 0, 0, 0xF8, 0x3F]).to_f32().unwrap(), [1.5]);
    }

    #[test]
    fn integers_widen_and_kinds_do_not_mix() {
        assert_eq!(bytes(Dtype::I16, &[0xFE, 0xFF]).to_i64().unwrap(), [-2]);
        assert_eq!(bytes(Dtype::U8, &[0xFE]).to_i64().unwrap(), [254]);
        assert!(matches!(bytes(Dtype::I16, &[0, 0]).to_f32(), Err(Error::Convert { found: Dtype::I16, .. })));
        assert!(matches!(bytes(Dtype::F16, &[0, 0]).to_i64(), Err(Error::Convert { found: Dtype::F16, .. })));
    }

    #[test]
    fn conjugation_flips_imaginary_parts_and_negation_all() {
        // 1 + 2i as two float32: conjugated 1 - 2i, negated -1 - 2i, both -1 + 2i.
        let storage = Storage { bytes: [1f32, 2.0].map(f32::to_le_bytes).concat() };
        let cases = [(true, false, [1.0, -2.0]), (false, true, [-1.0, -2.0]), (true, true, [-1f32, 2.0])];
        for (conj, neg, expected) in cases {
            let flipped = storage.flipped(Dtype::C64, Flips { conj, neg });
            assert_eq!(flipped.bytes, expected.map(f32::to_le_bytes).concat(), "{conj} {neg}");
        }
    }

    #[test]
    fn unsigned_integers_are_read_where_they_fit() {
        assert_eq!(bytes(Dtype::U32, &[0xFF; 4]).to_i64().unwrap(), [0xFFFF_FFFF]);
        assert_eq!(bytes(Dtype::U64, &[1, 0, 0, 0, 0, 0, 0, 0]).to_i64().unwrap(), [1]);
        assert!(bytes(Dtype::U64, &[0xFF; 8]).to_i64().is_err());
    }

    #[test]
    fn scalars_and_empty_tensors_have_their_count() {
        assert_eq!(Tensor::from_i64(&[], &[7]).to_i64().unwrap(), [7]);
        let empty = Tensor::from_f32(&[0, 3], &[]);
        assert_eq!((empty.numel(), empty.stride()), (0, &[3, 1][..]));
        assert!(empty.to_contiguous_bytes().is_empty());
    }
}
