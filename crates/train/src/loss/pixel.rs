//! The pixel loss: how far SR is from HR, pixel by pixel (report, 4.5.1).

use anyhow::Result;
use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::{Distance, Inputs, Loss};

/// The pixel loss of a phase.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// At least 0.
    pub weight: f64,
    /// `l1`, `mse`, `charbonnier` or `huber`.
    pub distance: Distance,
}

impl Loss for Config {
    fn name(&self) -> &'static str {
        "pixel"
    }

    fn weight(&self) -> f64 {
        self.weight
    }

    fn value(&self, of: &Inputs) -> Result<Tensor> {
        Ok(self.distance.of(of.sr, of.hr))
    }

    fn validate(&self) -> Result<()> {
        self.distance.validate()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_error_gives_its_size_or_its_square() {
        let hr = Tensor::zeros([2, 3, 4, 4], (tch::Kind::Float, tch::Device::Cpu));
        let sr = &hr + 0.5;
        let value = |distance| {
            let config = Config { weight: 1.0, distance };
            config.value(&Inputs::of_pictures(&sr, &hr)).unwrap().double_value(&[])
        };
        assert_eq!(value(Distance::L1), 0.5);
        assert_eq!(value(Distance::Mse), 0.25);
    }
}
