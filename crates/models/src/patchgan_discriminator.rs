//! PatchGAN, the discriminator of pix2pix (Isola et al., arXiv 1611.07004): a logit for every patch, by convolutions alone.

use serde::{Deserialize, Serialize};
use tch::{Device, Tensor};

use crate::critic::rectified;
use crate::layer::{Conv2d, ConvConfig, ConvNorm};
use crate::{
    Architecture, Built, CriticModel, Error, Hints, Keys, Layout, Network, Path, Python, Sides, Store, require,
};

/// What decides a discriminator's shape.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Channels of the picture, 1..=16: 3 for RGB, 6 for a pair of pictures as in the paper.
    pub colors: i64,
    /// Channels of the first convolution, 1..=256: 64 in the paper. There are never more than 8 times as many.
    pub channels: i64,
    /// How often the picture is halved, 1..=6. The patch of a logit is 70x70 with the 3 of the paper, and the smallest
    /// picture has 24x24; each more doubles that.
    pub layers: i64,
}

impl Architecture for Config {
    const PAPER: &'static str = "Isola et al., arXiv 1611.07004";
    const SAMPLES: &'static [Self] =
        &[Config { colors: 3, channels: 4, layers: 3 }, Config { colors: 1, channels: 3, layers: 2 }];
    const USUAL: Self = Config { colors: 3, channels: 64, layers: 3 };
    const LAYOUTS: &'static [Layout<Self>] = &[Layout::own("pytorch-CycleGAN-and-pix2pix", detect)];
    const PYTHON: Python =
        Python { source: include_str!("../python/patchgan_discriminator.py"), class: "PatchGanDiscriminator" };

    fn validate(&self) -> Result<(), Error> {
        let Config { colors, channels, layers } = *self;
        require("patchgan_discriminator.colors", "a number from 1 to 16", colors, (1..=16).contains(&colors))?;
        require("patchgan_discriminator.channels", "a number from 1 to 256", channels, (1..=256).contains(&channels))?;
        require("patchgan_discriminator.layers", "a number from 1 to 6", layers, (1..=6).contains(&layers))
    }

    fn input(&self) -> [i64; 3] {
        [self.colors, 256, 256]
    }

    /// The last two convolutions take one row and one column each, and one must be left. A file may claim any number of layers.
    fn sides(&self) -> Sides {
        Sides::from(3 << self.layers.clamp(1, 6))
    }

    fn build(&self, device: Device) -> Result<Built, Error> {
        Ok(Built::Other(Box::new(PatchGanDiscriminator::new(self, device)?)))
    }
}

/// ESRGAN's oldest generator has the same first name, and kernels of 3x3. There is a batch norm at 3, 6, ...: one for each
/// halving but the first, and one for the convolution after them.
fn detect(keys: &Keys, _: &Hints) -> Option<Result<Config, Error>> {
    let [channels, colors, KERNEL, KERNEL] = keys.shape("model.0.weight")? else { return None };
    let layers = keys.count(|i| format!("model.{}.running_mean", 3 * (i + 1)));
    keys.has(&format!("model.{}.bias", 3 * layers + 2)).then_some(Ok(Config { colors, channels, layers }))
}

/// The network, with the state-dict names of `NLayerDiscriminator`: `model.0` (with bias), then `model.{2, 5, ..}` (without),
/// each with its batch norm at the next index, and the last one (with bias).
pub struct PatchGanDiscriminator {
    store: Store,
    body: Vec<ConvNorm>,
    last: Conv2d,
}

/// Side of all kernels.
const KERNEL: i64 = 4;

impl PatchGanDiscriminator {
    /// A network with PyTorch's first values, where the project draws weights with a deviation of 0.02.
    ///
    /// # Errors
    /// Those of [`Architecture::validate`].
    pub fn new(config: &Config, device: Device) -> Result<Self, Error> {
        config.validate()?;
        let store = Store::new(device);
        let p = &store.root() / "model";
        let Config { colors, channels, layers } = *config;
        let width = |i: i64| channels << i.min(3);
        let layer = |i: i64| match i {
            0 => ConvNorm::plain(conv(&p / 0, colors, channels, 2, true)),
            _ => {
                let stride = if i < layers { 2 } else { 1 };
                ConvNorm::new(conv(&p / (3 * i - 1), width(i - 1), width(i), stride, false), &p / (3 * i))
            }
        };
        let body = (0..=layers).map(layer).collect();
        let last = conv(&p / (3 * layers + 2), width(layers), 1, 1, true);
        Ok(PatchGanDiscriminator { body, last, store })
    }
}

impl CriticModel for PatchGanDiscriminator {
    /// The features are `[N, channels, h / 2, w / 2]` first, `[N, 8 * channels, h / 8 - 1, w / 8 - 1]` last, with 3 layers.
    fn forward_with_features(&self, pictures: &Tensor, train: bool) -> (Tensor, Vec<Tensor>) {
        let (xs, features) = rectified(&self.body, pictures, train);
        (self.last.forward(&xs), features)
    }
}

impl Network for PatchGanDiscriminator {
    /// `[N, colors, h, w]` in [0, 1] (the project's pictures lie in [-1, 1]) to logits `[N, 1, h / 8 - 2, w / 8 - 2]` with 3
    /// layers, rounded down: above 0 where the patch looks real.
    fn forward(&self, pictures: &Tensor, train: bool) -> Tensor {
        self.forward_with_features(pictures, train).0
    }

    fn store(&self) -> &Store {
        &self.store
    }
}

fn conv(path: Path, c_in: i64, c_out: i64, stride: i64, bias: bool) -> Conv2d {
    Conv2d::new(path, ConvConfig { c_in, c_out, kernel: KERNEL, stride, padding: 1, bias })
}

#[cfg(test)]
mod tests {
    use tch::Kind;

    use super::*;

    #[test]
    fn a_logit_is_of_a_patch_of_70_by_70() {
        // A kernel of 4 at stride s sees s * (r - 1) + 4 pixels where r are seen behind it: 4 and 7 at stride 1, then 16, 34
        // and 70 at stride 2. 96 pixels become 48, 24, 12, 11 and 10 places; at place p the patch begins at p - 1, p - 2,
        // 2p - 5, 4p - 11 and 8p - 23, which is 9 for p = 4.
        let network = PatchGanDiscriminator::new(&Config { channels: 2, ..Config::USUAL }, Device::Cpu).unwrap();
        let picture = Tensor::ones([1, 3, 96, 96], (Kind::Float, Device::Cpu)).set_requires_grad(true);
        let logits = network.forward(&picture, false);
        assert_eq!(logits.size(), [1, 1, 10, 10]);
        logits.select(2, 4).select(2, 4).sum(Kind::Float).backward();
        for axes in [[0i64, 1, 2], [0, 1, 3]] {
            let seen = picture.grad().abs().sum_dim_intlist(axes.as_slice(), false, Kind::Float).nonzero();
            let seen = Vec::<i64>::try_from(seen.view(-1)).unwrap();
            assert_eq!(seen, (9..79).collect::<Vec<_>>());
        }
    }
}
