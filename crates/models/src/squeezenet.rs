//! SqueezeNet 1.0 and 1.1 in torchvision's layout (Iandola et al., arXiv 1602.07360).

use serde::{Deserialize, Serialize};
use tch::{Device, Tensor};

use crate::layer::{Conv2d, ConvConfig, Fire, Rim, Sequential, Step, adaptive_avg_pool, dropout, max_pool_3x3, relu};
use crate::{
    Architecture, Built, Error, Hints, Keys, Layout, Network, Path, Python, Sides, Store, require, torchvision,
};

/// What decides a SqueezeNet's shape.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Which network; 1.0 in the paper.
    pub version: Version,
    /// Scores, 1..=100,000; 1,000 in the paper.
    pub classes: i64,
}

/// The paper's network, or its authors' later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Version {
    /// The paper's: a first kernel of 7x7.
    #[serde(rename = "1.0")]
    V1_0,
    /// A first kernel of 3x3 and earlier pools: less than half of the multiply-adds.
    #[serde(rename = "1.1")]
    V1_1,
}

impl Config {
    /// The network for the classes of ImageNet.
    pub const fn paper(version: Version) -> Self {
        Config { version, classes: 1000 }
    }
}

impl Architecture for Config {
    const PAPER: &'static str = "Iandola et al., arXiv 1602.07360";
    const SAMPLES: &'static [Self] =
        &[Config { version: Version::V1_0, classes: 5 }, Config { version: Version::V1_1, classes: 7 }];
    const USUAL: Self = Config::paper(Version::V1_0);
    const LAYOUTS: &'static [Layout<Self>] = &[Layout::own("torchvision", detect)];
    const PYTHON: Python = Python { source: include_str!("../python/squeezenet.py"), class: "SqueezeNet" };

    fn validate(&self) -> Result<(), Error> {
        let is_fit = (1..=100_000).contains(&self.classes);
        require("squeezenet.classes", "a number from 1 to 100000", self.classes, is_fit)
    }

    fn input(&self) -> [i64; 3] {
        torchvision::input(Some(self.classes))
    }

    fn sides(&self) -> Sides {
        if self.version == Version::V1_0 { Sides::from(21) } else { Sides::from(17) }
    }

    fn build(&self, device: Device) -> Result<Built, Error> {
        Ok(Built::Other(Box::new(SqueezeNet::new(self, device)?)))
    }
}

fn detect(keys: &Keys, _: &Hints) -> Option<Result<Config, Error>> {
    let version = match keys.shape("features.0.weight")? {
        [96, 3, 7, 7] => Version::V1_0,
        [64, 3, 3, 3] => Version::V1_1,
        _ => return None,
    };
    let [classes, 512, 1, 1] = keys.shape("classifier.1.weight")? else { return None };
    keys.has("features.3.squeeze.weight").then_some(Ok(Config { version, classes }))
}

/// The network. State-dict names: `features.0` (convolution), `features.i.{squeeze, expand1x1, expand3x3}`, `classifier.1`
/// (convolution).
pub struct SqueezeNet {
    store: Store,
    /// The layers under torchvision's indices; every output but the first is rectified.
    pub features: Sequential,
    last: Conv2d,
}

impl SqueezeNet {
    /// A network with torchvision's distributions of first values: He's uniform one, for the last convolution normal with
    /// deviation 0.01; biases 0.
    ///
    /// # Errors
    /// Those of [`Architecture::validate`].
    pub fn new(config: &Config, device: Device) -> Result<Self, Error> {
        config.validate()?;
        let store = Store::new(device);
        let features = features(&store.root() / "features", config.version);
        let last = Conv2d::same(&store.root() / "classifier" / 1, 512, config.classes, 1).normal(0.01);
        Ok(SqueezeNet { features, last, store })
    }
}

/// Channels of the first convolution, side of its kernel, and the indices of pools.
const fn shape(version: Version) -> (i64, i64, [usize; 3]) {
    match version {
        Version::V1_0 => (96, 7, [2, 6, 11]),
        Version::V1_1 => (64, 3, [2, 5, 8]),
    }
}

/// Channels of the eight Fire modules: squeezed, and of each expansion.
const FIRES: [(i64, i64); 8] = [(16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256)];

/// torchvision's `features`.
pub(crate) fn features(p: Path, version: Version) -> Sequential {
    let (c_out, kernel, pools) = shape(version);
    let first = Conv2d::new(&p / 0, ConvConfig { c_in: 3, c_out, kernel, stride: 2, padding: 0, bias: true });
    let mut steps = vec![Step::Conv(first.he_uniform()), Step::Plain(relu)];
    let pool = || Step::Plain(|xs| max_pool_3x3(xs, Rim::Over));
    let mut c_in = c_out;
    for (squeeze, expand) in FIRES {
        if pools.contains(&steps.len()) {
            steps.push(pool());
        }
        steps.push(Step::Fire(Fire::new(&p / steps.len(), c_in, squeeze, expand)));
        c_in = 2 * expand;
    }
    Sequential(steps)
}

impl Network for SqueezeNet {
    /// Pictures `[N, 3, h, w]` of at least 21x21 (1.1: 17x17), normalised by ImageNet's mean and deviation, to scores
    /// `[N, classes]`, which are not below 0.
    fn forward(&self, pictures: &Tensor, train: bool) -> Tensor {
        let maps = dropout(&self.features.forward(pictures, train), train);
        adaptive_avg_pool(&relu(&self.last.forward(&maps)), 1).flatten(1, -1)
    }

    fn store(&self) -> &Store {
        &self.store
    }
}
