//! The generator of DCGAN (Radford et al., arXiv 1511.06434): random numbers to a picture of 64x64.

use serde::{Deserialize, Serialize};
use tch::{Device, Tensor};

use crate::layer::{BatchNorm2d, ConvTranspose2d, ConvTransposeConfig, relu, tanh};
use crate::{Architecture, Built, Error, Hints, Keys, Layout, Network, Path, Python, Sides, Store, require};

/// What decides a generator's shape.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Random numbers that one picture is made of, 1..=4096: 100 in the paper (`nz` in PyTorch's example).
    pub latent: i64,
    /// Channels before the last convolution, 1..=256: 64 in PyTorch's example (`ngf`), 128 in the paper. The first one has
    /// 8 times as many.
    pub channels: i64,
    /// Channels of the picture, 1..=16: 3 for RGB (`nc`).
    pub colors: i64,
}

impl Architecture for Config {
    const PAPER: &'static str = "Radford et al., arXiv 1511.06434";
    const SAMPLES: &'static [Self] =
        &[Config { latent: 11, channels: 5, colors: 3 }, Config { latent: 7, channels: 6, colors: 1 }];
    const USUAL: Self = Config { latent: 100, channels: 64, colors: 3 };
    const LAYOUTS: &'static [Layout<Self>] = &[Layout::own("pytorch-examples", detect)];
    const PYTHON: Python = Python { source: include_str!("../python/dcgan_generator.py"), class: "DcganGenerator" };

    fn validate(&self) -> Result<(), Error> {
        let Config { latent, channels, colors } = *self;
        require("dcgan_generator.latent", "a number from 1 to 4096", latent, (1..=4096).contains(&latent))?;
        require("dcgan_generator.channels", "a number from 1 to 256", channels, (1..=256).contains(&channels))?;
        require("dcgan_generator.colors", "a number from 1 to 16", colors, (1..=16).contains(&colors))
    }

    fn input(&self) -> [i64; 3] {
        [self.latent, 1, 1]
    }

    fn sides(&self) -> Sides {
        Sides::only(1)
    }

    fn build(&self, device: Device) -> Result<Built, Error> {
        Ok(Built::Other(Box::new(DcganGenerator::new(self, device)?)))
    }
}

/// The discriminator has the same first name; the tensor after it is a batch norm's here, a convolution's there.
fn detect(keys: &Keys, _: &Hints) -> Option<Result<Config, Error>> {
    let [latent, ..] = keys.shape::<4>("main.0.weight")?;
    let [_] = keys.shape("main.1.weight")?;
    let [channels, colors, ..] = keys.shape::<4>("main.12.weight")?;
    Some(Ok(Config { latent, channels, colors }))
}

/// The network. State-dict names: transposed convolutions without bias, `main.{0, 3, 6, 9, 12}`, each but the last with its
/// batch norm at the next index.
pub struct DcganGenerator {
    store: Store,
    body: Vec<(ConvTranspose2d, BatchNorm2d)>,
    last: ConvTranspose2d,
}

impl DcganGenerator {
    /// A network with PyTorch's first values.
    ///
    /// # Errors
    /// Those of [`Architecture::validate`].
    pub fn new(config: &Config, device: Device) -> Result<Self, Error> {
        config.validate()?;
        let store = Store::new(device);
        let p = &store.root() / "main";
        let body = body(&p, config);
        let last = ConvTranspose2d::new(&p / 12, doubling(config.channels, config.colors));
        Ok(DcganGenerator { body, last, store })
    }
}

impl Network for DcganGenerator {
    /// `[N, latent, 1, 1]`, normally distributed, to pictures `[N, colors, 64, 64]` in [-1, 1].
    fn forward(&self, latent: &Tensor, train: bool) -> Tensor {
        let layer =
            |xs: Tensor, (conv, bn): &(ConvTranspose2d, BatchNorm2d)| relu(&bn.forward(&conv.forward(&xs), train));
        tanh(&self.last.forward(&self.body.iter().fold(latent.shallow_clone(), layer)))
    }

    fn store(&self) -> &Store {
        &self.store
    }
}

/// To 4x4, then three doublings, with half the channels each.
fn body(p: &Path, config: &Config) -> Vec<(ConvTranspose2d, BatchNorm2d)> {
    let layer = |i: i64| {
        let c_out = config.channels << (3 - i);
        let shape = match i {
            0 => ConvTransposeConfig { stride: 1, padding: 0, ..doubling(config.latent, c_out) },
            _ => doubling(2 * c_out, c_out),
        };
        (ConvTranspose2d::new(p / (3 * i), shape), BatchNorm2d::new(p / (3 * i + 1), c_out))
    };
    (0..4).map(layer).collect()
}

fn doubling(c_in: i64, c_out: i64) -> ConvTransposeConfig {
    ConvTransposeConfig { c_in, c_out, kernel: 4, stride: 2, padding: 1, output_padding: 0, bias: false }
}
