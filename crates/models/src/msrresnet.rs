//! MSRResNet, SRResNet without batch norm (Wang et al., arXiv 1809.00219, section 4.1; the network of BasicSR).

use serde::{Deserialize, Serialize};
use tch::{Device, Tensor};

use crate::layer::{Conv2d, ResidualBlock, SubPixelConv2d, add, bilinear, leaky_relu};
use crate::{Architecture, Built, Error, Hints, Keys, Layout, Network, Python, SrModel, Store, require};

/// What decides an MSRResNet's shape.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Enlargement: 2, 3 or 4.
    pub scale: i64,
    /// Residual blocks, 1..=64; BasicSR's default is 16.
    pub blocks: i64,
    /// Channels of every hidden layer, 1..=256; BasicSR's default is 64.
    pub channels: i64,
    /// Channels of the picture: 3 for RGB, 1 for luma alone.
    pub colors: i64,
}

impl Config {
    /// BasicSR's network.
    pub const fn paper(scale: i64) -> Self {
        Config { scale, blocks: 16, channels: 64, colors: 3 }
    }

    /// The factor of one pixel shuffle, and how many there are.
    fn shuffles(&self) -> (i64, usize) {
        if self.scale == 4 { (2, 2) } else { (self.scale, 1) }
    }
}

impl Architecture for Config {
    const PAPER: &'static str = "Wang et al., arXiv 1809.00219";
    const SAMPLES: &'static [Self] = &[
        Config { blocks: 3, channels: 6, ..Config::paper(4) },
        Config { scale: 3, blocks: 2, channels: 5, colors: 1 },
        Config { scale: 2, blocks: 1, channels: 7, colors: 3 },
    ];
    const USUAL: Self = Config::paper(4);
    const LAYOUTS: &'static [Layout<Self>] = &[Layout::own("basicsr", detect)];
    const PYTHON: Python = Python { source: include_str!("../python/msrresnet.py"), class: "MsrResNet" };

    fn validate(&self) -> Result<(), Error> {
        let Config { scale, blocks, channels, colors } = *self;
        require("msrresnet.scale", "2, 3 or 4", scale, [2, 3, 4].contains(&scale))?;
        require("msrresnet.blocks", "a number from 1 to 64", blocks, (1..=64).contains(&blocks))?;
        require("msrresnet.channels", "a number from 1 to 256", channels, (1..=256).contains(&channels))?;
        require("msrresnet.colors", "1 or 3", colors, [1, 3].contains(&colors))
    }

    fn input(&self) -> [i64; 3] {
        [self.colors, 24, 24]
    }

    fn scale(&self) -> Option<i64> {
        Some(self.scale)
    }

    fn build(&self, device: Device) -> Result<Built, Error> {
        Ok(Built::Sr(Box::new(MsrResNet::new(self, device)?)))
    }
}

/// Of x4 there are two convolutions before pixel shuffles; of x2 and x3 one, with 4 or 9 times as many channels out.
fn detect(keys: &Keys, _: &Hints) -> Option<Result<Config, Error>> {
    let [channels, colors, ..] = keys.shape::<4>("conv_first.weight")?;
    let [wide, ..] = keys.shape::<4>("upconv1.weight")?;
    let blocks = keys.count(|i| format!("body.{i}.conv1.weight"));
    let factor = wide.checked_div(channels)?.checked_isqrt()?;
    let scale = if keys.has("upconv2.weight") { 4 } else { factor };
    (blocks > 0).then_some(Ok(Config { scale, blocks, channels, colors }))
}

/// The network. State-dict names: `conv_first`, `body.i.{conv1, conv2}`, `upconv1`, `upconv2` (x4 alone), `conv_hr`,
/// `conv_last`, all 3x3 convolutions.
pub struct MsrResNet {
    config: Config,
    store: Store,
    conv_first: Conv2d,
    body: Vec<ResidualBlock>,
    upconvs: Vec<SubPixelConv2d>,
    conv_hr: Conv2d,
    conv_last: Conv2d,
}

impl MsrResNet {
    /// A network with PyTorch's first values.
    ///
    /// # Errors
    /// Those of [`Architecture::validate`].
    pub fn new(config: &Config, device: Device) -> Result<Self, Error> {
        config.validate()?;
        let store = Store::new(device);
        let p = store.root();
        let Config { blocks, channels: c, colors, .. } = *config;
        let (factor, count) = config.shuffles();
        let conv_first = Conv2d::same(&p / "conv_first", colors, c, 3);
        let body = (0..blocks).map(|i| ResidualBlock::new(&p / "body" / i, c, 1.0)).collect();
        let upconv = |name| SubPixelConv2d::new(&p / name, c, c, factor);
        let upconvs = ["upconv1", "upconv2"].into_iter().take(count).map(upconv).collect();
        let conv_hr = Conv2d::same(&p / "conv_hr", c, c, 3);
        let conv_last = Conv2d::same(&p / "conv_last", c, colors, 3);
        Ok(MsrResNet { config: *config, conv_first, body, upconvs, conv_hr, conv_last, store })
    }
}

/// Below zero.
const SLOPE: f64 = 0.1;

impl Network for MsrResNet {
    fn forward(&self, lr: &Tensor, _train: bool) -> Tensor {
        let xs = leaky_relu(&self.conv_first.forward(lr), SLOPE);
        let xs = self.body.iter().fold(xs, |xs, block| block.forward(&xs));
        let enlarge = |xs: Tensor, conv: &SubPixelConv2d| leaky_relu(&conv.forward(&xs), SLOPE);
        let wide = self.upconvs.iter().fold(xs, enlarge); // [N, channels, h * scale, w * scale]
        let details = self.conv_last.forward(&leaky_relu(&self.conv_hr.forward(&wide), SLOPE));
        add(&details, &bilinear(lr, self.config.scale))
    }

    fn store(&self) -> &Store {
        &self.store
    }
}

impl SrModel for MsrResNet {
    fn scale(&self) -> i64 {
        self.config.scale
    }

    /// Counted backwards from one output pixel: 2 in the last convolutions, 1 in each before the enlargement.
    fn radius(&self) -> i64 {
        let body = self.upconvs.iter().rev().fold(2, |reach, conv| conv.radius(reach));
        body + 2 * self.config.blocks + 1
    }

    fn colors(&self) -> i64 {
        self.config.colors
    }
}
