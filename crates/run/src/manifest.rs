//! `manifest.json`: what a run was made with, so that it can be made again.

use std::path::Path;

use serde::{Deserialize, Serialize, Serializer};

use crate::{Error, json_number, write_atomic};

/// Everything that decides a run's numbers and is not in its experiment file.
#[derive(Debug, Clone, Serialize)]
pub struct Manifest {
    /// The experiment's name.
    pub experiment: String,
    /// `unfinished` while it runs, `finished`, or why it stopped.
    pub outcome: String,
    /// When it began, in seconds since 1970-01-01 UTC.
    pub started_unix: u64,
    /// Version of Abbe.
    pub abbe: String,
    /// Version of libtorch.
    pub libtorch: String,
    /// `cpu`, `cuda:0`, ...
    pub device: String,
    /// Threads that libtorch used.
    pub threads: i32,
    /// Of initial weights, patches and augmentation.
    pub seed: u64,
    /// Pictures trained on.
    pub train: DataRecord,
    /// Pictures judged on.
    pub test: DataRecord,
    /// Pictures of validation, where they are none of the test's.
    pub validation: Option<DataRecord>,
    /// Each network with its size.
    pub networks: Vec<NetworkRecord>,
    /// Where the weights of VGG came from: a file with its SHA-256, or a seed; none without a loss in its features.
    pub vgg: Option<String>,
    /// `f32`, `tf32`, `bf16` or `f16`: what networks computed in while they were trained.
    pub precision: String,
    /// When training went on after it had been cut off.
    pub resumed: Vec<ResumeRecord>,
    /// The best checkpoint of each phase that was validated.
    pub best: Vec<BestRecord>,
    /// What a reader of the results must know, such as random VGG weights.
    pub notices: Vec<String>,
    /// Wall-clock seconds, from the first picture read to the last file written.
    pub seconds: f64,
}

/// A set of pictures.
#[derive(Debug, Clone, Serialize)]
pub struct DataRecord {
    /// How many.
    pub pictures: usize,
    /// SHA-256 over names, sizes and pixels of HR and LR.
    pub sha256: String,
    /// How LR was made.
    pub lr: String,
}

/// A network of the run.
#[derive(Debug, Clone, Serialize)]
pub struct NetworkRecord {
    /// Its name in the experiment.
    pub name: String,
    /// Trained numbers in it.
    pub parameters: i64,
    /// Where its weights began.
    pub weights: String,
}

/// The best checkpoint of a phase, `checkpoints/<phase>_best.pth`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BestRecord {
    /// The phase's name.
    pub phase: String,
    /// What it is the best by, with its convention.
    pub metric: String,
    /// The mean over the pictures of validation; see [`json_number`].
    #[serde(serialize_with = "number")]
    pub value: f64,
    /// The step of the phase, counted from 0, after which it was kept.
    pub step: u64,
}

/// A training that went on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ResumeRecord {
    /// When, in seconds since 1970-01-01 UTC.
    pub unix: u64,
    /// The phase's name.
    pub phase: String,
    /// The first step that was taken, counted from 0 in its phase.
    pub step: u64,
    /// What had changed meanwhile: keys of the experiment, pictures, weights, threads and what else last bits depend on.
    pub changed: Vec<String>,
}

fn number<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    json_number(*value).serialize(serializer)
}

/// What of an earlier manifest goes on in that of a training that goes on.
#[derive(Debug, Default, Deserialize)]
pub struct Earlier {
    /// [`Manifest::started_unix`]
    pub started_unix: u64,
    /// [`Manifest::resumed`]
    #[serde(default)]
    pub resumed: Vec<ResumeRecord>,
    /// [`Manifest::seconds`]
    pub seconds: f64,
}

impl Earlier {
    /// Reads it.
    ///
    /// # Errors
    /// The path and the system's reason, or what is wrong in the file.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path).map_err(crate::io("read", path))?;
        serde_json::from_str(&text).map_err(|error| Error::Malformed {
            path: path.to_path_buf(),
            line: error.line(),
            reason: error.to_string(),
        })
    }
}

impl Manifest {
    /// Writes the manifest.
    ///
    /// # Errors
    /// The path and the system's reason.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        let text = serde_json::to_string_pretty(self).map_err(|error| crate::io("write", path)(error.into()))?;
        write_atomic(path, format!("{text}\n").as_bytes())
    }
}
