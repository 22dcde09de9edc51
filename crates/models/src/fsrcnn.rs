//! FSRCNN: SRCNN's layers on the LR picture, enlarged by a transposed convolution (Dong et al., arXiv 1608.00367).

use serde::{Deserialize, Serialize};
use tch::{Device, Tensor};

use crate::layer::{Conv2d, ConvTranspose2d, ConvTransposeConfig, PRelu};
use crate::{Architecture, Built, Error, Hints, Keys, Layout, Network, Path, Python, SrModel, Store, require};

/// What decides an FSRCNN's shape.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Enlargement: 2, 3, 4 or 8.
    pub scale: i64,
    /// The paper's d, 1..=256: channels of the first and the last layer; 56 in the paper.
    pub channels: i64,
    /// The paper's s, 1..=256: channels between, 12 in the paper.
    pub shrunk: i64,
    /// The paper's m, 1..=32: 3x3 convolutions between, 4 in the paper.
    pub mappings: i64,
    /// Channels of the picture: 1 for luma alone, as in the paper, 3 for RGB.
    pub colors: i64,
}

impl Config {
    /// The paper's network, for luma.
    pub const fn paper(scale: i64) -> Self {
        Config { scale, channels: 56, shrunk: 12, mappings: 4, colors: 1 }
    }
}

impl Architecture for Config {
    const PAPER: &'static str = "Dong et al., arXiv 1608.00367";
    const SAMPLES: &'static [Self] = &[
        Config::paper(4),
        Config { scale: 2, channels: 7, shrunk: 5, mappings: 2, colors: 3 },
        Config { scale: 3, channels: 6, shrunk: 4, mappings: 1, colors: 1 },
        Config { scale: 8, channels: 5, shrunk: 3, mappings: 3, colors: 3 },
    ];
    const USUAL: Self = Config::paper(4);
    const LAYOUTS: &'static [Layout<Self>] = &[Layout::own("yjn870", detect)];
    const PYTHON: Python = Python { source: include_str!("../python/fsrcnn.py"), class: "Fsrcnn" };

    fn validate(&self) -> Result<(), Error> {
        let Config { scale, channels, shrunk, mappings, colors } = *self;
        require("fsrcnn.scale", "2, 3, 4 or 8", scale, [2, 3, 4, 8].contains(&scale))?;
        require("fsrcnn.channels", "a number from 1 to 256", channels, (1..=256).contains(&channels))?;
        require("fsrcnn.shrunk", "a number from 1 to 256", shrunk, (1..=256).contains(&shrunk))?;
        require("fsrcnn.mappings", "a number from 1 to 32", mappings, (1..=32).contains(&mappings))?;
        require("fsrcnn.colors", "1 or 3", colors, [1, 3].contains(&colors))
    }

    fn input(&self) -> [i64; 3] {
        [self.colors, 24, 24]
    }

    fn scale(&self) -> Option<i64> {
        Some(self.scale)
    }

    fn build(&self, device: Device) -> Result<Built, Error> {
        Ok(Built::Sr(Box::new(Fsrcnn::new(self, device)?)))
    }
}

/// The stride of the transposed convolution, which is the scale, has no trace in its shape. In the middle there are two
/// convolutions more than mappings, each at an even number.
fn detect(keys: &Keys, hints: &Hints) -> Option<Result<Config, Error>> {
    let [channels, colors, ..] = keys.shape::<4>("first_part.0.weight")?;
    let [shrunk, ..] = keys.shape::<4>("mid_part.0.weight")?;
    let mappings = keys.count(|i| format!("mid_part.{}.weight", 2 * i)) - 2;
    Some(hints.scale("FSRCNN").map(|scale| Config { scale, channels, shrunk, mappings, colors }))
}

/// Side of the transposed convolution's kernel.
const KERNEL: i64 = 9;

/// The network. State-dict names: `first_part.0` (5x5 convolution), `mid_part.{0, 2, ..}` (1x1, 3x3 each, 1x1), each with its
/// PReLU at the next number, and `last_part` (9x9 transposed convolution).
pub struct Fsrcnn {
    config: Config,
    store: Store,
    features: Vec<(Conv2d, PRelu)>,
    last_part: ConvTranspose2d,
}

impl Fsrcnn {
    /// A network with PyTorch's first values.
    ///
    /// # Errors
    /// Those of [`Architecture::validate`].
    pub fn new(config: &Config, device: Device) -> Result<Self, Error> {
        config.validate()?;
        let store = Store::new(device);
        let p = store.root();
        let Config { scale, channels: d, shrunk: s, mappings: m, colors } = *config;
        let mid = |i, c_in, c_out, kernel| layer(&p / "mid_part", 2 * i, c_in, c_out, kernel);
        let mut features = vec![layer(&p / "first_part", 0, colors, d, 5), mid(0, d, s, 1)];
        features.extend((1..=m).map(|i| mid(i, s, s, 3)));
        features.push(mid(m + 1, s, d, 1));
        let shape = ConvTransposeConfig {
            c_in: d,
            c_out: colors,
            kernel: KERNEL,
            stride: scale,
            padding: KERNEL / 2,
            output_padding: scale - 1,
            bias: true,
        };
        let last_part = ConvTranspose2d::new(&p / "last_part", shape);
        Ok(Fsrcnn { config: *config, features, last_part, store })
    }
}

/// A convolution and its PReLU, which has the next number.
fn layer(p: Path, i: i64, c_in: i64, c_out: i64, kernel: i64) -> (Conv2d, PRelu) {
    (Conv2d::same(&p / i, c_in, c_out, kernel), PRelu::per_channel(&p / (i + 1), c_out))
}

impl Network for Fsrcnn {
    fn forward(&self, lr: &Tensor, _train: bool) -> Tensor {
        let layer = |xs: Tensor, (conv, prelu): &(Conv2d, PRelu)| prelu.forward(&conv.forward(&xs));
        self.last_part.forward(&self.features.iter().fold(lr.shallow_clone(), layer))
    }

    fn store(&self) -> &Store {
        &self.store
    }
}

impl SrModel for Fsrcnn {
    fn scale(&self) -> i64 {
        self.config.scale
    }

    /// An input pixel i adds to the outputs i * scale - 4 to i * scale + 4. The output at the end of a pixel's block, at
    /// scale - 1, is therefore met by pixels up to (scale + 3) / scale further on; the one at its start, by fewer or as many.
    fn radius(&self) -> i64 {
        (self.config.scale - 1 + KERNEL / 2) / self.config.scale + self.config.mappings + 2
    }

    fn colors(&self) -> i64 {
        self.config.colors
    }
}
