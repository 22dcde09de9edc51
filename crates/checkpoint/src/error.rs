//! What can go wrong, and what to do about it.

use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};

use crate::{Comparison, Dtype};

/// Why a checkpoint was not read, not written, or not what was asked for. The message says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The system refused to read the file.
    #[error("cannot read {}; check the path and its permissions", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The system refused to write the file. What was there before is unchanged, or replaced by a whole file where only
    /// the last step, putting the folder on disk, failed.
    #[error("cannot write {}, and no part of it was left behind; check the folder, its permissions and the free space", path.display())]
    Write {
        /// The file that was to be written.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The file is no checkpoint, is damaged, or asks for more than plain values and tensors.
    #[error("{}: {reason}", path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// The place in the file (entry, byte), what was expected and found, and what to do.
        reason: String,
    },
    /// The value has no form that PyTorch reads back, or the place is not one for a file; nothing was written.
    #[error("cannot write {}: {reason}", path.display())]
    Unwritable {
        /// The file that was to be written.
        path: PathBuf,
        /// What in the value cannot be written.
        reason: String,
    },
    /// A tensor's numbers were asked for in a type that would change their kind.
    #[error("a tensor of {found} cannot be read as {wanted}: convert it in Python before saving")]
    Convert {
        /// The tensor's type.
        found: Dtype,
        /// The type that was asked for.
        wanted: Dtype,
    },
    /// A value is not the training state that was asked for.
    #[error("not the expected training state: {reason}")]
    TrainingState {
        /// The place in it, what was expected and found, and what to do.
        reason: String,
    },
    /// A conversion would turn finite numbers into infinite ones.
    #[error(
        "{}: {count} numbers would become infinite in {to}, the largest of them {largest:e}; choose a type that reaches farther, such as bfloat16 instead of float16",
        name.escape_debug()
    )]
    Overflow {
        /// The tensor.
        name: String,
        /// How many of its numbers are too large.
        count: usize,
        /// The one farthest from 0.
        largest: f64,
        /// The type that was asked for.
        to: Dtype,
    },
    /// Two state dicts that cannot be mixed.
    #[error("checkpoints mix only with the same names, types and shapes; convert or choose another:\n{0}")]
    Unlike(Box<Comparison>),
    /// A file was written and has other tensors than it should.
    #[error("{} was written, but reads back otherwise; do not use it, check the disk and write it again:\n{comparison}", path.display())]
    Unfaithful {
        /// The file.
        path: PathBuf,
        /// What was to be written, and what was read.
        comparison: Box<Comparison>,
    },
    /// The checkpoint holds no state dict where one is looked for.
    #[error(
        "no state dict: expected tensors by name, bare or under one of the keys {expected}; found {found}. In Python: torch.save(model.state_dict(), path)"
    )]
    NoStateDict {
        /// The keys under which a state dict is looked for.
        expected: String,
        /// What the top of the checkpoint is instead.
        found: String,
    },
    /// A training state as BasicSR saves it (`.state`), where weights are looked for.
    #[error(
        "a training state without weights, of iteration {iteration}: take the .pth file that was saved beside it; an experiment's [start] takes the state"
    )]
    OnlyTrainingState {
        /// After which it was saved.
        iteration: i64,
    },
}

/// An error inside one file, before its path is known.
#[derive(Debug)]
pub(crate) enum Fault {
    Io(io::Error),
    Content(String),
}

impl Fault {
    /// Puts the place (an entry, a byte position) before the reason.
    pub(crate) fn within(self, place: impl Display) -> Self {
        match self {
            Fault::Content(reason) => Fault::Content(format!("{place}: {reason}")),
            io => io,
        }
    }

    pub(crate) fn reading(self, path: &Path) -> Error {
        let path = path.to_owned();
        match self {
            Fault::Io(source) => Error::Read { path, source },
            Fault::Content(reason) => Error::Refused { path, reason },
        }
    }

    pub(crate) fn writing(self, path: &Path) -> Error {
        let path = path.to_owned();
        match self {
            Fault::Io(source) => Error::Write { path, source },
            Fault::Content(reason) => Error::Unwritable { path, reason },
        }
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Fault::Content(CUT_OFF.into()),
            _ => Fault::Io(error),
        }
    }
}

/// The advice for files that end too early.
pub(crate) const CUT_OFF: &str = "the file ends too early, it is cut off: download or copy it again";

/// An error whose reason is `reason`.
pub(crate) fn refuse<T>(reason: impl Into<String>) -> Result<T, Fault> {
    Err(Fault::Content(reason.into()))
}
