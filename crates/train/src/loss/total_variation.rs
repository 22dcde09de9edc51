//! Total variation: how much neighbouring pixels of SR differ, whatever HR is (Rudin, Osher and Fatemi, "Nonlinear total
//! variation based noise removal algorithms", Physica D 60, 1992).
//!
//! It is the anisotropic form, |dx| + |dy|: the root of the isotropic one has no finite gradient where a picture is flat.

use anyhow::Result;
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use super::{Inputs, Loss};

/// The total variation loss of a phase.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// At least 0.
    pub weight: f64,
}

impl Loss for Config {
    fn name(&self) -> &'static str {
        "total_variation"
    }

    fn weight(&self) -> f64 {
        self.weight
    }

    /// The mean difference of pixels one below the other and that of pixels side by side, added.
    fn value(&self, of: &Inputs) -> Result<Tensor> {
        let along = |dim| of.sr.diff(1, dim, None::<Tensor>, None::<Tensor>).abs().mean(Kind::Float);
        Ok(along(-2) + along(-1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_pixels_by_hand() {
        // 0 1
        // 0 3: down 0 and 2, mean 1; to the right 1 and 3, mean 2.
        let sr = Tensor::from_slice(&[0.0f32, 1.0, 0.0, 3.0]).view([1, 1, 2, 2]);
        let value = Config { weight: 1.0 }.value(&Inputs::of_pictures(&sr, &sr)).unwrap();
        assert_eq!(value.double_value(&[]), 3.0);
    }
}
