//! Networks, one file each, and the names and shapes of their parameters.
//!
//! Never: reads a picture, converts a colour, takes an optimiser step.
//!
//! Pictures are `[N, 3, h, w]` float32 RGB in [0, 1], or `[N, 1, h, w]` luma; those of torchvision's classifiers are
//! normalised by ImageNet's mean and deviation. A network's tensors live in a [`Store`], under the names and in the order
//! that a PyTorch user's module has. A new network is one file and one row of the table in `config.rs`, which gives the
//! variants of [`Config`] and the rows of [`NETWORKS`], over which the tests loop. A discriminator that can be trained
//! against has a row in [`critic`], too. [`lpips`] is no network of the table, but the distance of two pictures that the
//! features of three of them give.
//!
//! From a file to a network: [`open`] reads it and takes off its wrappers. What Abbe wrote has a [`Card`] with its [`Config`];
//! for other files [`recognise`] takes prefixes off the names and asks each [`Layout`] of each network which configuration
//! names and shapes tell. The network of each such configuration is built without memory, every name, shape and type is
//! compared ([`LoadReport`]), and the first that fits whole takes the file's numbers.

pub mod alexnet;
mod align;
mod architecture;
pub mod bicubic;
mod config;
pub mod convert;
pub mod critic;
pub mod dcgan_discriminator;
pub mod dcgan_generator;
pub mod densenet;
pub mod discriminator;
pub mod edsr;
pub mod fsrcnn;
pub mod graph;
pub mod layer;
mod layout;
pub mod leftthomas_discriminator;
pub mod lpips;
pub mod msrresnet;
mod open;
pub mod patchgan_discriminator;
pub mod rcan;
mod recognise;
mod report;
pub mod resnet;
pub mod rrdbnet;
mod sides;
pub mod squeezenet;
pub mod srcnn;
pub mod srresnet;
pub mod srvgg;
mod store;
pub mod summary;
mod torchvision;
pub mod unet_discriminator;
pub mod vgg;
pub mod vgg_style_discriminator;
mod weights;

use std::fmt::Display;
use std::path::PathBuf;

pub use align::{Aligned, align};
pub use architecture::{Architecture, Built, Network, Python, SrModel};
pub use config::{Config, NETWORKS, Naming, NetworkInfo, build, copy};
pub use critic::CriticModel;
pub use layout::{Activation, Hints, Keys, Layout};
pub use open::{Card, Choice, Opened, Source, card_of, identify, open, save};
pub use recognise::{Recognised, fit, recognise};
pub use report::{LoadReport, Mismatch};
pub use sides::Sides;
pub use store::{Path, Store};
pub use summary::{Summary, summary};
pub use torchvision::{TORCHVISION, named};
pub use weights::promised;

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
        found: String,
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
    Load(Box<LoadReport>),
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
    /// What a file's tensors do not tell of its network.
    #[error("{network}: the file does not tell {what}; say it with {option}")]
    Ask {
        /// The network.
        network: &'static str,
        /// What is not known.
        what: &'static str,
        /// The option that tells it.
        option: &'static str,
    },
    /// Tensors of no network that is known here.
    #[error(
        "no network that Abbe knows has these names: {}, ...; {}for a network of Abbe's, name another checkpoint with the same one by \
         --like. `abbe inspect` lists what is in the file, `abbe models` the networks",
        names.iter().map(|name| name.escape_debug().to_string()).collect::<Vec<_>>().join(", "),
        recognise::choose_part(parts)
    )]
    Unrecognised {
        /// The first names of the file.
        names: Vec<String>,
        /// What stands before the first dot of all its names, in the file's order.
        parts: Vec<String>,
    },
    /// A network that does not enlarge pictures, where one that does is needed.
    #[error("{network} does not enlarge pictures: give a super-resolution network")]
    NotSr {
        /// Its name.
        network: &'static str,
    },
    /// A layout that the network does not have.
    #[error("{network} has no layout `{}`: choose from {}", layout.escape_debug(), valid.join(", "))]
    UnknownLayout {
        /// The network.
        network: &'static str,
        /// The name that was asked for.
        layout: String,
        /// The names that there are.
        valid: Vec<&'static str>,
    },
    /// A layout whose project could not run a network of this configuration.
    #[error("the layout `{layout}` cannot hold this network: {reason}")]
    Obstacle {
        /// The layout.
        layout: &'static str,
        /// What differs.
        reason: &'static str,
    },
    /// No file of the weights of LPIPS's network.
    #[error(
        "no weights of {} for lpips-{} at {}: get torchvision's file {} with `abbe fetch {0}`, or name a copy elsewhere",
        net.backbone(), net.name(), path.display(), net.file()
    )]
    NoBackbone {
        /// Whose features are compared.
        net: lpips::Net,
        /// Where the file was looked for.
        path: PathBuf,
    },
    /// A file without the weights that LPIPS needs.
    #[error("the weights of lpips in {}", path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<Error>,
    },
    /// Pictures that LPIPS cannot compare.
    #[error(
        "lpips-{} compares pictures of one size, [N, 3, height, width] with sides of {least} or more, found {:?} and {:?}",
        net.name(), found[0], found[1]
    )]
    Pictures {
        /// Whose features are compared.
        net: lpips::Net,
        /// The smallest side in pixels.
        least: i64,
        /// The shapes of both.
        found: [Vec<i64>; 2],
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

fn require(key: &'static str, expected: &'static str, found: impl Display, holds: bool) -> Result<(), Error> {
    if holds { Ok(()) } else { Err(Error::Config { key, expected, found: found.to_string() }) }
}

#[cfg(test)]
mod tests;
