//! What every network and its configuration offer.

use serde::Serialize;
use serde::de::DeserializeOwned;
use tch::{Device, Tensor};

use crate::{Config, Error, Layout, Sides, Store};

/// A network of any kind.
pub trait Network: Send {
    /// Runs it; input and output are as its own file says. With `train` batch norm uses and tracks the statistics of the
    /// batch, and dropout drops.
    fn forward(&self, xs: &Tensor, train: bool) -> Tensor;

    /// The named tensors.
    fn store(&self) -> &Store;
}

/// A network that enlarges pictures: `[N, colors, h, w]` in [0, 1] to `[N, colors, h * scale, w * scale]`, not clamped unless
/// the project's network clamps.
pub trait SrModel: Network {
    /// Output pixels per input pixel along each side.
    fn scale(&self) -> i64;

    /// LR pixels on each side of an output pixel's own LR pixel that can influence it, unless `train`: a tile needs that
    /// much margin. [`i64::MAX`] when the whole picture counts for each pixel.
    fn radius(&self) -> i64;

    /// A tile's first row and column must be multiples of this, counted from those of the picture: above 1 for networks that
    /// see squares of pixels as one.
    fn multiple(&self) -> i64 {
        1
    }

    /// 3 for RGB, 1 for a network of luma alone.
    fn colors(&self) -> i64 {
        3
    }
}

/// A network that was built.
pub enum Built {
    /// One that enlarges pictures.
    Sr(Box<dyn SrModel>),
    /// Any other.
    Other(Box<dyn Network>),
}

impl Built {
    /// The network, whatever its kind.
    pub fn network(&self) -> &dyn Network {
        match self {
            Built::Sr(model) => model.as_ref(),
            Built::Other(network) => network.as_ref(),
        }
    }
}

/// A network's configuration: what decides its shapes and its arithmetic. One implementation per network file.
pub trait Architecture: Copy + PartialEq + Serialize + DeserializeOwned + Into<Config> + 'static {
    /// Where the network comes from.
    const PAPER: &'static str;

    /// Small configurations that differ in every key, for tests.
    const SAMPLES: &'static [Self];

    /// The paper's configuration, or else the best known one.
    const USUAL: Self;

    /// The ways in which its tensors are named in files: ours first, whose `rename` changes nothing.
    const LAYOUTS: &'static [Layout<Self>];

    /// The same network as a PyTorch module.
    const PYTHON: Python;

    /// Checks every value against its range.
    ///
    /// # Errors
    /// [`Error::Config`] naming the first key whose value is out of range.
    fn validate(&self) -> Result<(), Error>;

    /// A usual input: channels, height and width.
    fn input(&self) -> [i64; 3];

    /// The heights and widths that the network takes.
    fn sides(&self) -> Sides {
        Sides::ANY
    }

    /// Output pixels per input pixel along each side, of a network that enlarges pictures.
    fn scale(&self) -> Option<i64> {
        None
    }

    /// The network on `device`, with PyTorch's first values.
    ///
    /// # Errors
    /// Those of [`Architecture::validate`].
    fn build(&self, device: Device) -> Result<Built, Error>;
}

/// A network's definition in Python, for those who have its weights and not Abbe.
#[derive(Debug, Clone, Copy)]
pub struct Python {
    /// The file: a self-contained module with the class. Its constructor takes the keys of the configuration by name.
    pub source: &'static str,
    /// The class.
    pub class: &'static str,
}
