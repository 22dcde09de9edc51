//! ResNets in torchvision's layout (He et al., arXiv 1512.03385), the wide ones (arXiv 1605.07146) among them.

use serde::{Deserialize, Serialize};
use tch::{Device, Tensor};

use crate::layer::{Conv2d, ConvConfig, ConvNorm, Linear, Rim, adaptive_avg_pool, max_pool_3x3, relu};
use crate::{Architecture, Built, Error, Hints, Keys, Layout, Network, Path, Python, Store, require, torchvision};

/// What decides a ResNet's shape.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// What a block consists of.
    pub block: Kind,
    /// Blocks in each of the four stages, 1..=64; 2, 2, 2, 2 in ResNet-18.
    pub blocks: [i64; 4],
    /// Channels inside a bottleneck of the first stage, 1..=512, twice as many in each next one: 64 in the paper, 128 in
    /// torchvision's wide networks. 64 for basic blocks.
    pub width: i64,
    /// Scores, 1..=100,000; 1,000 in the paper.
    pub classes: i64,
}

/// What a block consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Two 3x3 convolutions.
    Basic,
    /// Convolutions of 1x1, 3x3 (which has the stride, unlike the paper's) and 1x1; the last has four times the channels.
    Bottleneck,
}

impl Config {
    /// A network of the paper for the classes of ImageNet.
    pub const fn paper(block: Kind, blocks: [i64; 4]) -> Self {
        Config { block, blocks, width: 64, classes: 1000 }
    }
}

impl Architecture for Config {
    const PAPER: &'static str = "He et al., arXiv 1512.03385";
    const SAMPLES: &'static [Self] = &[
        Config { classes: 5, ..Config::paper(Kind::Basic, [1, 2, 1, 1]) },
        Config { block: Kind::Bottleneck, blocks: [1, 2, 1, 1], width: 8, classes: 7 },
    ];
    const USUAL: Self = Config::paper(Kind::Basic, [2, 2, 2, 2]);
    const LAYOUTS: &'static [Layout<Self>] = &[Layout::own("torchvision", detect)];
    const PYTHON: Python = Python { source: include_str!("../python/resnet.py"), class: "ResNet" };

    fn validate(&self) -> Result<(), Error> {
        for blocks in self.blocks {
            require("resnet.blocks", "numbers from 1 to 64", blocks, (1..=64).contains(&blocks))?;
        }
        let is_fit = match self.block {
            Kind::Basic => self.width == 64,
            Kind::Bottleneck => (1..=512).contains(&self.width),
        };
        require("resnet.width", "64, or with bottlenecks a number from 1 to 512", self.width, is_fit)?;
        require("resnet.classes", "a number from 1 to 100000", self.classes, (1..=100_000).contains(&self.classes))
    }

    fn input(&self) -> [i64; 3] {
        torchvision::input(Some(self.classes))
    }

    fn build(&self, device: Device) -> Result<Built, Error> {
        Ok(Built::Other(Box::new(ResNet::new(self, device)?)))
    }
}

fn detect(keys: &Keys, _: &Hints) -> Option<Result<Config, Error>> {
    let [64, 3, 7, 7] = keys.shape("conv1.weight")? else { return None };
    let [width, ..] = keys.shape::<4>("layer1.0.conv1.weight")?;
    let [classes, _] = keys.shape("fc.weight")?;
    let block = if keys.has("layer1.0.conv3.weight") { Kind::Bottleneck } else { Kind::Basic };
    let blocks = [1, 2, 3, 4].map(|stage| keys.count(|i| format!("layer{stage}.{i}.conv1.weight")));
    Some(Ok(Config { block, blocks, width, classes }))
}

/// The network. State-dict names: `conv1`, `bn1`, `layerS.i.{conv1, bn1, conv2, bn2, ..}`, `layerS.0.downsample.{0, 1}`
/// (convolution and batch norm) where a stage changes the shape, `fc`.
pub struct ResNet {
    store: Store,
    stem: ConvNorm,
    blocks: Vec<Block>,
    fc: Linear,
}

