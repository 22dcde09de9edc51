//! Metrics, the protocols that say how a metric is taken, and the tables of results.
//!
//! Never: needs a gradient, draws a figure.
//!
//! A number without its convention is worth nothing: every metric is named after its [`Protocol`] (`psnr_y_crop4`), and
//! the JSON of a table carries each [`Convention`] in full.

mod evaluate;
mod json;
mod metric;
mod protocol;
mod score;
mod table;

pub use evaluate::{Upscaler, evaluate};
pub use protocol::{Channel, Convention, Protocol, Ssim};
pub use score::{Score, score};
pub use table::{Method, Results, Row};

/// Why a picture could not be scored, or a protocol not be understood.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The two pictures differ in size; sizes are (height, width) in pixels.
    #[error(
        "sr is {}x{} and hr is {}x{} (height x width): metrics need equal sizes; crop hr to a multiple of the scale",
        sr.0, sr.1, hr.0, hr.1
    )]
    Size {
        /// Size of the restored picture.
        sr: (usize, usize),
        /// Size of the reference picture.
        hr: (usize, usize),
    },
    /// Too few pixels are left for the SSIM window once the protocol's border is cut.
    #[error(
        "the picture is {height}x{width} (height x width), and protocol {protocol} needs at least {least}x{least}: its \
         border on every side around the window of SSIM; leave the picture out or use a smaller border"
    )]
    TooSmall {
        /// Height of the picture in pixels.
        height: usize,
        /// Width of the picture in pixels.
        width: usize,
        /// Name of the protocol.
        protocol: String,
        /// Shortest side that a picture may have, in pixels.
        least: usize,
    },
    /// The pixels do not fit the picture's size.
    #[error(transparent)]
    Data(#[from] abbe_data::Error),
    /// A protocol's name follows none of the known patterns.
    #[error(
        "unknown protocol `{0}`: expected `y-cropN` or `rgb-cropN` with N the border in pixels, or `y`, `rgb` for none"
    )]
    UnknownProtocol(String),
    /// A file that should hold a table of results does not.
    #[error("not a table of results: {0}; it is written by `abbe train`, `abbe demo` and `abbe eval`")]
    Table(String),
    /// A network that enlarges by another factor than was asked for.
    #[error("the network enlarges {network} times, {asked} times was asked for: choose another network or scale")]
    Scale {
        /// The network's factor.
        network: usize,
        /// The factor asked for.
        asked: usize,
    },
    /// The network failed on a picture.
    #[error(transparent)]
    Infer(#[from] abbe_infer::Error),
    /// An error while the named picture was scored.
    #[error("{picture}")]
    Picture {
        /// Name of the picture in the table.
        picture: String,
        /// What went wrong.
        source: Box<Error>,
    },
}
