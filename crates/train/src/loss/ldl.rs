//! LDL: SR's differences from HR where they look like artefacts (Liang et al., "Details or Artifacts: A Locally Discriminative
//! Learning Approach to Realistic Image Super-Resolution", arXiv 2203.09195).
//!
//! Artefacts are where differences vary much from pixel to pixel, and where a generator with averaged weights (EMA) is
//! closer to HR.

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use super::{Inputs, Loss};

/// Side of the window in which the differences' variance is taken, in pixels; the paper's.
const WINDOW: i64 = 7;

/// The loss of a phase whose network has an average (`ema`).
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// At least 0; 1 in the paper.
    pub weight: f64,
}

impl Loss for Config {
    fn name(&self) -> &'static str {
        "ldl"
    }

    fn weight(&self) -> f64 {
        self.weight
    }

    fn value(&self, of: &Inputs) -> Result<Tensor> {
        Ok(value(of.sr, of.sr_average.context("the network has no average (`ema`)")?, of.hr))
    }
}

/// The mean difference of `sr` and `hr`, weighted by the map of artefacts. All three are `[N, 3, H, W]` in [0, 1] with sides
/// of at least 4; `sr_ema` is what the averaged generator makes of the same LR.
///
/// The map is a weight, without gradient. The authors' code has one there, which is not finite where `sr` is `hr`.
pub fn value(sr: &Tensor, sr_ema: &Tensor, hr: &Tensor) -> Tensor {
    let artefacts = tch::no_grad(|| artefacts(sr, sr_ema, hr));
    (artefacts * (sr - hr)).abs().mean(Kind::Float)
}

/// The map, `[N, 1, H, W]`: the variance about each pixel, times that of the picture to the power of 1/5.
fn artefacts(sr: &Tensor, sr_ema: &Tensor, hr: &Tensor) -> Tensor {
    let residual = |picture: &Tensor| (hr - picture).abs().sum_dim_intlist(1, true, Kind::Float);
    let (own, averaged) = (residual(sr), residual(sr_ema));
    let of_picture = own.var_dim([1i64, 2, 3].as_slice(), true, true).pow_tensor_scalar(0.2);
    let windows = own.reflection_pad2d([WINDOW / 2; 4]).unfold(2, WINDOW, 1).unfold(3, WINDOW, 1);
    of_picture * windows.var_dim([-2i64, -1].as_slice(), true, false) * own.ge_tensor(&averaged)
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    #[test]
    fn one_wrong_pixel_by_hand() {
        let hr = Tensor::zeros([1, 3, 8, 8], (Kind::Float, Device::Cpu));
        let sr = hr.copy();
        let _ = sr.narrow(2, 4, 1).narrow(3, 4, 1).fill_(1.0 / 3.0);
        // Over the channels the difference is 1 at one pixel of 64: variance (1 - 1/64) / 63 = 1/64. In the 49 pixels about
        // it, none of which is repeated by the mirror, it is (1 - 1/49) / 48 = 1/49. Of 192 numbers three are 1/3.
        let expected = (1.0f64 / 64.0).powf(0.2) / 49.0 / 192.0;
        let of = |ema: &Tensor| value(&sr, ema, &hr).double_value(&[]);
        assert!((of(&hr) / expected - 1.0).abs() < 1e-5);
        // Where the averaged generator is farther from HR, or all differs alike, nothing is an artefact.
        assert_eq!(of(&(&sr * 2.0)), 0.0);
        assert_eq!(value(&(&hr + 0.5), &hr, &hr).double_value(&[]), 0.0);
    }

    #[test]
    fn the_gradient_is_finite_where_sr_is_hr() {
        let hr = Tensor::zeros([1, 3, 8, 8], (Kind::Float, Device::Cpu));
        let sr = hr.copy().set_requires_grad(true);
        value(&sr, &hr, &hr).backward();
        assert!(sr.grad().isfinite().all().int64_value(&[]) == 1);
    }
}
