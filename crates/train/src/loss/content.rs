//! The content loss: how far SR is from HR in the features of VGG (Ledig et al., arXiv 1609.04802, eq. 5; report, 4.5.2).
//! ESRGAN takes them before the rectifier, `conv5_4` (Wang et al., arXiv 1809.00219, 3.3).

use anyhow::{Context, Result};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::{Distance, Inputs, Loss};

/// The content loss of a phase.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// At least 0.
    pub weight: f64,
    /// `l1`, `mse`, `charbonnier` or `huber`, a mean over all features of a layer.
    pub distance: Distance,
    /// Layers by name, each with its weight within the term, above 0: `conv3_1` before its rectifier, `relu5_4` after it,
    /// `pool2`, ...
    pub layers: IndexMap<String, f64>,
    /// Whether pictures are first normalised by the mean and deviation of ImageNet, as VGG was trained.
    pub imagenet_normalization: bool,
}

impl Loss for Config {
    fn name(&self) -> &'static str {
        "content"
    }

    fn weight(&self) -> f64 {
        self.weight
    }

    fn value(&self, of: &Inputs) -> Result<Tensor> {
        compare(of, &self.layers, self.imagenet_normalization, |sr, hr| self.distance.of(sr, hr))
    }

    fn validate(&self) -> Result<()> {
        self.distance.validate()
    }
}

/// The sum over `layers` of VGG of their weights times what `distance` says of the features of SR and HR, `[N, C, h, w]`. No
/// gradient flows to HR or to VGG's weights.
///
/// # Errors
/// No VGG, a layer that it was not asked for.
pub(super) fn compare(
    of: &Inputs,
    layers: &IndexMap<String, f64>,
    imagenet_normalization: bool,
    distance: impl Fn(&Tensor, &Tensor) -> Tensor,
) -> Result<Tensor> {
    let vgg = of.vgg.context("the experiment has no [vgg] to take features from")?;
    let weighted = layers.iter().map(|(layer, weight)| {
        let [sr, hr] = vgg.of((layer, imagenet_normalization))?;
        Ok(distance(sr, hr) * *weight)
    });
    let weighted: Vec<Tensor> = weighted.collect::<Result<_>>()?;
    weighted.into_iter().reduce(|sum, layer| sum + layer).context("no layer is named")
}

#[cfg(test)]
mod tests {
    use abbe_models::vgg::{Features, Net};
    use tch::{Device, Kind};

    use super::*;
    use crate::loss::Perception;

    /// VGG-11 whose first layer gives the sum of the channels of each pixel in its first map, and 0 in the others.
    fn vgg() -> Features {
        let vgg = Features::new(Net::Vgg11, Device::Cpu);
        let mut kernels = vgg.store().parameters().remove(0);
        tch::no_grad(|| {
            let _ = kernels.zero_();
            let _ = kernels.get(0).narrow(1, 1, 1).narrow(2, 1, 1).fill_(1.0);
        });
        vgg
    }

    #[test]
    fn layers_lie_before_or_behind_the_rectifier_and_have_their_weights() {
        let vgg = vgg();
        let picture = |value| Tensor::full([1, 3, 4, 4], value, (Kind::Float, Device::Cpu));
        let (sr, hr) = (picture(-1.0), picture(1.0));
        let value = |layers: &[(&str, f64)], imagenet_normalization| {
            let layers = layers.iter().map(|(name, weight)| ((*name).to_owned(), *weight)).collect();
            let config = Config { weight: 1.0, distance: Distance::L1, layers, imagenet_normalization };
            let wanted = config.layers.keys().map(|layer| (layer.as_str(), imagenet_normalization));
            let vgg = Perception::new(&vgg, Kind::Float, wanted, [&sr, &hr]).unwrap();
            let inputs = Inputs { vgg: Some(&vgg), ..Inputs::of_pictures(&sr, &hr) };
            config.value(&inputs).unwrap().double_value(&[])
        };
        // The sums of the channels are -3 and 3: 6 apart before the rectifier, 3 behind it, in one of 64 maps.
        assert_eq!(value(&[("conv1_1", 1.0)], false), 6.0 / 64.0);
        assert_eq!(value(&[("relu1_1", 1.0)], false), 3.0 / 64.0);
        assert_eq!(value(&[("conv1_1", 2.0), ("relu1_1", 4.0)], false), 24.0 / 64.0);
        // Normalised, a difference of 2 becomes 2 / 0.229 + 2 / 0.224 + 2 / 0.225 = 26.5511.
        assert!((value(&[("conv1_1", 1.0)], true) - 26.551_1 / 64.0).abs() < 1e-5);
    }
}
