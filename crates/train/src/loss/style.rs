//! The style loss: how far SR is from HR in which features of VGG come together, wherever that is in the picture (Gatys et
//! al., "A Neural Algorithm of Artistic Style", arXiv 1508.06576).

use anyhow::Result;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::{Distance, Inputs, Loss, content};

/// The style loss of a phase.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// At least 0.
    pub weight: f64,
    /// `l1`, `mse`, `charbonnier` or `huber`, a mean over all entries of a Gram matrix; `mse` in the paper.
    pub distance: Distance,
    /// Layers by name, each with its weight within the term, above 0.
    pub layers: IndexMap<String, f64>,
    /// Whether pictures are first normalised by the mean and deviation of ImageNet, as VGG was trained.
    pub imagenet_normalization: bool,
}

impl Loss for Config {
    fn name(&self) -> &'static str {
        "style"
    }

    fn weight(&self) -> f64 {
        self.weight
    }

    fn value(&self, of: &Inputs) -> Result<Tensor> {
        let distance = |sr: &Tensor, hr: &Tensor| self.distance.of(&gram(sr), &gram(hr));
        content::compare(of, &self.layers, self.imagenet_normalization, distance)
    }

    fn validate(&self) -> Result<()> {
        self.distance.validate()
    }
}

/// The products of every two of the maps `[N, C, h, w]`, summed over the picture: `[N, C, C]`. They are divided by C h w, as
/// BasicSR and others do, so that layers and sizes compare; the paper divides later.
fn gram(maps: &Tensor) -> Tensor {
    let rows = maps.flatten(2, -1);
    let per_map = maps.numel() as f64 / maps.size()[0] as f64;
    rows.bmm(&rows.transpose(1, 2)) / per_map
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gram_matrix_by_hand() {
        // Two maps of 1x2: (1, 2) and (3, 4). Products 1 + 4 = 5, 3 + 8 = 11, 9 + 16 = 25, divided by 2 * 1 * 2.
        let maps = Tensor::from_slice(&[1.0f32, 2.0, 3.0, 4.0]).view([1, 2, 1, 2]);
        let expected = Tensor::from_slice(&[1.25f32, 2.75, 2.75, 6.25]).view([1, 2, 2]);
        assert_eq!(gram(&maps), expected);
        // Where in the picture the features come together does not count.
        assert_eq!(gram(&maps.flip([3])), expected);
    }
}
