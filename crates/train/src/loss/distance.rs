//! How far two tensors are apart, element by element.

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};
use tch::{Kind, Reduction, Tensor};

/// A mean over all elements of a function of their differences d.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Distance {
    /// |d|.
    L1,
    /// d².
    Mse,
    /// sqrt(d² + eps²): L1 with a rounded tip (Lai et al., arXiv 1710.01992; BasicSR's `eps` is the square of this).
    Charbonnier {
        /// Above 0, at most 1; 1e-3 in the paper.
        eps: f64,
    },
    /// d² / 2 up to `delta`, delta (|d| - delta / 2) beyond (Huber, "Robust Estimation of a Location Parameter", Annals of
    /// Mathematical Statistics 35(1), 1964), as `torch.nn.HuberLoss` has it.
    Huber {
        /// Above 0, at most 1000.
        delta: f64,
    },
}

impl Distance {
    /// The distance of `a` and `b`, tensors of one shape: a scalar.
    pub fn of(self, a: &Tensor, b: &Tensor) -> Tensor {
        match self {
            Distance::L1 => a.l1_loss(b, Reduction::Mean),
            Distance::Mse => a.mse_loss(b, Reduction::Mean),
            Distance::Charbonnier { eps } => ((a - b).square() + eps * eps).sqrt().mean(Kind::Float),
            Distance::Huber { delta } => a.huber_loss(b, Reduction::Mean, delta),
        }
    }

    /// Whether its number lies in its range.
    ///
    /// # Errors
    /// The key, what was expected and what was found.
    pub(super) fn validate(self) -> Result<()> {
        match self {
            Distance::L1 | Distance::Mse => {}
            Distance::Charbonnier { eps } => {
                ensure!(
                    eps > 0.0 && eps <= 1.0,
                    "distance.charbonnier.eps: expected a number above 0, at most 1, found {eps}"
                );
            }
            Distance::Huber { delta } => {
                ensure!(
                    delta > 0.0 && delta <= 1000.0,
                    "distance.huber.delta: expected a number above 0, at most 1000, found {delta}"
                );
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The distance of 0 and `d`, and its gradient for `d`.
    fn at(distance: Distance, d: f32) -> [f64; 2] {
        let d = Tensor::from_slice(&[d]).set_requires_grad(true);
        let value = distance.of(&d, &d.zeros_like());
        value.backward();
        [value.double_value(&[]), d.grad().double_value(&[0])]
    }

    #[test]
    fn each_is_its_function() {
        assert_eq!(at(Distance::L1, -3.0), [3.0, -1.0]);
        assert_eq!(at(Distance::Mse, -3.0), [9.0, -6.0]);
        // sqrt(3² + 4²) = 5 with slope 3 / 5; at the tip its value is eps and its slope 0.
        let [value, slope] = at(Distance::Charbonnier { eps: 4.0 }, 3.0);
        assert!(value == 5.0 && (slope - 0.6).abs() < 1e-7);
        assert_eq!(at(Distance::Charbonnier { eps: 0.5 }, 0.0), [0.5, 0.0]);
        // Inside 0.5² / 2 = 0.125; outside 2 (3 - 2 / 2) = 4, with the slope held at delta.
        assert_eq!(at(Distance::Huber { delta: 2.0 }, 0.5), [0.125, 0.5]);
        assert_eq!(at(Distance::Huber { delta: 2.0 }, -3.0), [4.0, -2.0]);
    }

    #[test]
    fn it_is_a_mean_over_all_elements() {
        let (a, b) = (Tensor::from_slice(&[0.0f32, 0.0]), Tensor::from_slice(&[0.0f32, 2.0]));
        let expected = [(Distance::L1, 1.0), (Distance::Mse, 2.0), (Distance::Huber { delta: 1.0 }, 0.75)];
        for (distance, mean) in expected {
            assert_eq!(distance.of(&a, &b).double_value(&[]), mean, "{distance:?}");
        }
    }
}
