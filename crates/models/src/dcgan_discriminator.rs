//! The discriminator of DCGAN (Radford et al., arXiv 1511.06434), for pictures of 64x64.

use serde::{Deserialize, Serialize};
use tch::{Device, Tensor};

use crate::layer::{Conv2d, ConvConfig, ConvNorm, leaky_relu};
use crate::{Architecture, Built, Error, Hints, Keys, Layout, Network, Path, Python, Sides, Store, require};

/// What decides a discriminator's shape.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Channels of the picture, 1..=16: 3 for RGB (`nc` in PyTorch's example).
    pub colors: i64,
    /// Channels of the first convolution, 1..=256: 64 in PyTorch's example (`ndf`). The fourth has 8 times as many.
    pub channels: i64,
}

impl Architecture for Config {
    const PAPER: &'static str = "Radford et al., arXiv 1511.06434";
    const SAMPLES: &'static [Self] = &[Config { colors: 3, channels: 4 }, Config { colors: 1, channels: 3 }];
    const USUAL: Self = Config { colors: 3, channels: 64 };
    const LAYOUTS: &'static [Layout<Self>] = &[Layout::own("pytorch-examples", detect)];
    const PYTHON: Python =
        Python { source: include_str!("../python/dcgan_discriminator.py"), class: "DcganDiscriminator" };

    fn validate(&self) -> Result<(), Error> {
        let Config { colors, channels } = *self;
        require("dcgan_discriminator.colors", "a number from 1 to 16", colors, (1..=16).contains(&colors))?;
        require("dcgan_discriminator.channels", "a number from 1 to 256", channels, (1..=256).contains(&channels))
    }

    fn input(&self) -> [i64; 3] {
        [self.colors, 64, 64]
    }

    fn sides(&self) -> Sides {
        Sides::only(64)
    }

    fn build(&self, device: Device) -> Result<Built, Error> {
        Ok(Built::Other(Box::new(DcganDiscriminator::new(self, device)?)))
    }
}

/// The generator has the same first name, and a batch norm after it.
fn detect(keys: &Keys, _: &Hints) -> Option<Result<Config, Error>> {
    let [channels, colors, ..] = keys.shape::<4>("main.0.weight")?;
    let [_, _, _, _] = keys.shape("main.2.weight")?;
    Some(Ok(Config { colors, channels }))
}

/// The network. State-dict names: convolutions without bias, `main.{0, 2, 5, 8, 11}`, those between the first and the last
/// with their batch norm at the next index.
pub struct DcganDiscriminator {
    store: Store,
    body: Vec<ConvNorm>,
    last: Conv2d,
}

/// Of the leaky rectifiers, below zero.
const SLOPE: f64 = 0.2;

impl DcganDiscriminator {
    /// A network with PyTorch's first values.
    ///
    /// # Errors
    /// Those of [`Architecture::validate`].
    pub fn new(config: &Config, device: Device) -> Result<Self, Error> {
        config.validate()?;
        let store = Store::new(device);
        let p = &store.root() / "main";
        let Config { colors, channels } = *config;
        let layer = |i: i64| match i {
            0 => ConvNorm::plain(halving(&p / 0, colors, channels)),
            _ => ConvNorm::new(halving(&p / (3 * i - 1), channels << (i - 1), channels << i), &p / (3 * i)),
        };
        let body = (0..4).map(layer).collect();
        let whole = ConvConfig { c_in: 8 * channels, c_out: 1, kernel: 4, stride: 1, padding: 0, bias: false };
        let last = Conv2d::new(&p / 11, whole);
        Ok(DcganDiscriminator { body, last, store })
    }
}

impl Network for DcganDiscriminator {
    /// `[N, colors, 64, 64]` in [-1, 1] to logits `[N, 1]`: above 0 where the picture looks real. PyTorch's example applies
    /// the sigmoid itself and gives `[N]`; here it is left to the loss, which needs it not to overflow.
    fn forward(&self, pictures: &Tensor, train: bool) -> Tensor {
        let layer = |xs: Tensor, conv: &ConvNorm| leaky_relu(&conv.forward(&xs, train), SLOPE);
        let xs = self.body.iter().fold(pictures.shallow_clone(), layer);
        self.last.forward(&xs).flatten(1, -1) // the last kernel covers the 4x4 that are left
    }

    fn store(&self) -> &Store {
        &self.store
    }
}

fn halving(path: Path, c_in: i64, c_out: i64) -> Conv2d {
    Conv2d::new(path, ConvConfig { c_in, c_out, kernel: 4, stride: 2, padding: 1, bias: false })
}
