//! Floating-point tensors in another precision, with an account of what that costs.

use crate::number::writer;
use crate::{Dtype, Error, StateDict, Tensor};

/// What a change of precision did.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub struct Loss {
    /// Tensors of another floating-point type, which were converted.
    pub tensors: usize,
    /// Their numbers.
    pub numbers: usize,
    /// Numbers that changed: rounded to the nearest that the type has.
    pub rounded: usize,
    /// Those of them that became 0.
    pub vanished: usize,
    /// The largest change of a number.
    pub largest: f64,
}

/// Every floating-point tensor (8-bit ones too) as `to`; integers such as batch norm's counters, bool and complex tensors
/// stay as they are.
///
/// # Errors
/// [`Error::Overflow`] when a finite number would become infinite, [`Error::Convert`] when `to` is not float64, float32,
/// float16 or bfloat16.
pub fn cast(state: &StateDict, to: Dtype) -> Result<(StateDict, Loss), Error> {
    let mut loss = Loss::default();
    let converted = |(name, tensor): (&String, &Tensor)| {
        let is_other = tensor.dtype().is_float() && tensor.dtype() != to;
        let tensor = if is_other { cast_tensor(name, tensor, to, &mut loss)? } else { tensor.clone() };
        Ok((name.clone(), tensor))
    };
    Ok((state.iter().map(converted).collect::<Result<_, _>>()?, loss))
}

fn cast_tensor(name: &str, tensor: &Tensor, to: Dtype, loss: &mut Loss) -> Result<Tensor, Error> {
    let write = writer(to).ok_or(Error::Convert { found: tensor.dtype(), wanted: to })?;
    let mut numbers = Vec::with_capacity(tensor.numel() * to.size());
    let (mut count, mut largest) = (0, 0.0f64);
    tensor.for_each(|before| {
        let after = write(before, &mut numbers);
        if before.is_finite() && after.is_infinite() {
            count += 1;
            largest = if largest.abs() < before.abs() { before } else { largest };
        }
        loss.count(before, after);
    });
    loss.tensors += 1;
    if count > 0 {
        return Err(Error::Overflow { name: name.into(), count, largest, to });
    }
    Ok(Tensor::contiguous(to, tensor.shape(), numbers))
}

impl Loss {
    fn count(&mut self, before: f64, after: f64) {
        self.numbers += 1;
        if before.is_finite() && before != after {
            self.rounded += 1;
            self.vanished += usize::from(after == 0.0);
            self.largest = self.largest.max((before - after).abs());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(values: &[f32]) -> StateDict {
        let tensors = [("w", Tensor::from_f32(&[values.len()], values)), ("n", Tensor::from_i64(&[], &[1 << 40]))];
        tensors.map(|(name, tensor)| (name.to_string(), tensor)).into()
    }

    #[test]
    fn half_precision_rounds_and_says_how_much() {
        // float16: 1 is exact, 2049 becomes 2048 (see `number`), 1e-8 is less than half of 2^-24, the smallest: 0.
        let (half, loss) = cast(&state(&[1.0, 2049.0, 1e-8, f32::INFINITY]), Dtype::F16).unwrap();
        assert_eq!(half["w"].to_f32().unwrap(), [1.0, 2048.0, 0.0, f32::INFINITY]);
        assert_eq!((half["w"].dtype(), half["n"].to_i64().unwrap()), (Dtype::F16, vec![1 << 40]));
        assert_eq!(loss, Loss { tensors: 1, numbers: 4, rounded: 2, vanished: 1, largest: 1.0 });
        let (back, loss) = cast(&half, Dtype::F32).unwrap();
        assert_eq!((back["w"].dtype(), loss.rounded, loss.numbers), (Dtype::F32, 0, 4));
        assert_eq!(cast(&back, Dtype::F32).unwrap().1, Loss::default());
    }

    #[test]
    fn what_would_become_infinite_is_refused() {
        // float16 ends at 65504; 65520, half a step above, is the first that rounds to infinity.
        assert!(cast(&state(&[65519.0]), Dtype::F16).is_ok());
        let error = cast(&state(&[65520.0, -1e6, 1.0]), Dtype::F16).unwrap_err();
        assert!(matches!(&error, Error::Overflow { count: 2, largest, .. } if *largest == -1e6), "{error}");
        assert!(cast(&state(&[1e6]), Dtype::Bf16).is_ok());
        assert!(matches!(cast(&state(&[1.0]), Dtype::I64), Err(Error::Convert { .. })));
    }
}
