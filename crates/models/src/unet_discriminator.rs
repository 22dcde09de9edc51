//! The U-Net discriminator of Real-ESRGAN (Wang et al., arXiv 2107.10833), with spectral norm: a logit for every pixel.

use serde::{Deserialize, Serialize};
use tch::{Device, Tensor};

use crate::critic::SLOPE;
use crate::layer::{Conv2d, ConvConfig, SpectralConv2d, bilinear, leaky_relu};
use crate::{Architecture, Built, CriticModel, Error, Keys, Layout, Network, Path, Python, Sides, Store, require};

/// What decides a discriminator's shape. The skip connections, which no tensor tells, are always there, as in all of the
/// project's networks.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Channels of the picture, 1..=16: 3 for RGB.
    pub colors: i64,
    /// Channels at full size, 1..=256: 64 in the paper. At an eighth of the size there are 8 times as many.
    pub channels: i64,
}

impl Architecture for Config {
    const PAPER: &'static str = "Wang et al., arXiv 2107.10833";
    const SAMPLES: &'static [Self] = &[Config { colors: 3, channels: 4 }, Config { colors: 1, channels: 3 }];
    const USUAL: Self = Config { colors: 3, channels: 64 };
    const LAYOUTS: &'static [Layout<Self>] = &[
        Layout::own("basicsr", |keys, _| detect(keys, "weight_orig")),
        // What `torch.nn.utils.parametrizations.spectral_norm` gives. It computes the same but for the order of its power
        // iteration, which moves u before v: training goes on there with other rounding, to the same limit.
        Layout::renamed(
            "parametrizations",
            |keys, _| detect(keys, "parametrizations.weight.original"),
            |_, name| NEW_STYLE.iter().fold(name.into(), |name, (from, to)| name.replace(from, to)),
        ),
    ];
    const PYTHON: Python =
        Python { source: include_str!("../python/unet_discriminator.py"), class: "UNetDiscriminator" };

    fn validate(&self) -> Result<(), Error> {
        let Config { colors, channels } = *self;
        require("unet_discriminator.colors", "a number from 1 to 16", colors, (1..=16).contains(&colors))?;
        require("unet_discriminator.channels", "a number from 1 to 256", channels, (1..=256).contains(&channels))
    }

    fn input(&self) -> [i64; 3] {
        [self.colors, 64, 64]
    }

    fn sides(&self) -> Sides {
        Sides::multiples_of(8)
    }

    fn build(&self, device: Device) -> Result<Built, Error> {
        Ok(Built::Other(Box::new(UNetDiscriminator::new(self, device)?)))
    }
}

/// Names of spectral norm's tensors in PyTorch's older and newer style.
const NEW_STYLE: [(&str, &str); 3] = [
    ("weight_orig", "parametrizations.weight.original"),
    ("weight_u", "parametrizations.weight.0._u"),
    ("weight_v", "parametrizations.weight.0._v"),
];

fn detect(keys: &Keys, weight: &str) -> Option<Result<Config, Error>> {
    let [channels, colors, ..] = keys.shape::<4>("conv0.weight")?;
    (keys.has(&format!("conv1.{weight}")) && keys.has("conv9.weight")).then_some(Ok(Config { colors, channels }))
}

/// The network. State-dict names: `conv0` and `conv9` with bias, `conv1` to `conv8` with spectral norm and without bias.
pub struct UNetDiscriminator {
    store: Store,
    conv0: Conv2d,
    /// `conv1`, `conv2`, `conv3`: each halves the picture and doubles the channels.
    down: [SpectralConv2d; 3],
    /// `conv4`, `conv5`, `conv6`: each halves the channels of what was upscaled.
    up: [SpectralConv2d; 3],
    /// `conv7`, `conv8`.
    last: [SpectralConv2d; 2],
    conv9: Conv2d,
}

impl UNetDiscriminator {
    /// A network with PyTorch's first values.
    ///
    /// # Errors
    /// Those of [`Architecture::validate`].
    pub fn new(config: &Config, device: Device) -> Result<Self, Error> {
        config.validate()?;
        let store = Store::new(device);
        let p = store.root();
        let c = config.channels;
        let conv0 = Conv2d::same(&p / "conv0", config.colors, c, 3);
        let down = [(1, c), (2, 2 * c), (3, 4 * c)].map(|(i, c_in)| halving(&p / format!("conv{i}"), c_in));
        let same = |(i, c_in, c_out)| {
            let config = ConvConfig { c_in, c_out, kernel: 3, stride: 1, padding: 1, bias: false };
            SpectralConv2d::new(&p / format!("conv{i}"), config)
        };
        let up = [(4, 8 * c, 4 * c), (5, 4 * c, 2 * c), (6, 2 * c, c)].map(same);
        let last = [(7, c, c), (8, c, c)].map(same);
        let conv9 = Conv2d::same(&p / "conv9", c, 1, 3);
        Ok(UNetDiscriminator { conv0, down, up, last, conv9, store })
    }
}

impl CriticModel for UNetDiscriminator {
    /// The features are those of `conv0` to `conv8` before what a skip connection adds: `[N, channels, h, w]` first and last,
    /// `[N, 8 * channels, h / 8, w / 8]` in the middle.
    fn forward_with_features(&self, pictures: &Tensor, train: bool) -> (Tensor, Vec<Tensor>) {
        let mut features = Vec::new();
        let mut rectified = |xs: Tensor| {
            let xs = leaky_relu(&xs, SLOPE);
            features.push(xs.shallow_clone());
            xs
        };
        let x0 = rectified(self.conv0.forward(pictures));
        let x1 = rectified(self.down[0].forward(&x0, train));
        let x2 = rectified(self.down[1].forward(&x1, train));
        let x3 = rectified(self.down[2].forward(&x2, train));
        let upscaled = self.up.iter().zip([x2, x1, x0]);
        let xs = upscaled.fold(x3, |xs, (conv, skip)| rectified(conv.forward(&bilinear(&xs, 2), train)) + skip);
        let xs = self.last.iter().fold(xs, |xs, conv| rectified(conv.forward(&xs, train)));
        (self.conv9.forward(&xs), features)
    }
}

impl Network for UNetDiscriminator {
    /// `[N, colors, h, w]` in [0, 1], h and w multiples of 8, to logits `[N, 1, h, w]`: above 0 where the picture looks
    /// real. With `train` every spectral norm makes a power iteration.
    fn forward(&self, pictures: &Tensor, train: bool) -> Tensor {
        self.forward_with_features(pictures, train).0
    }

    fn store(&self) -> &Store {
        &self.store
    }
}

fn halving(path: Path, c_in: i64) -> SpectralConv2d {
    SpectralConv2d::new(path, ConvConfig { c_in, c_out: 2 * c_in, kernel: 4, stride: 2, padding: 1, bias: false })
}
