//! The content loss: how far SR is from HR in the features of VGG (Ledig et al., arXiv 1609.04802, eq. 5; report, 4.5.2).

use abbe_models::vgg;
use anyhow::Result;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::{Distance, Term};

/// The content loss of a phase.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// At least 0.
    pub weight: f64,
    /// `l1` or `mse`, a mean over all features of a layer.
    pub distance: Distance,
    /// Layers by name (`relu5_4`, `conv3_1`, ...), each with its weight within the term.
    pub layers: IndexMap<String, f64>,
    /// Whether pictures are first normalised by the mean and deviation of ImageNet, as VGG was trained.
    pub imagenet_normalization: bool,
}

/// The term for `sr` and `hr`, `[N, 3, H, W]` in [0, 1]. No gradient flows to `hr` or to VGG's weights.
///
/// # Errors
/// A layer that the network does not have.
pub fn term(config: &Config, vgg: &vgg::Features, sr: &Tensor, hr: &Tensor) -> Result<Term> {
    let layers: Vec<&str> = config.layers.keys().map(String::as_str).collect();
    let features = |picture: &Tensor| match config.imagenet_normalization {
        true => vgg.forward(&normalize(picture), &layers),
        false => vgg.forward(picture, &layers),
    };
    let targets = tch::no_grad(|| features(hr))?;
    let distances = features(sr)?.into_iter().zip(&targets).map(|(sr, hr)| config.distance.of(&sr, hr));
    let value = distances.zip(config.layers.values()).map(|(distance, weight)| distance * *weight);
    let value = value.reduce(|sum, layer| sum + layer).unwrap_or_default();
    Ok(Term { name: "content", weight: config.weight, value })
}

/// Subtracts ImageNet's channel means and divides by its deviations (torchvision's numbers); RGB in [0, 1].
fn normalize(picture: &Tensor) -> Tensor {
    let channel = |values: [f32; 3]| Tensor::from_slice(&values).view([1, 3, 1, 1]).to_device(picture.device());
    (picture - channel([0.485, 0.456, 0.406])) / channel([0.229, 0.224, 0.225])
}
