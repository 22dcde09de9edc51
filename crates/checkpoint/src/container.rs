//! The forms in which a checkpoint lies in a file.

use std::fmt;

/// How a checkpoint lies in a file. The file's name says nothing about it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Container {
    /// The zip file that PyTorch writes since 1.6.
    #[default]
    Zip,
    /// The stream of pickles that PyTorch wrote from 0.1.10 to 1.5, and that every version since reads.
    Legacy,
    /// Hugging Face's safetensors: tensors by name, nothing else.
    Safetensors,
    /// The tar file that PyTorch wrote before 0.1.10. It is read, never written.
    Tar,
}

impl fmt::Display for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Container::Zip => "zip",
            Container::Legacy => "legacy",
            Container::Safetensors => "safetensors",
            Container::Tar => "tar",
        })
    }
}
