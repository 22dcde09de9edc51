//! The discriminator of leftthomas's SRGAN: that of the paper (Ledig et al., arXiv 1609.04802) with the mean over the
//! picture in place of the dense layers' fixed size, so that it judges pictures of any size.

use serde::{Deserialize, Serialize};
use tch::{Device, Tensor};

use crate::critic::{SLOPE, rectified};
use crate::discriminator::features;
use crate::layer::{Conv2d, ConvNorm, adaptive_avg_pool, leaky_relu};
use crate::{Architecture, Built, CriticModel, Error, Hints, Keys, Layout, Network, Python, Store, require};

/// What decides a discriminator's shape.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Channels of the first convolution, 1..=256; 64 in the paper. The last 3x3 convolution has 8 times as many.
    pub channels: i64,
}

impl Architecture for Config {
    const PAPER: &'static str = "Ledig et al., arXiv 1609.04802; averaged over the picture";
    const SAMPLES: &'static [Self] = &[Config { channels: 4 }, Config { channels: 3 }];
    const USUAL: Self = Config { channels: 64 };
    const LAYOUTS: &'static [Layout<Self>] = &[Layout::own("leftthomas", detect)];
    const PYTHON: Python =
        Python { source: include_str!("../python/leftthomas_discriminator.py"), class: "LeftthomasDiscriminator" };

    fn validate(&self) -> Result<(), Error> {
        let is_fit = (1..=256).contains(&self.channels);
        require("leftthomas_discriminator.channels", "a number from 1 to 256", self.channels, is_fit)
    }

    fn input(&self) -> [i64; 3] {
        [3, 88, 88]
    }

    fn build(&self, device: Device) -> Result<Built, Error> {
        Ok(Built::Other(Box::new(LeftthomasDiscriminator::new(self, device)?)))
    }
}

fn detect(keys: &Keys, _: &Hints) -> Option<Result<Config, Error>> {
    let [channels, ..] = keys.shape::<4>("net.0.weight")?;
    keys.has("net.26.weight").then_some(Ok(Config { channels }))
}

/// The network. State-dict names: `net.0`, then `net.{2, 5, .., 20}`, each with its batch norm at the next index, and the
/// 1x1 convolutions `net.24` and `net.26`; all convolutions have a bias.
pub struct LeftthomasDiscriminator {
    store: Store,
    features: Vec<ConvNorm>,
    classifier: [Conv2d; 2],
}

/// Channels after the first 1x1 convolution.
const DENSE: i64 = 1024;

impl LeftthomasDiscriminator {
    /// A network with PyTorch's first values.
    ///
    /// # Errors
    /// Those of [`Architecture::validate`].
    pub fn new(config: &Config, device: Device) -> Result<Self, Error> {
        config.validate()?;
        let store = Store::new(device);
        let p = &store.root() / "net";
        let features = features(&store.root() / "net", config.channels, true);
        let classifier = [Conv2d::same(&p / 24, 8 * config.channels, DENSE, 1), Conv2d::same(&p / 26, DENSE, 1, 1)];
        Ok(LeftthomasDiscriminator { features, classifier, store })
    }
}

impl CriticModel for LeftthomasDiscriminator {
    /// The features are `[N, channels, h, w]` first, `[N, 8 * channels, h / 16, w / 16]` last, rounded up.
    fn forward_with_features(&self, pictures: &Tensor, train: bool) -> (Tensor, Vec<Tensor>) {
        let (xs, features) = rectified(&self.features, pictures, train);
        let [dense, logit] = &self.classifier;
        let logits = logit.forward(&leaky_relu(&dense.forward(&adaptive_avg_pool(&xs, 1)), SLOPE));
        (logits.flatten(1, -1), features)
    }
}

impl Network for LeftthomasDiscriminator {
    /// `[N, 3, h, w]` in [0, 1] to logits `[N, 1]`: above 0 where the picture looks real. The project's module applies the
    /// sigmoid itself and gives `[N]`; here it is left to the loss, which needs it not to overflow.
    fn forward(&self, pictures: &Tensor, train: bool) -> Tensor {
        self.forward_with_features(pictures, train).0
    }

    fn store(&self) -> &Store {
        &self.store
    }
}
