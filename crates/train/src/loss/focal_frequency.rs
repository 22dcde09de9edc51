//! The focal frequency loss: squared differences of the Fourier transforms of SR and HR, of which the large ones count more
//! (Jiang et al., arXiv 2012.12821).

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use super::{Inputs, Loss, frequency};

/// The focal frequency loss of a phase.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// At least 0; 1 in the paper.
    pub weight: f64,
    /// How much a difference counts is its size to this power, from 0 (all alike) to 10; 1 in the paper.
    pub alpha: f64,
}

impl Loss for Config {
    fn name(&self) -> &'static str {
        "focal_frequency"
    }

    fn weight(&self) -> f64 {
        self.weight
    }

    /// A mean over all coefficients. The largest difference of each channel of each picture counts 1; no gradient flows
    /// through what a difference counts.
    fn value(&self, of: &Inputs) -> Result<Tensor> {
        let squares = frequency::spectrum(of).square().sum_dim_intlist(-1, false, Kind::Float);
        let sizes = squares.detach();
        // Where SR is HR nothing counts, instead of 0 / 0. Divided before the power, which could overflow.
        let parts = &sizes / sizes.amax([-2, -1], true).clamp_min(f64::from(f32::MIN_POSITIVE));
        Ok((parts.pow_tensor_scalar(self.alpha / 2.0) * squares).mean(Kind::Float))
    }

    fn validate(&self) -> Result<()> {
        ensure!((0.0..=10.0).contains(&self.alpha), "alpha: expected 0 to 10, found {}", self.alpha);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_frequencies_by_hand() {
        // 3 1
        // 3 1: the sum 8 and the difference of the columns 4, over sqrt(4): coefficients 4 and 2, squares 16 and 4.
        let sr = Tensor::from_slice(&[3.0f32, 1.0, 3.0, 1.0]).view([1, 1, 2, 2]);
        let value = |alpha, hr: &Tensor| {
            Config { weight: 1.0, alpha }.value(&Inputs::of_pictures(&sr, hr)).unwrap().double_value(&[])
        };
        // They count 1 and 2 / 4; of four coefficients (16 + 4 / 2) / 4. With alpha 0 it is the mean of squares (Parseval).
        assert_eq!(value(1.0, &sr.zeros_like()), 4.5);
        assert_eq!(value(0.0, &sr.zeros_like()), 5.0);
        assert_eq!(value(1.0, &sr), 0.0);
    }
}
