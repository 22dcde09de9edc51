//! The discriminator of ESRGAN (Wang et al., arXiv 1809.00219) as BasicSR has it: VGG's pairs of convolutions, of which
//! every second one halves the picture.

use serde::{Deserialize, Serialize};
use tch::{Device, Tensor};

use crate::critic::{SLOPE, rectified};
use crate::layer::{Conv2d, ConvConfig, ConvNorm, Linear, leaky_relu};
use crate::{
    Architecture, Built, CriticModel, Error, Hints, Keys, Layout, Network, Path, Python, Sides, Store, require,
};

/// What decides a discriminator's shape.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Side of the square pictures that it judges: 128, as in the paper, or 256.
    pub patch: i64,
    /// Channels of the picture, 1..=16: 3 for RGB.
    pub colors: i64,
    /// Channels of the first convolution, 1..=256: 64 in the paper. The last one has 8 times as many.
    pub channels: i64,
}

impl Config {
    /// Pairs of convolutions: what is left of the picture after them is 4x4.
    fn stages(&self) -> u32 {
        self.patch.ilog2() - 2
    }
}

impl Architecture for Config {
    const PAPER: &'static str = "Wang et al., arXiv 1809.00219";
    const SAMPLES: &'static [Self] =
        &[Config { patch: 128, colors: 3, channels: 3 }, Config { patch: 256, colors: 1, channels: 2 }];
    const USUAL: Self = Config { patch: 128, colors: 3, channels: 64 };
    const LAYOUTS: &'static [Layout<Self>] = &[Layout::own("basicsr", detect)];
    const PYTHON: Python =
        Python { source: include_str!("../python/vgg_style_discriminator.py"), class: "VggStyleDiscriminator" };

    fn validate(&self) -> Result<(), Error> {
        let Config { patch, colors, channels } = *self;
        require("vgg_style_discriminator.patch", "128 or 256", patch, [128, 256].contains(&patch))?;
        require("vgg_style_discriminator.colors", "a number from 1 to 16", colors, (1..=16).contains(&colors))?;
        require("vgg_style_discriminator.channels", "a number from 1 to 256", channels, (1..=256).contains(&channels))
    }

    fn input(&self) -> [i64; 3] {
        [self.colors, self.patch, self.patch]
    }

    fn sides(&self) -> Sides {
        Sides::only(self.patch)
    }

    fn build(&self, device: Device) -> Result<Built, Error> {
        Ok(Built::Other(Box::new(VggStyleDiscriminator::new(self, device)?)))
    }
}

/// The sixth pair of convolutions is for pictures of 256.
fn detect(keys: &Keys, _: &Hints) -> Option<Result<Config, Error>> {
    let [channels, colors, ..] = keys.shape::<4>("conv0_0.weight")?;
    let patch = if keys.has("conv5_0.weight") { 256 } else { 128 };
    keys.has("linear2.weight").then_some(Ok(Config { patch, colors, channels }))
}

/// The network. State-dict names: `conv0_0` (with bias), `conv0_1`, `bn0_1`, then `convI_0`, `bnI_0`, `convI_1`, `bnI_1` for
/// I from 1 to 4 or 5, `linear1` and `linear2`.
pub struct VggStyleDiscriminator {
    store: Store,
    features: Vec<ConvNorm>,
    linear1: Linear,
    linear2: Linear,
}

/// Features of the first dense layer.
const DENSE: i64 = 100;

impl VggStyleDiscriminator {
    /// A network with PyTorch's first values.
    ///
    /// # Errors
    /// Those of [`Architecture::validate`].
    pub fn new(config: &Config, device: Device) -> Result<Self, Error> {
        config.validate()?;
        let store = Store::new(device);
        let p = store.root();
        let features = features(&p, config);
        let linear1 = Linear::new(&p / "linear1", 8 * config.channels * 4 * 4, DENSE);
        let linear2 = Linear::new(&p / "linear2", DENSE, 1);
        Ok(VggStyleDiscriminator { features, linear1, linear2, store })
    }
}

impl CriticModel for VggStyleDiscriminator {
    /// The features are `[N, channels, patch, patch]` first, `[N, 8 * channels, 4, 4]` last.
    fn forward_with_features(&self, pictures: &Tensor, train: bool) -> (Tensor, Vec<Tensor>) {
        let (xs, features) = rectified(&self.features, pictures, train);
        (self.linear2.forward(&leaky_relu(&self.linear1.forward(&xs.flatten(1, -1)), SLOPE)), features)
    }
}

impl Network for VggStyleDiscriminator {
    /// `[N, colors, patch, patch]` in [0, 1] to logits `[N, 1]`: above 0 where the picture looks real.
    fn forward(&self, pictures: &Tensor, train: bool) -> Tensor {
        self.forward_with_features(pictures, train).0
    }

    fn store(&self) -> &Store {
        &self.store
    }
}

/// Each stage widens, up to 8 times the first, then halves the picture.
fn features(p: &Path, config: &Config) -> Vec<ConvNorm> {
    let mut c_in = config.colors;
    let layer = |(stage, step)| {
        let c_out = config.channels << u32::min(stage, 3);
        let is_first = (stage, step) == (0, 0);
        let (kernel, stride) = if step == 0 { (3, 1) } else { (4, 2) };
        let shape = ConvConfig { c_in, c_out, kernel, stride, padding: 1, bias: is_first };
        c_in = c_out;
        let conv = Conv2d::new(p / format!("conv{stage}_{step}"), shape);
        if is_first { ConvNorm::plain(conv) } else { ConvNorm::new(conv, p / format!("bn{stage}_{step}")) }
    };
    (0..config.stages()).flat_map(|stage| [(stage, 0), (stage, 1)]).map(layer).collect()
}
