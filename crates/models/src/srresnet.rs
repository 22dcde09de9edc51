//! SRResNet, the generator of SRGAN (Ledig et al., arXiv 1609.04802).

use serde::{Deserialize, Serialize};
use tch::{Device, Tensor};

use crate::layer::{BatchNorm2d, Conv2d, PRelu, pixel_shuffle};
use crate::{Architecture, Built, Error, Hints, Keys, Layout, Network, Path, Python, SrModel, Store, bicubic, require};

/// What decides an SRResNet's shape.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Enlargement: 2, 4 or 8.
    pub scale: i64,
    /// Residual blocks, 1..=64; 16 in the paper.
    pub blocks: i64,
    /// Channels of every hidden layer, 1..=256; 64 in the paper.
    pub channels: i64,
    /// What follows the convolutions of the body; batch norm in the paper.
    pub norm: Norm,
    /// What the head sees; the LR picture in the paper.
    pub input: Input,
    /// Whether the network's output is added to the bicubic-upscaled picture; not in the paper.
    pub bicubic_skip: bool,
}

/// Normalisation in the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Norm {
    /// None; the `bn` tensors are absent.
    None,
    /// Batch normalisation.
    Batch,
}

/// The picture that enters the head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Input {
    /// The LR picture, 3 channels.
    Lr,
    /// The bicubic-upscaled picture, brought back to LR resolution by pixel unshuffle: 3 * scale^2 channels.
    Bicubic,
}

impl Config {
    /// The paper's network.
    pub const fn paper(scale: i64) -> Self {
        Config { scale, blocks: 16, channels: 64, norm: Norm::Batch, input: Input::Lr, bicubic_skip: false }
    }

    fn doublings(&self) -> i64 {
        i64::from(self.scale.ilog2())
    }
}

impl Architecture for Config {
    const PAPER: &'static str = "Ledig et al., arXiv 1609.04802";
    const SAMPLES: &'static [Self] = &[
        Config::paper(4),
        Config { scale: 2, blocks: 1, channels: 5, norm: Norm::None, input: Input::Bicubic, bicubic_skip: true },
        Config { scale: 8, blocks: 2, channels: 4, norm: Norm::None, input: Input::Lr, bicubic_skip: true },
    ];
    const LAYOUTS: &'static [Layout<Self>] = &[Layout::own("abbe", detect)];
    const PYTHON: Python = Python { source: include_str!("../python/srresnet.py"), class: "SrResNet" };

    fn validate(&self) -> Result<(), Error> {
        require("srresnet.scale", "2, 4 or 8", self.scale, [2, 4, 8].contains(&self.scale))?;
        require("srresnet.blocks", "a number from 1 to 64", self.blocks, (1..=64).contains(&self.blocks))?;
        require("srresnet.channels", "a number from 1 to 256", self.channels, (1..=256).contains(&self.channels))
    }

    fn input(&self) -> [i64; 3] {
        [3, 24, 24]
    }

    fn scale(&self) -> Option<i64> {
        Some(self.scale)
    }

    fn build(&self, device: Device) -> Result<Built, Error> {
        Ok(Built::Sr(Box::new(SrResNet::new(self, device)?)))
    }
}

/// Everything can be told but whether the bicubic-upscaled picture is added.
fn detect(keys: &Keys, _: &Hints) -> Option<Result<Config, Error>> {
    (keys.has("head.0.weight") && keys.has("body.0.prelu.weight")).then_some(Err(Error::Ask {
        network: "SRResNet of Abbe's",
        what: "whether the bicubic-upscaled picture is added to its output",
        option: "--like and a checkpoint of Abbe's with the same network",
    }))
}

/// The network. State-dict names: `head.0` (9x9 convolution), `head.1` (PReLU), `body.i.{conv1, bn1, prelu, conv2, bn2}`,
/// `fuse.0`, `fuse.1` (batch norm), `upsample.i.{conv, prelu}`, one per doubling, and `tail` (9x9 convolution).
pub struct SrResNet {
    config: Config,
    store: Store,
    head: (Conv2d, PRelu),
    body: Vec<Block>,
    fuse: (Conv2d, Option<BatchNorm2d>),
    upsample: Vec<Upsample>,
    tail: Conv2d,
}

struct Block {
    conv1: Conv2d,
    bn1: Option<BatchNorm2d>,
    prelu: PRelu,
    conv2: Conv2d,
    bn2: Option<BatchNorm2d>,
}

struct Upsample {
    conv: Conv2d,
    prelu: PRelu,
}

