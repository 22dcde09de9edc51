//! SRVGGNetCompact, Real-ESRGAN's small network: convolutions at LR size and one pixel shuffle, whose result is added to the
//! picture enlarged by nearest neighbour (<https://github.com/xinntao/Real-ESRGAN>, after Wang et al., arXiv 2107.10833).

use serde::{Deserialize, Serialize};
use tch::{Device, Tensor};

use crate::layer::{Conv2d, PRelu, SubPixelConv2d, add, leaky_relu, nearest, relu};
use crate::{Architecture, Built, Error, Hints, Keys, Layout, Network, Path, Python, SrModel, Store, layout, require};

/// What decides an SRVGGNetCompact's shape.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Enlargement, 1..=8.
    pub scale: i64,
    /// Convolutions between the first and the last one, 0..=128: 16 or 32 in Real-ESRGAN.
    pub convs: i64,
    /// Channels of every hidden layer, 1..=256: 64 in Real-ESRGAN.
    pub channels: i64,
    /// What follows every convolution but the last one; PReLU in Real-ESRGAN.
    pub activation: Activation,
    /// Channels of the picture: 3 for RGB, as in Real-ESRGAN, 1 for luma alone.
    pub colors: i64,
}

/// The rectifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    /// max(x, 0)
    Relu,
    /// x above 0, else a learnt part of it, which each channel of each layer has of its own.
    Prelu,
    /// x above 0, else 0.1 x.
    LeakyRelu,
}

impl Activation {
    /// The one without tensors that it is, if any.
    pub(crate) fn untold(self) -> Option<layout::Activation> {
        match self {
            Activation::Relu => Some(layout::Activation::Relu),
            Activation::LeakyRelu => Some(layout::Activation::LeakyRelu),
            Activation::Prelu => None,
        }
    }
}

impl Config {
    /// Real-ESRGAN's network for pictures of any kind, `realesr-general`.
    pub const fn general(scale: i64) -> Self {
        Config { scale, convs: 32, channels: 64, activation: Activation::Prelu, colors: 3 }
    }
}

impl Architecture for Config {
    const PAPER: &'static str = "Wang et al., arXiv 2107.10833 (Real-ESRGAN's code)";
    const SAMPLES: &'static [Self] = &[
        Config { convs: 4, channels: 7, ..Config::general(4) },
        Config { scale: 3, convs: 2, channels: 5, activation: Activation::Relu, colors: 1 },
        Config { scale: 1, convs: 1, channels: 6, activation: Activation::LeakyRelu, colors: 3 },
        Config { scale: 8, convs: 0, channels: 4, activation: Activation::Prelu, colors: 3 },
    ];
    const USUAL: Self = Config::general(4);
    const LAYOUTS: &'static [Layout<Self>] = &[Layout::own("basicsr", detect)];
    const PYTHON: Python = Python { source: include_str!("../python/srvgg.py"), class: "SrVggNetCompact" };

    fn validate(&self) -> Result<(), Error> {
        let Config { scale, convs, channels, colors, .. } = *self;
        require("srvgg.scale", "a number from 1 to 8", scale, (1..=8).contains(&scale))?;
        require("srvgg.convs", "a number from 0 to 128", convs, (0..=128).contains(&convs))?;
        require("srvgg.channels", "a number from 1 to 256", channels, (1..=256).contains(&channels))?;
        require("srvgg.colors", "1 or 3", colors, [1, 3].contains(&colors))
    }

    fn input(&self) -> [i64; 3] {
        [self.colors, 24, 24]
    }

    fn scale(&self) -> Option<i64> {
        Some(self.scale)
    }

    fn build(&self, device: Device) -> Result<Built, Error> {
        Ok(Built::Sr(Box::new(SrVgg::new(self, device)?)))
    }
}

/// Everything can be told but a rectifier without tensors. Names as common as these are taken for this network's only if
/// there are no others.
fn detect(keys: &Keys, hints: &Hints) -> Option<Result<Config, Error>> {
    let layers = keys.count(|i| format!("body.{}.weight", 2 * i)); // convolutions
    let convs = (layers >= 2).then_some(layers - 2)?;
    let [channels, colors, ..] = keys.shape::<4>("body.0.weight")?;
    let [c_out, ..] = keys.shape::<4>(&format!("body.{}.weight", 2 * layers - 2))?;
    let scale = c_out.checked_div(colors)?.checked_isqrt()?;
    let activation = match keys.0.len() as i64 - 2 * layers {
        0 => hints.activation("SRVGGNetCompact").map(Activation::from),
        slopes if slopes == layers - 1 => Ok(Activation::Prelu),
        _ => return None,
    };
    Some(activation.map(|activation| Config { scale, convs, channels, activation, colors }))
}

impl From<layout::Activation> for Activation {
    fn from(activation: layout::Activation) -> Self {
        match activation {
            layout::Activation::Relu => Activation::Relu,
            layout::Activation::LeakyRelu => Activation::LeakyRelu,
        }
    }
}

/// The network. State-dict names: `body.i`, where even i are convolutions and odd i PReLUs, if there are any.
pub struct SrVgg {
    config: Config,
    store: Store,
    body: Vec<(Conv2d, Rectifier)>,
    last: SubPixelConv2d,
}

enum Rectifier {
    Prelu(PRelu),
    Relu,
    LeakyRelu,
}

impl SrVgg {
    /// A network with PyTorch's first values.
    ///
    /// # Errors
    /// Those of [`Architecture::validate`].
    pub fn new(config: &Config, device: Device) -> Result<Self, Error> {
        config.validate()?;
        let store = Store::new(device);
        let p = store.root() / "body";
        let Config { scale, convs, channels, activation, colors } = *config;
        let layer = |i| {
            let conv = Conv2d::same(&p / (2 * i), if i == 0 { colors } else { channels }, channels, 3);
            (conv, Rectifier::new(&p / (2 * i + 1), activation, channels))
        };
        let body = (0..=convs).map(layer).collect();
        let last = SubPixelConv2d::new(&p / (2 * convs + 2), channels, colors, scale);
        Ok(SrVgg { config: *config, body, last, store })
    }
}

impl Network for SrVgg {
    fn forward(&self, lr: &Tensor, _train: bool) -> Tensor {
        let layer = |xs: Tensor, (conv, rectifier): &(Conv2d, Rectifier)| rectifier.forward(&conv.forward(&xs));
        let features = self.body.iter().fold(lr.shallow_clone(), layer); // [N, channels, h, w]
        add(&self.last.forward(&features), &nearest(lr, self.config.scale)) // [N, colors, h * scale, w * scale]
    }

    fn store(&self) -> &Store {
        &self.store
    }
}

impl SrModel for SrVgg {
    fn scale(&self) -> i64 {
        self.config.scale
    }

    fn radius(&self) -> i64 {
        self.config.convs + 2
    }

    fn colors(&self) -> i64 {
        self.config.colors
    }
}

impl Rectifier {
    fn new(p: Path, activation: Activation, channels: i64) -> Self {
        match activation {
            Activation::Prelu => Rectifier::Prelu(PRelu::per_channel(p, channels)),
            Activation::Relu => Rectifier::Relu,
            Activation::LeakyRelu => Rectifier::LeakyRelu,
        }
    }

    fn forward(&self, xs: &Tensor) -> Tensor {
        match self {
            Rectifier::Prelu(prelu) => prelu.forward(xs),
            Rectifier::Relu => relu(xs),
            Rectifier::LeakyRelu => leaky_relu(xs, 0.1),
        }
    }
}
