//! The discriminator of SRGAN (Ledig et al., arXiv 1609.04802).

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
    /// Side of the square pictures that it judges: a multiple of 16 from 16 to 512; 96 in the paper.
    pub patch: i64,
    /// Channels of the first convolution, 1..=256; 64 in the paper. The last one has 8 times as many.
    pub channels: i64,
}

impl Architecture for Config {
    const PAPER: &'static str = "Ledig et al., arXiv 1609.04802";
    const SAMPLES: &'static [Self] = &[Config { patch: 48, channels: 3 }, Config { patch: 32, channels: 4 }];
    const USUAL: Self = Config { patch: 96, channels: 64 };
    const LAYOUTS: &'static [Layout<Self>] = &[Layout::own("lornatang", detect)];
    const PYTHON: Python = Python { source: include_str!("../python/discriminator.py"), class: "Discriminator" };

    fn validate(&self) -> Result<(), Error> {
        let Config { patch, channels } = *self;
        let is_fit = (16..=512).contains(&patch) && patch % 16 == 0;
        require("discriminator.patch", "a multiple of 16 from 16 to 512", patch, is_fit)?;
        require("discriminator.channels", "a number from 1 to 256", channels, (1..=256).contains(&channels))
    }

    fn input(&self) -> [i64; 3] {
        [3, self.patch, self.patch]
    }

    fn sides(&self) -> Sides {
        Sides::only(self.patch)
    }

    fn build(&self, device: Device) -> Result<Built, Error> {
        Ok(Built::Other(Box::new(Discriminator::new(self, device)?)))
    }
}

/// The first dense layer sees 8 * channels * (patch / 16)^2 features.
fn detect(keys: &Keys, _: &Hints) -> Option<Result<Config, Error>> {
    let [channels, ..] = keys.shape::<4>("features.0.weight")?;
    let [DENSE, features] = keys.shape("classifier.0.weight")? else { return None };
    let patch = 16 * (features / (8 * channels.max(1))).isqrt();
    keys.has("features.20.weight").then_some(Ok(Config { patch, channels }))
}

/// The network, with the state-dict names of Lornatang's SRGAN-PyTorch: `features.0` (convolution with bias), then
/// `features.{2, 5, .., 20}` (convolutions without bias) each with its batch norm at the next index, `classifier.0` and
/// `classifier.2` (dense layers).
pub struct Discriminator {
    store: Store,
    features: Vec<ConvNorm>,
    classifier: [Linear; 2],
}

/// Width in units of the first convolution's, and stride, of the eight convolutions.
const LAYERS: [(i64, i64); 8] = [(1, 1), (1, 2), (2, 1), (2, 2), (4, 1), (4, 2), (8, 1), (8, 2)];
/// Features of the first dense layer.
const DENSE: i64 = 1024;

impl Discriminator {
    /// A network with PyTorch's first values.
    ///
    /// # Errors
    /// Those of [`Architecture::validate`].
    pub fn new(config: &Config, device: Device) -> Result<Self, Error> {
        config.validate()?;
        let store = Store::new(device);
        let p = store.root();
        let side = config.patch / 16; // after four strides of 2
        let features = features(&p / "features", config.channels, false); // batch norm has a bias of its own
        let classifier = [
            Linear::new(&p / "classifier" / 0, 8 * config.channels * side * side, DENSE),
            Linear::new(&p / "classifier" / 2, DENSE, 1),
        ];
        Ok(Discriminator { features, classifier, store })
    }
}

impl CriticModel for Discriminator {
    /// The features are `[N, channels, patch, patch]` first, `[N, 8 * channels, patch / 16, patch / 16]` last.
    fn forward_with_features(&self, pictures: &Tensor, train: bool) -> (Tensor, Vec<Tensor>) {
        let (xs, features) = rectified(&self.features, pictures, train);
        let [dense, logit] = &self.classifier;
        (logit.forward(&leaky_relu(&dense.forward(&xs.flatten(1, -1)), SLOPE)), features)
    }
}

impl Network for Discriminator {
    /// `[N, 3, patch, patch]` in [0, 1] to logits `[N, 1]`: above 0 where the picture looks real. The sigmoid is left to
    /// the loss, which needs it not to overflow.
    fn forward(&self, pictures: &Tensor, train: bool) -> Tensor {
        self.forward_with_features(pictures, train).0
    }

    fn store(&self) -> &Store {
        &self.store
    }
}

/// The convolutions `0` (with bias, without batch norm), `2`, `5`, ... `20`, each of these with its batch norm at the next
/// index: together they take `[N, 3, h, w]` to `[N, 8 * channels, h / 16, w / 16]`, rounded up.
pub(crate) fn features(p: Path, channels: i64, bias: bool) -> Vec<ConvNorm> {
    let mut c_in = 3;
    let layer = |(i, (width, stride))| {
        let (c_out, bias) = (width * channels, bias || i == 0);
        let config = ConvConfig { bias, ..ConvConfig::unbiased(c_in, c_out, 3, stride) };
        c_in = c_out;
        match i {
            0 => ConvNorm::plain(Conv2d::new(&p / 0, config)),
            _ => ConvNorm::new(Conv2d::new(&p / (3 * i - 1), config), &p / (3 * i)),
        }
    };
    LAYERS.into_iter().enumerate().map(layer).collect()
}
