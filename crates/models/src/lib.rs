//! Networks, one file each, and the names and shapes of their parameters.
//!
//! Never: reads a picture, converts a colour, takes an optimiser step.
//!
//! Pictures are `[N, 3, h, w]` float32 RGB in [0, 1]. A network's tensors live in a [`Store`], under the names and in the
//! order that a PyTorch user's module has. A new super-resolution network is one file, one variant of [`Config`] and one
//! row of [`NETWORKS`], over which the tests loop.

pub mod bicubic;
mod convert;
pub mod discriminator;
pub mod layer;
mod open;
mod report;
pub mod srcnn;
pub mod srresnet;
mod store;
pub mod summary;
pub mod vgg;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use tch::{Device, Tensor};

pub use open::{Card, card_of, open, save};
pub use report::{LoadReport, Mismatch};
pub use store::{Path, Store};
pub use summary::{Summary, summary};

/// A network that enlarges pictures.
pub trait SrModel: Send {
    /// `[N, 3, h, w]` in [0, 1] to `[N, 3, h * scale, w * scale]`, not clamped. With `train` batch norm uses and tracks the
    /// statistics of the batch.
    fn forward(&self, lr: &Tensor, train: bool) -> Tensor;

    /// Output pixels per input pixel along each side.
    fn scale(&self) -> i64;

    /// LR pixels on each side of an output pixel's own LR pixel that can influence it, unless `train`: a tile needs that
    /// much margin.
    fn radius(&self) -> i64;

    /// The named tensors.
    fn store(&self) -> &Store;
}

/// The super-resolution networks and what decides their shapes, as written in an experiment file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Config {
    /// SRCNN.
    Srcnn(srcnn::Config),
    /// SRResNet, SRGAN's generator.
    Srresnet(srresnet::Config),
}

impl Config {
    /// Checks every value against its range.
    ///
    /// # Errors
    /// [`Error::Config`] naming the first key whose value is out of range.
    pub fn validate(&self) -> Result<(), Error> {
        match self {
            Config::Srcnn(config) => config.validate(),
            Config::Srresnet(config) => config.validate(),
        }
    }

    /// Output pixels per input pixel along each side.
    pub fn scale(&self) -> i64 {
        match self {
            Config::Srcnn(config) => config.scale,
            Config::Srresnet(config) => config.scale,
        }
    }
}

/// The network that `config` describes, on `device`, with PyTorch's first values: `tch::manual_seed` decides them.
///
/// # Errors
/// [`Error::Config`] when a value is out of range.
pub fn build(config: &Config, device: Device) -> Result<Box<dyn SrModel>, Error> {
    Ok(match config {
        Config::Srcnn(config) => Box::new(srcnn::Srcnn::new(config, device)?),
        Config::Srresnet(config) => Box::new(srresnet::SrResNet::new(config, device)?),
    })
}

/// A row of [`NETWORKS`].
pub struct Network {
    /// Its name in experiment files.
    pub name: &'static str,
    /// Where it comes from.
    pub paper: &'static str,
    /// The paper's configuration first, then others that differ from it in every key.
    pub samples: &'static [Config],
}

/// Every super-resolution network.
pub const NETWORKS: &[Network] = &[
    Network {
        name: "srcnn",
        paper: "Dong et al., arXiv 1501.00092",
        samples: &[
            Config::Srcnn(srcnn::Config::paper(4)),
            Config::Srcnn(srcnn::Config { scale: 3, kernels: [5, 3, 1], channels: [6, 5] }),
            Config::Srcnn(srcnn::Config { scale: 2, kernels: [9, 5, 5], channels: [8, 4] }),
        ],
    },
    Network {
        name: "srresnet",
        paper: "Ledig et al., arXiv 1609.04802",
        samples: &[
            Config::Srresnet(srresnet::Config::paper(4)),
            Config::Srresnet(srresnet::Config {
                scale: 2,
                blocks: 1,
                channels: 5,
                norm: srresnet::Norm::None,
                input: srresnet::Input::Bicubic,
                bicubic_skip: true,
            }),
            Config::Srresnet(srresnet::Config {
                scale: 8,
                blocks: 2,
                channels: 4,
                norm: srresnet::Norm::None,
                input: srresnet::Input::Lr,
                bicubic_skip: true,
            }),
        ],
    },
];

/// What can be wrong with a configuration, a layer's name or a checkpoint.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A value of a configuration is out of range.
    #[error("{key}: expected {expected}, found {found}")]
    Config {
        /// Network and key.
        key: &'static str,
        /// The valid values.
        expected: &'static str,
        /// The value.
        found: i64,
    },
    /// A layer that the VGG network lacks.
    #[error("{net} has no layer `{layer}`: choose from {}", valid.join(", "))]
    UnknownLayer {
        /// torchvision's name of the network.
        net: &'static str,
        /// The name that was asked for.
        layer: String,
        /// The names that there are, in the order in which they run.
        valid: Vec<String>,
    },
    /// The checkpoint is of another network.
    #[error(
        "the checkpoint does not fit this network, and nothing was loaded; give the configuration that it was trained \
         with, or another checkpoint:\n{0}"
    )]
    Load(LoadReport),
    /// A checkpoint that cannot be read, or a tensor of it that does not convert.
    #[error(transparent)]
    Checkpoint(#[from] abbe_checkpoint::Error),
    /// A checkpoint that does not say which network it belongs to.
    #[error(
        "{} does not say which super-resolution network it belongs to (files saved in Python do not, discriminators \
         belong to none): name a checkpoint of Abbe's with the same network by --like", .0.display()
    )]
    NoCard(PathBuf),
    /// A checkpoint whose network this version does not know.
    #[error("{}: its network is not one that this version of Abbe knows: {reason}", path.display())]
    BadCard {
        /// The checkpoint.
        path: PathBuf,
        /// What does not fit, safe to print.
        reason: String,
    },
    /// A picture that VGG's pools would shrink to nothing.
    #[error(
        "{net}: `{layer}` needs pictures of at least {least}x{least}, found {height}x{width}; use a larger patch or an earlier layer"
    )]
    TooSmall {
        /// torchvision's name of the network.
        net: &'static str,
        /// The deepest layer that was asked for.
        layer: String,
        /// The smallest side in pixels.
        least: i64,
        /// Height of the picture in pixels.
        height: i64,
        /// Width of the picture in pixels.
        width: i64,
    },
}

fn require(key: &'static str, expected: &'static str, found: i64, holds: bool) -> Result<(), Error> {
    if holds { Ok(()) } else { Err(Error::Config { key, expected, found }) }
}

#[cfg(test)]
mod tests;
