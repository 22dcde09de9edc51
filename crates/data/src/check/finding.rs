//! What is said of a file.

use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};

use super::copies::Original;
use super::kernel::Fit;
use crate::Error;

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Training or evaluation stops there, or learns from pictures that do not belong together.
    Error,
    /// It runs, and its results may not be what they seem.
    Warning,
    /// Good to know.
    Note,
}

/// What a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A folder that is none, that has no pictures, or that cannot be read.
    Folder,
    /// A file that is not a whole picture.
    Unreadable,
    /// Two pictures of one name.
    SameName,
    /// An HR picture without LR picture.
    MissingLr,
    /// An LR picture without HR picture.
    ExtraLr,
    /// Sizes that are not in the ratio of the scale.
    Size,
    /// Smaller than the scale, the patch, or what can be judged.
    TooSmall,
    /// The LR picture does not show what the HR picture shows.
    OtherPicture,
    /// Grey, alpha or 16 bits.
    Conversion,
    /// A file with several pictures, of which the first counts.
    Animation,
    /// A training picture that is also judged on.
    Leakage,
    /// A picture that is there twice.
    Duplicate,
    /// An LR picture beside the place where the HR picture has it.
    Shift,
    /// An LR picture that no known kernel makes from the HR picture.
    Kernel,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// What it is about.
    pub kind: Kind,
    /// The split's name.
    pub split: String,
    /// The file, or the folder.
    #[serde(serialize_with = "lossy")]
    pub file: PathBuf,
    /// All of it in words, with what to do. It may hold control characters, if the file's name does.
    pub message: String,
    /// For duplicates and leakage: of which file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub copy_of: Option<Original>,
    /// For LR pictures: the kernel that fits best.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fit: Option<Fit>,
}

impl Finding {
    pub(super) fn new(severity: Severity, kind: Kind, split: &str, file: &Path, message: String) -> Self {
        Self { severity, kind, split: split.into(), file: file.into(), message, copy_of: None, fit: None }
    }

    /// What training would say of the file.
    pub(super) fn error(split: &str, file: &Path, error: &Error) -> Self {
        let kind = match error {
            Error::Folder { .. } => Kind::Folder,
            Error::SameName { .. } => Kind::SameName,
            Error::MissingLr { .. } => Kind::MissingLr,
            Error::ExtraLr { .. } => Kind::ExtraLr,
            Error::PairSize { .. } => Kind::Size,
            Error::TooSmall { .. } => Kind::TooSmall,
            Error::Conversion { .. } => Kind::Conversion,
            _ => Kind::Unreadable,
        };
        let cause = std::error::Error::source(error).map_or(String::new(), |cause| format!(" ({cause})"));
        Self::new(Severity::Error, kind, split, file, format!("{error}{cause}"))
    }
}

/// A path as text; what is not UTF-8 in it is replaced.
pub(super) fn lossy<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&path.display())
}
