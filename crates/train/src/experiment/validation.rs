//! Validation: whole pictures are looked at while training goes on.

use serde::{Deserialize, Serialize};

use super::Length;

/// How whole pictures are upscaled and measured while training goes on, each phase's by its own network. Training itself is
/// the same with and without.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Validation {
    /// How often, counted from the beginning of each phase; after its last step in any case.
    pub every: Length,
    /// Names of pictures of `data.validation`, or else of `data.test`, without endings; where it is left out, all of them.
    pub pictures: Option<Vec<String>>,
    /// Metrics by name, as `abbe eval --metrics` takes them.
    pub metrics: Vec<String>,
    /// Protocols by name, as `abbe eval --protocol` takes them: each metric is taken under each protocol.
    pub protocols: Vec<String>,
    /// The metric under its protocol, such as `psnr_y_crop4`, by whose mean the checkpoint `<phase>_best.pth` is kept.
    pub best: String,
    /// Whether it is the average of the network (`ema`) that is looked at, instead of the network itself.
    #[serde(default)]
    pub ema: bool,
    /// How many of the pictures, from the first, TensorBoard shows; each takes the size of a PNG at every validation.
    pub show: usize,
}
