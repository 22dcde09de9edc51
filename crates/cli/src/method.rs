//! The option `--model`: a checkpoint file, or a method by name.

use std::path::Path;

use abbe_eval::Upscaler;
use anyhow::{Context, Result};
use tch::Device;

/// A method that was opened.
pub struct Method {
    /// What turns LR into SR.
    pub upscaler: Upscaler,
    /// What its checkpoint says must be known of it.
    pub notices: Vec<String>,
}

/// Opens what `--model` names: `bicubic`, or a checkpoint. A checkpoint that Abbe wrote says which network it belongs to;
/// for one that came back from Python, `like` names a file of Abbe's with the same network.
///
/// # Errors
/// A file that is no checkpoint, that says nothing of its network, or whose tensors are another network's.
pub fn open(model: &str, like: Option<&Path>, device: Device) -> Result<Method> {
    if model == "bicubic" {
        return Ok(Method { upscaler: Upscaler::Bicubic, notices: Vec::new() });
    }
    let opened = abbe_models::open(Path::new(model), like, device);
    let (network, card) = opened.with_context(|| format!("the model {model}"))?;
    Ok(Method { upscaler: Upscaler::Network(network), notices: card.notices })
}

/// A method's name in tables: its own, or the checkpoint's file name without its ending.
pub fn name(model: &str) -> String {
    Path::new(model).file_stem().map_or_else(|| model.to_owned(), |stem| stem.to_string_lossy().into_owned())
}
