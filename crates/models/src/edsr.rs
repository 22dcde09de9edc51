//! EDSR: residual blocks without batch norm, enlargement at the end (Lim et al., arXiv 1707.02921).

use serde::{Deserialize, Serialize};
use tch::{Device, Tensor};

use crate::layer::{Conv2d, ResidualBlock, Upsample, add, centred, mean_shift_constants, uncentred};
use crate::{Architecture, Built, Error, Hints, Keys, Layout, Network, Python, SrModel, Store, require};

/// What decides an EDSR's shape and arithmetic. It works on values of 0 to 255 less the mean colour of DIV2K, the default of
/// both projects.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Enlargement: 2, 3, 4 or 8.
    pub scale: i64,
    /// Residual blocks, 1..=64: 16 in the paper's baseline, 32 in its EDSR.
    pub blocks: i64,
    /// Channels of every hidden layer, 1..=512: 64 in the paper's baseline, 256 in its EDSR.
    pub channels: i64,
    /// What residuals are multiplied by, above 0 and up to 1: 1 in the paper's baseline, 0.1 in its EDSR.
    pub res_scale: f64,
}

impl Config {
    /// The paper's baseline.
    pub const fn baseline(scale: i64) -> Self {
        Config { scale, blocks: 16, channels: 64, res_scale: 1.0 }
    }

    /// The paper's EDSR.
    pub const fn paper(scale: i64) -> Self {
        Config { scale, blocks: 32, channels: 256, res_scale: 0.1 }
    }
}

impl Architecture for Config {
    const PAPER: &'static str = "Lim et al., arXiv 1707.02921";
    const SAMPLES: &'static [Self] = &[
        Config { blocks: 3, channels: 6, ..Config::baseline(4) },
        Config { scale: 3, blocks: 2, channels: 5, res_scale: 0.1 },
        Config { scale: 8, blocks: 1, channels: 4, res_scale: 0.5 },
    ];
    const USUAL: Self = Config::baseline(4);
    const LAYOUTS: &'static [Layout<Self>] = &[
        Layout::own("basicsr", basicsr),
        Layout {
            constants: |_| mean_shift_constants(),
            ..Layout::renamed("edsr-pytorch", edsr_pytorch, to_edsr_pytorch)
        },
    ];
    const PYTHON: Python = Python { source: include_str!("../python/edsr.py"), class: "Edsr" };

    fn validate(&self) -> Result<(), Error> {
        let Config { scale, blocks, channels, res_scale } = *self;
        require("edsr.scale", "2, 3, 4 or 8", scale, [2, 3, 4, 8].contains(&scale))?;
        require("edsr.blocks", "a number from 1 to 64", blocks, (1..=64).contains(&blocks))?;
        require("edsr.channels", "a number from 1 to 512", channels, (1..=512).contains(&channels))?;
        require("edsr.res_scale", "a number above 0, at most 1", res_scale, res_scale > 0.0 && res_scale <= 1.0)
    }

    fn input(&self) -> [i64; 3] {
        [3, 24, 24]
    }

    fn scale(&self) -> Option<i64> {
        Some(self.scale)
    }

    fn build(&self, device: Device) -> Result<Built, Error> {
        Ok(Built::Sr(Box::new(Edsr::new(self, device)?)))
    }
}

fn basicsr(keys: &Keys, hints: &Hints) -> Option<Result<Config, Error>> {
    let [channels, ..] = keys.shape::<4>("conv_after_body.weight")?;
    let blocks = keys.count(|i| format!("body.{i}.conv1.weight"));
    detected(blocks, channels, Upsample::scale_of(keys, "upsample")?, hints)
}

fn edsr_pytorch(keys: &Keys, hints: &Hints) -> Option<Result<Config, Error>> {
    let [channels, ..] = keys.shape::<4>("head.0.weight")?;
    let blocks = keys.count(|i| format!("body.{i}.body.0.weight"));
    detected(blocks, channels, Upsample::scale_of(keys, "tail.0")?, hints)
}

fn detected(blocks: i64, channels: i64, scale: i64, hints: &Hints) -> Option<Result<Config, Error>> {
    let config = |res_scale| Config { scale, blocks, channels, res_scale };
    (blocks > 0).then(|| hints.res_scale("EDSR").map(config))
}

/// The convolution after the body is the last entry of the body.
fn to_edsr_pytorch(config: &Config, name: &str) -> String {
    let Some((part, end)) = name.rsplit_once('.') else { return name.into() };
    match part {
        "conv_first" => format!("head.0.{end}"),
        "conv_after_body" => format!("body.{}.{end}", config.blocks),
        "conv_last" => format!("tail.1.{end}"),
        _ => name.replace("upsample", "tail.0").replace("conv1", "body.0").replace("conv2", "body.2"),
    }
}

/// The network. State-dict names: `conv_first`, `body.i.{conv1, conv2}`, `conv_after_body`, `upsample.{0, 2, ..}`,
/// `conv_last`, all 3x3 convolutions.
pub struct Edsr {
    config: Config,
    store: Store,
    conv_first: Conv2d,
    body: Vec<ResidualBlock>,
    conv_after_body: Conv2d,
    upsample: Upsample,
    conv_last: Conv2d,
}

impl Edsr {
    /// A network with PyTorch's first values.
    ///
    /// # Errors
    /// Those of [`Architecture::validate`].
    pub fn new(config: &Config, device: Device) -> Result<Self, Error> {
        config.validate()?;
        let store = Store::new(device);
        let p = store.root();
        let Config { scale, blocks, channels: c, res_scale } = *config;
        let conv_first = Conv2d::same(&p / "conv_first", 3, c, 3);
        let body = (0..blocks).map(|i| ResidualBlock::new(&p / "body" / i, c, res_scale)).collect();
        let conv_after_body = Conv2d::same(&p / "conv_after_body", c, c, 3);
        let upsample = Upsample::new(&p / "upsample", c, scale);
        let conv_last = Conv2d::same(&p / "conv_last", c, 3, 3);
        Ok(Edsr { config: *config, conv_first, body, conv_after_body, upsample, conv_last, store })
    }
}

impl Network for Edsr {
    fn forward(&self, lr: &Tensor, _train: bool) -> Tensor {
        let first = self.conv_first.forward(&centred(lr)); // [N, channels, h, w]
        let body = self.body.iter().fold(first.shallow_clone(), |xs, block| block.forward(&xs));
        let wide = self.upsample.forward(&add(&self.conv_after_body.forward(&body), &first));
        uncentred(&self.conv_last.forward(&wide)) // [N, 3, h * scale, w * scale]
    }

    fn store(&self) -> &Store {
        &self.store
    }
}

impl SrModel for Edsr {
    fn scale(&self) -> i64 {
        self.config.scale
    }

    fn radius(&self) -> i64 {
        self.upsample.radius(1) + 1 + 2 * self.config.blocks + 1
    }
}
