//! Feature matching: how far SR is from HR in the layers of the discriminator (Wang et al., arXiv 1711.11585, eq. 4; first
//! Salimans et al., arXiv 1606.03498).

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::{Distance, Inputs, Loss};

/// The feature matching loss of a phase, which is adversarial.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// At least 0; 10 in the paper.
    pub weight: f64,
    /// `l1`, `mse`, `charbonnier` or `huber`, a mean over all features of a layer; `l1` in the paper.
    pub distance: Distance,
}

impl Loss for Config {
    fn name(&self) -> &'static str {
        "feature_matching"
    }

    fn weight(&self) -> f64 {
        self.weight
    }

    /// The sum over the discriminator's layers before its logits.
    fn value(&self, of: &Inputs) -> Result<Tensor> {
        let judgement = of.judgement()?;
        let real = judgement.real()?;
        let pairs = judgement.fake.features.iter().zip(&real.features);
        let distances = pairs.map(|(fake, real)| self.distance.of(fake, real));
        distances.reduce(|sum, layer| sum + layer).context("the discriminator has no layers to compare")
    }

    fn validate(&self) -> Result<()> {
        self.distance.validate()
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;
    use crate::loss::{Judged, Judgement};

    #[test]
    fn a_layer_counts_by_its_mean_whatever_its_size() {
        let judged = |first: f64, second: f64| {
            let maps = |shape: [i64; 4], value| Tensor::full(shape, value, (Kind::Float, Device::Cpu));
            Judged {
                logits: maps([1, 1, 1, 1], 9.0),
                features: vec![maps([1, 2, 4, 4], first), maps([1, 8, 1, 1], second)],
            }
        };
        let judgement = Judgement { fake: judged(1.0, 5.0), real: Some(judged(3.0, 2.0)), ranks: None };
        let picture = Tensor::zeros([1, 3, 4, 4], (Kind::Float, Device::Cpu));
        let inputs = Inputs { judgement: Some(&judgement), ..Inputs::of_pictures(&picture, &picture) };
        // |1 - 3| + |5 - 2|, the logits aside.
        let value = Config { weight: 1.0, distance: Distance::L1 }.value(&inputs).unwrap();
        assert_eq!(value.double_value(&[]), 5.0);
    }
}
