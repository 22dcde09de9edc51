//! DenseNet-BC in torchvision's layout (Huang et al., arXiv 1608.06993).

use serde::{Deserialize, Serialize};
use tch::{Device, Tensor};

use crate::layer::{BatchNorm2d, Conv2d, ConvConfig, Linear, Rim, adaptive_avg_pool, avg_pool, max_pool_3x3, relu};
use crate::{Architecture, Built, Error, Keys, Layout, Network, Path, Python, Sides, Store, require, torchvision};

/// What decides a DenseNet's shape.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Channels that each layer adds, 1..=128: 32 or 48.
    pub growth: i64,
    /// Layers in each of the four blocks, 1..=64; 6, 12, 24, 16 in DenseNet-121.
    pub blocks: [i64; 4],
    /// Channels of the first convolution, 2..=256; twice the growth in the paper.
    pub channels: i64,
    /// Channels between a layer's two convolutions in units of the growth, 1..=8; 4 in the paper.
    pub bottleneck: i64,
    /// Scores, 1..=100,000; 1,000 in the paper.
    pub classes: i64,
}

impl Config {
    /// A network of the paper for the classes of ImageNet.
    pub const fn paper(growth: i64, blocks: [i64; 4]) -> Self {
        Config { growth, blocks, channels: 2 * growth, bottleneck: 4, classes: 1000 }
    }
}

impl Architecture for Config {
    const PAPER: &'static str = "Huang et al., arXiv 1608.06993";
    const SAMPLES: &'static [Self] = &[
        Config { classes: 7, ..Config::paper(8, [3, 2, 1, 2]) },
        Config { growth: 3, blocks: [1, 2, 1, 3], channels: 7, bottleneck: 2, classes: 5 },
    ];
    const USUAL: Self = Config::paper(32, [6, 12, 24, 16]);
    const LAYOUTS: &'static [Layout<Self>] = &[
        Layout::own("torchvision", |keys, _| detect(keys, "conv1", "conv2")),
        Layout::renamed("torchvision-old", |keys, _| detect(keys, "conv.1", "conv.2"), |_, name| old_name(name)),
    ];
    const PYTHON: Python = Python { source: include_str!("../python/densenet.py"), class: "DenseNet" };

    fn validate(&self) -> Result<(), Error> {
        let Config { growth, blocks, channels, bottleneck, classes } = *self;
        require("densenet.growth", "a number from 1 to 128", growth, (1..=128).contains(&growth))?;
        for layers in blocks {
            require("densenet.blocks", "numbers from 1 to 64", layers, (1..=64).contains(&layers))?;
        }
        require("densenet.channels", "a number from 2 to 256", channels, (2..=256).contains(&channels))?;
        require("densenet.bottleneck", "a number from 1 to 8", bottleneck, (1..=8).contains(&bottleneck))?;
        require("densenet.classes", "a number from 1 to 100000", classes, (1..=100_000).contains(&classes))
    }

    fn input(&self) -> [i64; 3] {
        torchvision::input(Some(self.classes))
    }

    fn sides(&self) -> Sides {
        Sides::from(29)
    }

    fn build(&self, device: Device) -> Result<Built, Error> {
        Ok(Built::Other(Box::new(DenseNet::new(self, device)?)))
    }
}

/// The names of torchvision's downloads: `denselayer1.norm.1.weight` for `denselayer1.norm1.weight`. They have no counters
/// of batches, and the pattern with which torchvision reads them leaves such a name as it is.
fn old_name(name: &str) -> String {
    if !name.contains("denselayer") || name.ends_with("num_batches_tracked") {
        return name.to_string();
    }
    let parts = [("norm1.", "norm.1."), ("norm2.", "norm.2."), ("conv1.", "conv.1."), ("conv2.", "conv.2.")];
    parts.iter().fold(name.to_string(), |name, (new, old)| name.replace(new, old))
}

fn detect(keys: &Keys, first: &str, second: &str) -> Option<Result<Config, Error>> {
    let layer = |block: usize, i: usize, conv: &str| format!("features.denseblock{block}.denselayer{i}.{conv}.weight");
    let [channels, ..] = keys.shape::<4>("features.conv0.weight")?;
    let [growth, inner, ..] = keys.shape::<4>(&layer(1, 1, second))?;
    let [classes, _] = keys.shape("classifier.weight")?;
    let blocks = [1, 2, 3, 4].map(|block| keys.count(|i| layer(block, i + 1, first)));
    Some(Ok(Config { growth, blocks, channels, bottleneck: inner / growth.max(1), classes }))
}

/// The network. State-dict names: `features.{conv0, norm0}`, `features.denseblockB.denselayerI.{norm1, conv1, norm2, conv2}`,
/// `features.transitionB.{norm, conv}`, `features.norm5`, `classifier` (dense layer).
pub struct DenseNet {
    store: Store,
    first: (Conv2d, BatchNorm2d),
    stages: Vec<Stage>,
    last: BatchNorm2d,
    classifier: Linear,
}

