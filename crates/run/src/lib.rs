//! What an experiment leaves on disk: the folder, the manifest, the log, each file written whole or not at all.
//!
//! Never: decodes a picture, knows a network, prints.

mod append;
mod atomic;
mod folder;
mod log;
mod manifest;
mod tensorboard;

use std::path::{Path, PathBuf};

pub use atomic::{TEMPORARY, check_writable, write_atomic, write_atomic_with};
pub use folder::RunFolder;
pub use log::{Log, LogRow, ReadLog, json_number, read_log};
pub use manifest::{BestRecord, DataRecord, Earlier, Manifest, NetworkRecord, ResumeRecord};
pub use tensorboard::{Events, Shown};

/// What can go wrong with the files of a run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused: a full disk, a missing right, a folder that is a file.
    #[error("cannot {action} {}; check the path, its permissions and the free space", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The folder holds an earlier run.
    #[error("{} already holds a run: choose another folder with --out, or pass --overwrite to replace that run", .0.display())]
    Occupied(PathBuf),
    /// The folder holds files that no run of ours wrote.
    #[error("{} is not empty and holds no run of Abbe: choose another folder with --out", .0.display())]
    Foreign(PathBuf),
    /// A folder that should hold a run does not.
    #[error("{} holds no run: expected {}, found none (a run folder is what `abbe train` and `abbe demo` write)", folder.display(), missing)]
    NoRun {
        /// The folder that was given.
        folder: PathBuf,
        /// The file that every run has.
        missing: &'static str,
    },
    /// A file of the run does not read back.
    #[error("{} line {line}: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
}

fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_path_buf();
    move |source| Error::Io { action, path, source }
}