impl SrResNet {
    /// A network with PyTorch's first values.
    ///
    /// # Errors
    /// Those of [`Architecture::validate`].
    pub fn new(config: &Config, device: Device) -> Result<Self, Error> {
        config.validate()?;
        let store = Store::new(device);
        let p = store.root();
        let c = config.channels;
        let c_in = match config.input {
            Input::Lr => 3,
            Input::Bicubic => 3 * config.scale * config.scale,
        };
        let head = (Conv2d::same(&p / "head" / 0, c_in, c, 9), PRelu::new(&p / "head" / 1));
        let body = (0..config.blocks).map(|i| Block::new(&p / "body" / i, config)).collect();
        let fuse = (Conv2d::same(&p / "fuse" / 0, c, c, 3), norm(&p / "fuse" / 1, config));
        let upsample = (0..config.doublings()).map(|i| Upsample::new(&p / "upsample" / i, c)).collect();
        let tail = Conv2d::same(&p / "tail", c, 3, 9);
        Ok(SrResNet { config: *config, head, body, fuse, upsample, tail, store })
    }
}

impl Network for SrResNet {
    fn forward(&self, lr: &Tensor, train: bool) -> Tensor {
        let Config { scale, input, bicubic_skip, .. } = self.config;
        let upscaled = (input == Input::Bicubic || bicubic_skip).then(|| bicubic::upscale(lr, scale));
        let xs = match (&upscaled, input) {
            (Some(upscaled), Input::Bicubic) => upscaled.pixel_unshuffle(scale), // [N, 3 * scale^2, h, w]
            _ => lr.shallow_clone(),
        };
        let head = self.head.1.forward(&self.head.0.forward(&xs)); // [N, channels, h, w]
        let body = self.body.iter().fold(head.shallow_clone(), |xs, block| block.forward(&xs, train));
        let fused = normalise(&self.fuse.1, self.fuse.0.forward(&body), train) + head;
        let wide = self.upsample.iter().fold(fused, |xs, step| step.forward(&xs)); // [N, channels, h * scale, w * scale]
        let sr = self.tail.forward(&wide); // [N, 3, h * scale, w * scale]
        match upscaled {
            Some(upscaled) if bicubic_skip => sr + upscaled,
            _ => sr,
        }
    }

    fn store(&self) -> &Store {
        &self.store
    }
}

impl SrModel for SrResNet {
    fn scale(&self) -> i64 {
        self.config.scale
    }

    /// Counted backwards from one output pixel: 4 in the tail; each shuffle halves the distance, each 3x3 adds 1.
    fn radius(&self) -> i64 {
        let before_upsampling = (0..self.config.doublings()).fold(4, |reach: i64, _| (reach + 1) / 2 + 1);
        let network = before_upsampling + 1 + 2 * self.config.blocks + 4;
        match self.config.input {
            Input::Lr => network,
            Input::Bicubic => network + bicubic::RADIUS,
        }
    }
}

impl Block {
    fn new(p: Path, config: &Config) -> Self {
        let c = config.channels;
        Block {
            conv1: Conv2d::same(&p / "conv1", c, c, 3),
            bn1: norm(&p / "bn1", config),
            prelu: PRelu::new(&p / "prelu"),
            conv2: Conv2d::same(&p / "conv2", c, c, 3),
            bn2: norm(&p / "bn2", config),
        }
    }

    fn forward(&self, xs: &Tensor, train: bool) -> Tensor {
        let ys = self.prelu.forward(&normalise(&self.bn1, self.conv1.forward(xs), train));
        normalise(&self.bn2, self.conv2.forward(&ys), train) + xs
    }
}

impl Upsample {
    fn new(p: Path, channels: i64) -> Self {
        Upsample { conv: Conv2d::same(&p / "conv", channels, 4 * channels, 3), prelu: PRelu::new(&p / "prelu") }
    }

    fn forward(&self, xs: &Tensor) -> Tensor {
        self.prelu.forward(&pixel_shuffle(&self.conv.forward(xs), 2))
    }
}

fn norm(p: Path, config: &Config) -> Option<BatchNorm2d> {
    match config.norm {
        Norm::None => None,
        Norm::Batch => Some(BatchNorm2d::new(p, config.channels)),
    }
}

fn normalise(norm: &Option<BatchNorm2d>, xs: Tensor, train: bool) -> Tensor {
    match norm {
        Some(norm) => norm.forward(&xs, train),
        None => xs,
    }
}
