//! The element types of tensors.

use std::fmt;

/// The element type of a tensor, as PyTorch names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
}

/// Each type with PyTorch's name, the name of its storage class in checkpoints, and its size in bytes.
const TABLE: [(Dtype, &str, &str, usize); 12] = [
    (Dtype::F64, "float64", "DoubleStorage", 8),
    (Dtype::F32, "float32", "FloatStorage", 4),
    (Dtype::F16, "float16", "HalfStorage", 2),
    (Dtype::Bf16, "bfloat16", "BFloat16Storage", 2),
    (Dtype::I64, "int64", "LongStorage", 8),
    (Dtype::I32, "int32", "IntStorage", 4),
    (Dtype::I16, "int16", "ShortStorage", 2),
    (Dtype::I8, "int8", "CharStorage", 1),
    (Dtype::U8, "uint8", "ByteStorage", 1),
    (Dtype::Bool, "bool", "BoolStorage", 1),
    (Dtype::C64, "complex64", "ComplexFloatStorage", 8),
    (Dtype::C128, "complex128", "ComplexDoubleStorage", 16),
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
        matches!(self, Dtype::F64 | Dtype::F32 | Dtype::F16 | Dtype::Bf16)
    }

    /// Whether its elements are complex numbers.
    pub fn is_complex(self) -> bool {
        matches!(self, Dtype::C64 | Dtype::C128)
    }

    pub(crate) fn storage_class(self) -> &'static str {
        TABLE[self as usize].2
    }

    pub(crate) fn of_storage_class(class: &str) -> Option<Self> {
        TABLE.iter().find(|row| row.2 == class).map(|row| row.0)
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
}
