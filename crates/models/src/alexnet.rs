//! AlexNet in torchvision's layout (Krizhevsky, arXiv 1404.5997).

use serde::{Deserialize, Serialize};
use tch::{Device, Tensor};

use crate::layer::{Conv2d, ConvConfig, Linear, Rim, Sequential, Step, adaptive_avg_pool, dropout, max_pool_3x3, relu};
use crate::{Architecture, Built, Error, Keys, Layout, Network, Path, Python, Sides, Store, require, torchvision};

/// What decides an AlexNet's shape.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Scores, 1..=100,000; 1,000 in the paper. Without a number there are no dense layers: the convolutional part alone.
    pub classes: Option<i64>,
}

impl Config {
    /// The network for the classes of ImageNet.
    pub const fn paper() -> Self {
        Config { classes: Some(1000) }
    }
}

impl Architecture for Config {
    const PAPER: &'static str = "Krizhevsky, arXiv 1404.5997";
    /// The dense layers' 59 million numbers are left out.
    const SAMPLES: &'static [Self] = &[Config { classes: None }];
    const USUAL: Self = Config::paper();
    const LAYOUTS: &'static [Layout<Self>] = &[
        Layout::own("torchvision", |keys, _| detect(keys, "features")),
        Layout::renamed(
            "imagenet-example",
            |keys, _| detect(keys, "features.module"),
            |_, name| name.replacen("features.", "features.module.", 1),
        ),
    ];
    const PYTHON: Python = Python { source: include_str!("../python/alexnet.py"), class: "AlexNet" };

    fn validate(&self) -> Result<(), Error> {
        let classes = self.classes.unwrap_or(1);
        require("alexnet.classes", "a number from 1 to 100000, or none", classes, (1..=100_000).contains(&classes))
    }

    fn input(&self) -> [i64; 3] {
        torchvision::input(self.classes)
    }

    fn sides(&self) -> Sides {
        Sides::from(63)
    }

    fn build(&self, device: Device) -> Result<Built, Error> {
        Ok(Built::Other(Box::new(AlexNet::new(self, device)?)))
    }
}

/// The first kernel is telling.
fn detect(keys: &Keys, features: &str) -> Option<Result<Config, Error>> {
    let [64, 3, 11, 11] = keys.shape(&format!("{features}.0.weight"))? else { return None };
    let classes = match keys.shape("classifier.6.weight") {
        Some([classes, DENSE]) => Some(classes),
        None if !keys.has("classifier.1.weight") => None,
        _ => return None,
    };
    Some(Ok(Config { classes }))
}

/// The network. State-dict names: `features.{0, 3, 6, 8, 10}` (convolutions), `classifier.{1, 4, 6}` (dense layers).
pub struct AlexNet {
    store: Store,
    /// The layers under torchvision's indices; their rectified outputs are 1, 4, 7, 9 and 11.
    pub features: Sequential,
    dense: Option<[Linear; 3]>,
}

/// Features of the first two dense layers.
const DENSE: i64 = 4096;
/// Side of the maps that the dense layers see.
const SIDE: i64 = 6;

impl AlexNet {
    /// A network with PyTorch's first values, as torchvision's has.
    ///
    /// # Errors
    /// Those of [`Architecture::validate`].
    pub fn new(config: &Config, device: Device) -> Result<Self, Error> {
        config.validate()?;
        let store = Store::new(device);
        let features = features(&store.root() / "features");
        let p = &store.root() / "classifier";
        let dense = |classes| {
            [(1, 256 * SIDE * SIDE, DENSE), (4, DENSE, DENSE), (6, DENSE, classes)]
                .map(|(i, features_in, features_out)| Linear::new(&p / i, features_in, features_out))
        };
        let dense = config.classes.map(dense);
        Ok(AlexNet { features, dense, store })
    }
}

/// torchvision's `features`.
pub(crate) fn features(p: Path) -> Sequential {
    let relu = || Step::Plain(relu);
    let pool = || Step::Plain(|xs| max_pool_3x3(xs, Rim::Inside));
    let first = ConvConfig { c_in: 3, c_out: 64, kernel: 11, stride: 4, padding: 2, bias: true };
    let conv = |i, c_in, c_out, kernel| Step::Conv(Conv2d::same(&p / i, c_in, c_out, kernel));
    Sequential(vec![
        Step::Conv(Conv2d::new(&p / 0, first)),
        relu(),
        pool(),
        conv(3, 64, 192, 5),
        relu(),
        pool(),
        conv(6, 192, 384, 3),
        relu(),
        conv(8, 384, 256, 3),
        relu(),
        conv(10, 256, 256, 3),
        relu(),
        pool(),
    ])
}

impl Network for AlexNet {
    /// Pictures `[N, 3, h, w]` of at least 63x63, normalised by ImageNet's mean and deviation, to scores `[N, classes]`; to
    /// maps of 256 channels, `[N, 256, 6, 6]` of a picture of 224x224, when there are no dense layers.
    fn forward(&self, pictures: &Tensor, train: bool) -> Tensor {
        let maps = self.features.forward(pictures, train);
        let Some([first, second, third]) = &self.dense else { return maps };
        let xs = dropout(&adaptive_avg_pool(&maps, SIDE).flatten(1, -1), train);
        let xs = dropout(&relu(&first.forward(&xs)), train);
        third.forward(&relu(&second.forward(&xs)))
    }

    fn store(&self) -> &Store {
        &self.store
    }
}