/// A dense block, and what shrinks its output; nothing does after the last one.
struct Stage {
    layers: Vec<[NormConv; 2]>,
    transition: Option<NormConv>,
}

impl DenseNet {
    /// A network with torchvision's distributions of first values: He's normal over the fan in for convolutions, PyTorch's
    /// for the dense layer, whose bias is 0.
    ///
    /// # Errors
    /// Those of [`Architecture::validate`].
    pub fn new(config: &Config, device: Device) -> Result<Self, Error> {
        config.validate()?;
        let store = Store::new(device);
        let p = &store.root() / "features";
        let conv = Conv2d::new(&p / "conv0", ConvConfig::unbiased(3, config.channels, 7, 2)).he_fan_in();
        let first = (conv, BatchNorm2d::new(&p / "norm0", config.channels));
        let mut channels = config.channels;
        let stages = (1..=4).map(|block| Stage::new(&p, config, block, &mut channels)).collect();
        let last = BatchNorm2d::new(&p / "norm5", channels);
        let classifier = Linear::new(&store.root() / "classifier", channels, config.classes).zero_bias();
        Ok(DenseNet { first, stages, last, classifier, store })
    }
}

impl Network for DenseNet {
    /// Pictures `[N, 3, h, w]` of at least 29x29, normalised by ImageNet's mean and deviation, to scores `[N, classes]`.
    fn forward(&self, pictures: &Tensor, train: bool) -> Tensor {
        let (conv, norm) = &self.first;
        let xs = max_pool_3x3(&relu(&norm.forward(&conv.forward(pictures), train)), Rim::Padded);
        let xs = self.stages.iter().fold(xs, |xs, stage| stage.forward(&xs, train));
        let xs = relu(&self.last.forward(&xs, train));
        self.classifier.forward(&adaptive_avg_pool(&xs, 1).flatten(1, -1))
    }

    fn store(&self) -> &Store {
        &self.store
    }
}

impl Stage {
    fn new(p: &Path, config: &Config, block: usize, channels: &mut i64) -> Self {
        let layer = |i| {
            let (c_in, inner) = (*channels + (i - 1) * config.growth, config.bottleneck * config.growth);
            let p = p / format!("denseblock{block}") / format!("denselayer{i}");
            [
                NormConv::new(&p / "norm1", &p / "conv1", ConvConfig::unbiased(c_in, inner, 1, 1)),
                NormConv::new(&p / "norm2", &p / "conv2", ConvConfig::unbiased(inner, config.growth, 3, 1)),
            ]
        };
        let count = config.blocks[block - 1];
        let layers = (1..=count).map(layer).collect();
        *channels += count * config.growth;
        let transition = (block < config.blocks.len()).then(|| {
            let p = p / format!("transition{block}");
            NormConv::new(&p / "norm", &p / "conv", ConvConfig::unbiased(*channels, *channels / 2, 1, 1))
        });
        *channels = if transition.is_some() { *channels / 2 } else { *channels };
        Stage { layers, transition }
    }

    /// Each layer sees the outputs of all before it. The transition halves channels and sides, rounded down.
    fn forward(&self, xs: &Tensor, train: bool) -> Tensor {
        let dense = self.layers.iter().fold(xs.shallow_clone(), |xs, [first, second]| {
            let new = second.forward(&first.forward(&xs, train), train);
            Tensor::cat(&[xs, new], 1)
        });
        self.transition.as_ref().map_or(dense.shallow_clone(), |conv| avg_pool(&conv.forward(&dense, train)))
    }
}

/// Batch norm, a rectifier, and a convolution.
struct NormConv(BatchNorm2d, Conv2d);

impl NormConv {
    fn new(norm: Path, conv: Path, config: ConvConfig) -> Self {
        NormConv(BatchNorm2d::new(norm, config.c_in), Conv2d::new(conv, config).he_fan_in())
    }

    fn forward(&self, xs: &Tensor, train: bool) -> Tensor {
        self.1.forward(&relu(&self.0.forward(xs, train)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_names_are_those_of_torchvisions_downloads() {
        let layer = "features.denseblock1.denselayer2";
        assert_eq!(old_name(&format!("{layer}.norm2.running_var")), format!("{layer}.norm.2.running_var"));
        assert_eq!(old_name(&format!("{layer}.conv1.weight")), format!("{layer}.conv.1.weight"));
        for same in ["features.norm0.weight", "features.transition1.conv.weight"] {
            assert_eq!(old_name(same), same);
        }
        let counter = format!("{layer}.norm1.num_batches_tracked");
        assert_eq!(old_name(&counter), counter);
    }
}
