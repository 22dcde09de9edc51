//! The frequency loss: L1 between the Fourier transforms of SR and HR (Cho et al., "Rethinking Coarse-to-Fine Approach in
//! Single Image Deblurring", arXiv 2108.05054).
//!
//! The transform is orthonormal, so that the loss does not grow with the patch; the paper's is sqrt(H W) times as large.

use anyhow::Result;
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use super::{Inputs, Loss};

/// The frequency loss of a phase.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// At least 0; 0.1 in the paper, for a transform that is not orthonormal.
    pub weight: f64,
}

impl Loss for Config {
    fn name(&self) -> &'static str {
        "frequency"
    }

    fn weight(&self) -> f64 {
        self.weight
    }

    /// A mean over the real and imaginary parts of all coefficients.
    fn value(&self, of: &Inputs) -> Result<Tensor> {
        Ok(spectrum(of).abs().mean(Kind::Float))
    }
}

/// The orthonormal Fourier transform of each channel of SR - HR, `[N, 3, H, W, 2]`: real and imaginary parts.
pub(super) fn spectrum(of: &Inputs) -> Tensor {
    (of.sr - of.hr).fft_fft2(None::<i64>, [-2, -1], "ortho").view_as_real()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flat_difference_and_an_impulse() {
        let value = |sr: &Tensor| {
            let hr = sr.zeros_like();
            Config { weight: 1.0 }.value(&Inputs::of_pictures(sr, &hr)).unwrap().double_value(&[])
        };
        // 16 pixels of 0.5: only the mean's coefficient is not 0, 16 * 0.5 / sqrt(16) = 2, one of 32 numbers.
        let flat = Tensor::full([1, 1, 4, 4], 0.5, (Kind::Float, tch::Device::Cpu));
        assert_eq!(value(&flat), 2.0 / 32.0);
        // One pixel of 1 at the origin: every coefficient is 1 / sqrt(16), without imaginary part.
        let impulse = Tensor::zeros([1, 1, 4, 4], (Kind::Float, tch::Device::Cpu));
        let _ = impulse.get(0).get(0).get(0).get(0).fill_(1.0);
        assert_eq!(value(&impulse), 0.25 / 2.0);
    }
}
