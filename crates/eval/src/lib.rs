//! Metrics, the protocols that say how a metric is taken, and the tables of results.
//!
//! Never: needs a gradient, draws a figure.
//!
//! A number without its convention is worth nothing: every metric is named after its [`Protocol`] (`psnr_y_crop4`), LPIPS,
//! which follows none, after its version ([`LpipsColumn`]), and the JSON of a table carries each [`Convention`] in full.
//!
//! DISTS is not among the [`METRICS`]: its weights are not to be had where this was written.

mod convention;
mod evaluate;
pub mod folders;
mod json;
mod latex;
mod lpips;
mod markdown;
mod measure;
mod measures;
mod metric;
mod protocol;
mod published;
mod registration;
mod sheet;
pub mod statistics;
mod table;
mod text;

pub use convention::Convention;
pub use evaluate::{Upscaler, evaluate};
pub use lpips::{LpipsColumn, OpenLpips};
pub use measure::{Versions, check, measure};
pub use measures::Measures;
pub use metric::ssim::{Variant, Window};
pub use metric::{Better, METRICS, Metric};
pub use protocol::{Channel, Grey, Protocol};
pub use published::{Published, PublishedRow, Source};
pub use registration::{Registration, register};
pub use sheet::PUBLISHED;
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
    /// Too few pixels are left for a metric once the protocol's border is cut.
    #[error(
        "the picture is {height}x{width} (height x width), and {metric} under protocol {protocol} needs at least \
         {least}x{least}: leave the picture or the metric out, or use a smaller border"
    )]
    TooSmall {
        /// Height of the picture in pixels.
        height: usize,
        /// Width of the picture in pixels.
        width: usize,
        /// Name of the protocol.
        protocol: String,
        /// Name of the metric.
        metric: &'static str,
        /// Shortest side that a picture may have, in pixels.
        least: usize,
    },
    /// A metric that compares with LR pictures, where there are none.
    #[error("{metric} needs the LR pictures: name their folder, or leave the metric out")]
    NoLr {
        /// Name of the metric.
        metric: &'static str,
    },
    /// A metric that follows no protocol, asked for under one.
    #[error("{metric} follows no protocol: it is taken once of a picture, not under each protocol")]
    NoProtocol {
        /// Name of the metric.
        metric: &'static str,
    },
    /// Something that was asked for has no value.
    #[error("not measured: {}", .0.iter().map(|(column, reason)| format!("{column}: {reason}")).collect::<Vec<_>>().join("; "))]
    Missing(Vec<(String, String)>),
    /// A picture without its other version.
    #[error("{picture}: no picture of this name in {folder}; add it, or remove this one")]
    NoPartner {
        /// The picture.
        picture: std::path::PathBuf,
        /// Where its partner is missing.
        folder: std::path::PathBuf,
    },
    /// The pixels do not fit the picture's size.
    #[error(transparent)]
    Data(#[from] abbe_data::Error),
    /// A protocol's name is none of the known ones.
    #[error(
        "unknown protocol `{0}`: expected {names}, each alone or followed by -cropN with N the border in pixels, or a file \
         of settings that ends in .toml",
        names = Protocol::names().collect::<Vec<_>>().join(", ")
    )]
    UnknownProtocol(String),
    /// A file of settings that gives no protocol.
    #[error("{path}: {reason}; settings are `about`, `channel`, `border`, `peak`, `ssim` and, if need be, `grey`")]
    ProtocolFile {
        /// The file.
        path: std::path::PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A metric's name is none of the known ones.
    #[error("unknown metric `{0}`: expected {names}", names = METRICS.each_ref().map(|metric| metric.name).join(", "))]
    UnknownMetric(String),
    /// A set of pictures for which nothing is published here.
    #[error("no published results of `{set}`: expected {sets}", sets = sets.join(", "))]
    UnknownSet {
        /// What was asked for.
        set: String,
        /// The sets there are.
        sets: Vec<String>,
    },
    /// Nothing was published at this scale under any of the table's protocols.
    #[error(
        "nothing is published for {set} at x{scale} {under}: there are results at {known}; choose such a protocol",
        under = if protocols.is_empty() {
            "without a metric that follows a protocol, as psnr does".to_owned()
        } else {
            format!("under {}", protocols.join(", "))
        }
    )]
    NotPublished {
        /// The set, as papers write it.
        set: String,
        /// The scale.
        scale: usize,
        /// The table's protocols; none where no metric follows one.
        protocols: Vec<String>,
        /// Scales and protocols under which there is something.
        known: String,
    },
    /// A table over another number of pictures than a set has.
    #[error("{set} has {expected} pictures, and {found} were judged: published results are for the whole set alone")]
    PublishedPictures {
        /// The set, as papers write it.
        set: String,
        /// How many pictures it has.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// A file that should hold a table of results does not.
    #[error(
        "not a table of results: {0}; it may be of an earlier version of Abbe: write it anew with `abbe eval` or `abbe score`, \
         or run the experiment again"
    )]
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
