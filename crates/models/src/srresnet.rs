//! SRResNet, the generator of SRGAN (Ledig et al., arXiv 1609.04802).

use serde::{Deserialize, Serialize};
use tch::{Device, Tensor};

use crate::graph::{Op, noted};
use crate::layer::{Conv2d, ConvConfig, ConvNorm, PRelu, SubPixelConv2d, add, clamped, pixel_unshuffle, tanh};
use crate::{Architecture, Built, Error, Layout, Network, Path, Python, SrModel, Store, bicubic, require};

mod layouts;

/// What decides an SRResNet's shape and arithmetic.
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
    /// Whether the convolutions that batch norm follows have a bias, which it makes superfluous: those of the body and the
    /// one behind it. Checkpoints written before there was a choice have it.
    #[serde(default = "yes")]
    pub conv_bias: bool,
    /// What is done to the picture last; nothing in the paper, and in checkpoints written before there was a choice.
    #[serde(default)]
    pub output: Output,
}

fn yes() -> bool {
    true
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

/// What is done to the picture last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Output {
    /// Nothing.
    #[default]
    Linear,
    /// (tanh(x) + 1) / 2, as leftthomas' generator.
    Tanh,
    /// Clamped to [0, 1], as Lornatang's.
    Clamp,
}

impl Config {
    /// The paper's network.
    pub const fn paper(scale: i64) -> Self {
        Config {
            scale,
            blocks: 16,
            channels: 64,
            norm: Norm::Batch,
            input: Input::Lr,
            bicubic_skip: false,
            conv_bias: true,
            output: Output::Linear,
        }
    }

    fn doublings(&self) -> i64 {
        i64::from(self.scale.ilog2())
    }
}

impl Architecture for Config {
    const PAPER: &'static str = "Ledig et al., arXiv 1609.04802";
    const SAMPLES: &'static [Self] = &[
        Config { blocks: 3, channels: 7, ..Config::paper(4) },
        Config {
            blocks: 1,
            channels: 5,
            norm: Norm::None,
            input: Input::Bicubic,
            bicubic_skip: true,
            ..Config::paper(2)
        },
        Config { blocks: 2, channels: 4, norm: Norm::None, bicubic_skip: true, ..Config::paper(8) },
        Config { blocks: 3, channels: 6, output: Output::Tanh, ..Config::paper(8) },
        Config { blocks: 2, channels: 5, conv_bias: false, output: Output::Clamp, ..Config::paper(2) },
    ];
    const USUAL: Self = Config::paper(4);
    const LAYOUTS: &'static [Layout<Self>] = &layouts::ALL;
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

/// The network. State-dict names: `head.0` (9x9 convolution), `head.1` (PReLU), `body.i.{conv1, bn1, prelu, conv2, bn2}`,
/// `fuse.0`, `fuse.1` (batch norm), `upsample.i.{conv, prelu}`, one per doubling, and `tail` (9x9 convolution).
pub struct SrResNet {
    config: Config,
    store: Store,
    head: (Conv2d, PRelu),
    body: Vec<Block>,
    fuse: ConvNorm,
    upsample: Vec<(SubPixelConv2d, PRelu)>,
    tail: Conv2d,
}

struct Block {
    conv1: ConvNorm,
    prelu: PRelu,
    conv2: ConvNorm,
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
        let fuse = conv_norm(&p / "fuse" / 0, &p / "fuse" / 1, config);
        let doubling = |i| {
            let p = &p / "upsample" / i;
            (SubPixelConv2d::new(&p / "conv", c, c, 2), PRelu::new(&p / "prelu"))
        };
        let upsample = (0..config.doublings()).map(doubling).collect();
        let tail = Conv2d::same(&p / "tail", c, 3, 9);
        Ok(SrResNet { config: *config, head, body, fuse, upsample, tail, store })
    }
}

impl Network for SrResNet {
    fn forward(&self, lr: &Tensor, train: bool) -> Tensor {
        let Config { scale, input, bicubic_skip, .. } = self.config;
        let upscaled = (input == Input::Bicubic || bicubic_skip).then(|| bicubic::upscale(lr, scale));
        let xs = match (&upscaled, input) {
            (Some(upscaled), Input::Bicubic) => pixel_unshuffle(upscaled, scale), // [N, 3 * scale^2, h, w]
            _ => lr.shallow_clone(),
        };
        let head = self.head.1.forward(&self.head.0.forward(&xs)); // [N, channels, h, w]
        let body = self.body.iter().fold(head.shallow_clone(), |xs, block| block.forward(&xs, train));
        let fused = add(&self.fuse.forward(&body, train), &head);
        let double = |xs: Tensor, (conv, prelu): &(SubPixelConv2d, PRelu)| prelu.forward(&conv.forward(&xs));
        let wide = self.upsample.iter().fold(fused, double); // [N, channels, h * scale, w * scale]
        let sr = self.tail.forward(&wide); // [N, 3, h * scale, w * scale]
        let sr = match upscaled {
            Some(upscaled) if bicubic_skip => add(&sr, &upscaled),
            _ => sr,
        };
        match self.config.output {
            Output::Linear => sr,
            Output::Tanh => halved(&tanh(&sr)),
            Output::Clamp => clamped(&sr),
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

    /// Counted backwards from one output pixel: 4 in the tail, 4 in the head, 1 in each 3x3 convolution.
    fn radius(&self) -> i64 {
        let before_upsampling = self.upsample.iter().rev().fold(4, |reach, (conv, _)| conv.radius(reach));
        let network = before_upsampling + 1 + 2 * self.config.blocks + 4;
        match self.config.input {
            Input::Lr => network,
            Input::Bicubic => network + bicubic::RADIUS,
        }
    }
}

/// From [-1, 1] to [0, 1].
fn halved(xs: &Tensor) -> Tensor {
    noted(Op::Affine { scale: 0.5, shift: [0.5; 3] }, &[xs], (xs + 1.0) / 2.0)
}

impl Block {
    fn new(p: Path, config: &Config) -> Self {
        Block {
            conv1: conv_norm(&p / "conv1", &p / "bn1", config),
            prelu: PRelu::new(&p / "prelu"),
            conv2: conv_norm(&p / "conv2", &p / "bn2", config),
        }
    }

    fn forward(&self, xs: &Tensor, train: bool) -> Tensor {
        let ys = self.prelu.forward(&self.conv1.forward(xs, train));
        add(&self.conv2.forward(&ys, train), xs)
    }
}

/// A 3x3 convolution with what normalises it.
fn conv_norm(conv: Path, norm: Path, config: &Config) -> ConvNorm {
    let Config { channels, conv_bias: bias, .. } = *config;
    let conv = Conv2d::new(conv, ConvConfig { bias, ..ConvConfig::unbiased(channels, channels, 3, 1) });
    match config.norm {
        Norm::None => ConvNorm::plain(conv),
        Norm::Batch => ConvNorm::new(conv, norm),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configurations_from_before_there_was_a_choice_are_read_as_they_were_meant() {
        let old = r#"{"scale":4,"blocks":16,"channels":64,"norm":"batch","input":"lr","bicubic_skip":false}"#;
        assert_eq!(serde_json::from_str::<Config>(old).unwrap(), Config::paper(4));
    }
}
