use serde::Serialize;
use tch::{Kind, Tensor};

use crate::Error;

/// The numbers that a file computes with; its pictures are float32 in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// As the network.
    Float32,
    /// Half of that.
    Float16,
}

impl Precision {
    /// libtorch's name of it.
    pub(crate) fn kind(self) -> Kind {
        match self {
            Precision::Float32 => Kind::Float,
            Precision::Float16 => Kind::Half,
        }
    }

    /// The numbers of a float32 tensor in this precision, without gradient.
    ///
    /// # Errors
    /// [`Error::Overflow`] with the tensor's name.
    pub(crate) fn of(self, name: &str, tensor: &Tensor) -> Result<Tensor, Error> {
        let rounded = tensor.detach().to_kind(self.kind());
        let overflows = rounded.isinf().any().int64_value(&[]) > tensor.isinf().any().int64_value(&[]);
        if overflows { Err(Error::Overflow { name: name.into() }) } else { Ok(rounded) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn float16_ends_at_65504() {
        // 65519 is nearer to 65504, the largest number, than to 65536, which would be the next.
        let fits = Precision::Float16.of("w", &Tensor::from_slice(&[65519.0f32, -1.0])).unwrap();
        assert_eq!(fits.double_value(&[0]), 65504.0);
        let large = Tensor::from_slice(&[65520.0f32]);
        assert!(
            Precision::Float16
                .of("w", &large)
                .unwrap_err()
                .to_string()
                .contains("w: a number of it would not be finite")
        );
        assert_eq!(Precision::Float32.of("w", &large).unwrap().double_value(&[0]), 65520.0);
    }
}
