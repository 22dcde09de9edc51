//! The pixel loss: how far SR is from HR, pixel by pixel (report, 4.5.1).

use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::{Distance, Term};

/// The pixel loss of a phase.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// At least 0.
    pub weight: f64,
    /// `l1` or `mse`.
    pub distance: Distance,
}

/// The term for `sr` and `hr`, `[N, 3, H, W]` in [0, 1].
pub fn term(config: &Config, sr: &Tensor, hr: &Tensor) -> Term {
    Term { name: "pixel", weight: config.weight, value: config.distance.of(sr, hr) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_error_gives_its_size_or_its_square() {
        let hr = Tensor::zeros([2, 3, 4, 4], (tch::Kind::Float, tch::Device::Cpu));
        let sr = &hr + 0.5;
        let value = |distance| term(&Config { weight: 1.0, distance }, &sr, &hr).value.double_value(&[]);
        assert_eq!(value(Distance::L1), 0.5);
        assert_eq!(value(Distance::Mse), 0.25);
    }
}
