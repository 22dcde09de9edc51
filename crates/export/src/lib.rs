//! Networks that enlarge pictures as files for other programs: ONNX and TorchScript.
//!
//! Never: reads or writes a file, trains, runs what it has not made itself.
//!
//! Both are written from the network's [graph](abbe_models::graph), so a network needs nothing of its own to be exported. They
//! take a batch `lr`, `[N, channels, height, width]` float32 in [0, 1] of any size, and give `sr`, scale times as high and
//! wide. What one must know to use them is in the file, as [`Facts`].

mod error;
mod facts;
mod onnx;
mod precision;
mod steps;
mod torchscript;

use std::fmt;

use abbe_models::SrModel;

pub use error::Error;
pub use facts::Facts;
pub use precision::Precision;

/// What can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The Open Neural Network Exchange, operator set 17.
    Onnx,
    /// What `torch.jit.load` reads, in Python and in C++.
    TorchScript,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Format::Onnx => write!(f, "ONNX, operator set {}", onnx::OPERATORS),
            Format::TorchScript => write!(f, "TorchScript of libtorch {}", abbe_torch::libtorch_version()),
        }
    }
}

/// A file's content.
pub struct Exported {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Operations in it.
    pub operations: usize,
    /// The largest difference from the network, as a part of the range of its output, on pictures of three sizes; none for a
    /// format that cannot be run here.
    pub difference: Option<f64>,
}

/// A network on the CPU in a format, with the facts in it, in their precision. What was made is read back: TorchScript is
/// run, of ONNX every part is compared and its order checked. Whether float16 reaches the numbers between the layers is
/// found out by running TorchScript, for ONNX too.
///
/// # Errors
/// A network without a graph, or whose numbers float16 does not reach; one that is too large for ONNX; what libtorch says;
/// a file that does not do what the network does.
pub fn export(model: &dyn SrModel, facts: &Facts, format: Format) -> Result<Exported, Error> {
    match format {
        Format::Onnx if facts.precision == Precision::Float16 => {
            torchscript::export(model, facts)?;
            onnx::export(model, facts)
        }
        Format::Onnx => onnx::export(model, facts),
        Format::TorchScript => torchscript::export(model, facts),
    }
}