/// Channels of the stem and of the first stage's blocks; each next stage has twice as many.
const CHANNELS: i64 = 64;

impl ResNet {
    /// A network with torchvision's distributions of first values: He's normal over the fan out for convolutions, PyTorch's
    /// for the dense layer.
    ///
    /// # Errors
    /// Those of [`Architecture::validate`].
    pub fn new(config: &Config, device: Device) -> Result<Self, Error> {
        config.validate()?;
        let store = Store::new(device);
        let p = store.root();
        let stem = conv_norm(&p / "conv1", &p / "bn1", ConvConfig::unbiased(3, CHANNELS, 7, 2));
        let mut blocks = Vec::new();
        let mut c_in = CHANNELS;
        for (stage, count) in config.blocks.into_iter().enumerate() {
            for i in 0..count {
                let stride = if stage > 0 && i == 0 { 2 } else { 1 };
                blocks.push(Block::new(&p / format!("layer{}", stage + 1) / i, config, c_in, stage, stride));
                c_in = config.c_out(stage);
            }
        }
        let fc = Linear::new(&p / "fc", c_in, config.classes);
        Ok(ResNet { stem, blocks, fc, store })
    }
}

impl Network for ResNet {
    /// Pictures `[N, 3, h, w]` of any size, normalised by ImageNet's mean and deviation, to scores `[N, classes]`.
    fn forward(&self, pictures: &Tensor, train: bool) -> Tensor {
        let xs = max_pool_3x3(&relu(&self.stem.forward(pictures, train)), Rim::Padded);
        let xs = self.blocks.iter().fold(xs, |xs, block| block.forward(&xs, train));
        self.fc.forward(&adaptive_avg_pool(&xs, 1).flatten(1, -1))
    }

    fn store(&self) -> &Store {
        &self.store
    }
}

impl Config {
    /// Channels that leave a stage.
    const fn c_out(&self, stage: usize) -> i64 {
        match self.block {
            Kind::Basic => CHANNELS << stage,
            Kind::Bottleneck => 4 * (CHANNELS << stage),
        }
    }
}

struct Block {
    convs: Vec<ConvNorm>,
    downsample: Option<ConvNorm>,
}

impl Block {
    fn new(p: Path, config: &Config, c_in: i64, stage: usize, stride: i64) -> Self {
        let (width, c_out) = (config.width << stage, config.c_out(stage));
        let convs = match config.block {
            Kind::Basic => vec![ConvConfig::unbiased(c_in, c_out, 3, stride), ConvConfig::unbiased(c_out, c_out, 3, 1)],
            Kind::Bottleneck => vec![
                ConvConfig::unbiased(c_in, width, 1, 1),
                ConvConfig::unbiased(width, width, 3, stride),
                ConvConfig::unbiased(width, c_out, 1, 1),
            ],
        };
        let conv = |(i, conv)| conv_norm(&p / format!("conv{i}"), &p / format!("bn{i}"), conv);
        let convs = (1..).zip(convs).map(conv).collect();
        let shortcut = || {
            let p = &p / "downsample";
            conv_norm(&p / 0, &p / 1, ConvConfig::unbiased(c_in, c_out, 1, stride))
        };
        let downsample = (stride != 1 || c_in != c_out).then(shortcut);
        Block { convs, downsample }
    }

    /// `[N, c_in, h, w]` to `[N, c_out, ceil(h / stride), ceil(w / stride)]`.
    fn forward(&self, xs: &Tensor, train: bool) -> Tensor {
        let mut ys = xs.shallow_clone();
        for (i, conv) in self.convs.iter().enumerate() {
            ys = conv.forward(&if i == 0 { ys } else { relu(&ys) }, train);
        }
        let shortcut = self.downsample.as_ref().map_or_else(|| xs.shallow_clone(), |conv| conv.forward(xs, train));
        relu(&(ys + shortcut))
    }
}

fn conv_norm(conv: Path, bn: Path, config: ConvConfig) -> ConvNorm {
    ConvNorm::new(Conv2d::new(conv, config).he_fan_out(), bn)
}
