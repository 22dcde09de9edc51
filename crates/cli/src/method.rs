//! The option `--model`: a checkpoint file, or a method by name.

use std::path::Path;

use abbe_eval::Upscaler;
use anyhow::{Context, Result, ensure};
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

/// What methods are called in tables: their own names, or the checkpoints' file names without ending; where two checkpoints
/// have the same, their paths.
///
/// # Errors
/// A model that is given twice.
pub fn names(models: &[String]) -> Result<Vec<String>> {
    for (index, model) in models.iter().enumerate() {
        ensure!(!models[..index].contains(model), "--model {model}: given twice");
    }
    let stem = |model: &String| Path::new(model).file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let is_shared = |model: &String| models.iter().filter(|other| stem(other) == stem(model)).count() > 1;
    let name = |model: &String| stem(model).filter(|_| !is_shared(model)).unwrap_or_else(|| model.clone());
    Ok(models.iter().map(name).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_are_called_by_what_tells_them_apart() {
        let models = ["bicubic", "a/srgan_final.pth", "b/srgan_final.pth", "b/srcnn.v2.pth"].map(String::from);
        assert_eq!(names(&models).unwrap(), ["bicubic", "a/srgan_final.pth", "b/srgan_final.pth", "srcnn.v2"]);
        assert!(names(&["bicubic".into(), "bicubic".into()]).is_err());
    }
}
