//! What VGG makes of a step's pictures: computed once for all losses in its features.

use std::collections::HashMap;

use abbe_models::vgg;
use anyhow::{Context, Result};
use tch::{Kind, Tensor};

/// A layer of VGG by name, and whether pictures are first normalised by the mean and deviation of ImageNet.
pub type Feature<'a> = (&'a str, bool);

/// The features of SR and HR that the losses of a phase compare.
pub struct Perception<'a>(HashMap<Feature<'a>, [Tensor; 2]>);

impl<'a> Perception<'a> {
    /// These features of SR and HR, `[N, 3, H, W]` in [0, 1], of the pictures' type and by one pass over each (two where some
    /// are of normalised pictures and others are not). VGG computes in `kind`: `BFloat16` or `Half`; `Float`: the pictures'
    /// own. No gradient flows to HR.
    ///
    /// # Errors
    /// A layer that VGG does not have, a picture too small for it.
    pub fn new(
        vgg: &vgg::Features,
        kind: Kind,
        features: impl IntoIterator<Item = Feature<'a>>,
        [sr, hr]: [&Tensor; 2],
    ) -> Result<Self> {
        let (mut seen, wanted) = (HashMap::new(), Vec::from_iter(features));
        for normalized in [false, true] {
            let mut layers: Vec<&str> =
                wanted.iter().filter(|feature| feature.1 == normalized).map(|feature| feature.0).collect();
            layers.sort_unstable();
            layers.dedup();
            if layers.is_empty() {
                continue;
            }
            let pass = |pictures: &Tensor| -> Result<Vec<Tensor>> {
                let own = pictures.kind();
                let pictures = if normalized { normalize(pictures) } else { pictures.shallow_clone() };
                let maps = abbe_torch::autocast(pictures.device(), kind, || vgg.forward(&pictures, &layers))??;
                Ok(maps.into_iter().map(|maps| maps.to_kind(own)).collect())
            };
            let pairs = pass(sr)?.into_iter().zip(tch::no_grad(|| pass(hr))?);
            seen.extend(layers.iter().zip(pairs).map(|(&layer, (sr, hr))| ((layer, normalized), [sr, hr])));
        }
        Ok(Perception(seen))
    }

    /// A feature of SR and of HR, `[N, C, h, w]`.
    pub(super) fn of<'b>(&'b self, feature: Feature<'b>) -> Result<&'b [Tensor; 2]> {
        self.0.get(&feature).with_context(|| format!("VGG was not asked for {}", feature.0))
    }
}

/// Subtracts ImageNet's channel means and divides by its deviations (torchvision's numbers); RGB in [0, 1].
fn normalize(picture: &Tensor) -> Tensor {
    let number = |value: f64| Tensor::full([1, 1, 1, 1], value, (Kind::Float, picture.device()));
    let channel = |values: [f64; 3]| Tensor::cat(&values.map(number), 1); // made there: a copy would wait for the device
    (picture - channel([0.485, 0.456, 0.406])) / channel([0.229, 0.224, 0.225])
}

#[cfg(test)]
mod tests {
    use abbe_models::vgg::{Features, Net};
    use tch::Device;

    use super::*;

    #[test]
    fn features_asked_for_together_are_those_asked_for_alone() {
        let vgg = Features::new(Net::Vgg11, Device::Cpu);
        let picture = || Tensor::rand([1, 3, 8, 8], (Kind::Float, Device::Cpu));
        let (sr, hr) = (picture().set_requires_grad(true), picture());
        let wanted = [("relu2_1", true), ("conv1_1", false), ("relu2_1", true), ("conv1_1", true)];
        let together = Perception::new(&vgg, Kind::Float, wanted, [&sr, &hr]).unwrap();
        for feature in wanted {
            let alone = Perception::new(&vgg, Kind::Float, [feature], [&sr, &hr]).unwrap();
            let (of_both, alone) = (together.of(feature).unwrap(), alone.of(feature).unwrap());
            assert!(of_both == alone, "{feature:?}");
            assert_eq!(of_both.each_ref().map(Tensor::requires_grad), [true, false]);
        }
        assert!(together.of(("conv1_1", true)).unwrap() != together.of(("conv1_1", false)).unwrap());
        assert!(together.of(("relu2_1", false)).unwrap_err().to_string().contains("relu2_1"));
    }
}
