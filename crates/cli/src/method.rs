//! The option `--model`: a checkpoint file, or a method by name.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use abbe_eval::Upscaler;
use abbe_models::{Activation, Choice, Config, Hints};
use anyhow::{Context, Result, ensure};
use tch::Device;

/// What can be said of a checkpoint that does not tell everything itself.
#[derive(clap::Args, Default, PartialEq)]
pub struct NetworkArguments {
    /// A checkpoint of Abbe's with the same network, for a file whose network nothing else tells
    #[arg(long, value_name = "CKPT")]
    like: Option<PathBuf>,
    /// Where in the checkpoint the weights are, such as params [default: averaged weights before plain ones]
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// The activation of a network that has no tensor for it
    #[arg(long, value_name = "relu|leaky-relu", value_parser = activation)]
    activation: Option<Activation>,
    /// What the residuals of EDSR are multiplied by, which no tensor tells
    #[arg(long, value_name = "FACTOR")]
    res_scale: Option<f64>,
}

impl NetworkArguments {
    /// The same for the library; `scale` is told by its own option.
    fn choice(&self, scale: Option<usize>) -> Choice<'_> {
        let hints =
            Hints { scale: scale.map(|scale| scale as i64), activation: self.activation, res_scale: self.res_scale };
        Choice { like: self.like.as_deref(), key: self.key.as_deref(), hints, partial: false }
    }
}

/// The same for a checkpoint that is to be run.
#[derive(clap::Args, Default, PartialEq)]
pub struct CheckpointArguments {
    #[command(flatten)]
    network: NetworkArguments,
    /// Load the tensors that fit the network that the file itself or --like names, and say which did not
    #[arg(long)]
    partial: bool,
}

impl CheckpointArguments {
    /// The same for the library; `scale` is told by its own option.
    ///
    /// # Errors
    /// Something that is said though none of the models is a checkpoint.
    pub fn choice(&self, scale: Option<usize>, models: &[String]) -> Result<Choice<'_>> {
        let used = models.iter().any(|model| model != BICUBIC) || *self == Self::default();
        ensure!(
            used,
            "--like, --key, --activation, --res-scale and --partial are for a checkpoint, which {BICUBIC} is not"
        );
        Ok(Choice { partial: self.partial, ..self.network.choice(scale) })
    }
}

/// The same for a checkpoint that is to be looked at or converted.
#[derive(clap::Args, Default, PartialEq)]
pub struct FileArguments {
    /// How many times the network enlarges, where the file does not tell it
    #[arg(long, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=16))]
    scale: Option<usize>,
    #[command(flatten)]
    network: NetworkArguments,
}

impl FileArguments {
    /// The same for the library.
    pub fn choice(&self) -> Choice<'_> {
        self.network.choice(self.scale)
    }
}

/// The method that is no network.
const BICUBIC: &str = "bicubic";

/// What is said of a network and is not so is a slip, even where it was not asked for.
///
/// # Errors
/// The one and the other.
pub fn check_hints(config: &Config, choice: &Choice) -> Result<()> {
    let (own, said) = (config.hints(), choice.hints);
    if let (Some(own), Some(said)) = (own.scale, said.scale) {
        ensure!(own == said, "--scale {said}: the network enlarges {own} times: say --scale {own}");
    }
    if let (Some(own), Some(said)) = (own.activation, said.activation) {
        ensure!(own == said, "--activation: the file says that the network is {config}; leave the option out");
    }
    if let (Some(own), Some(said)) = (own.res_scale, said.res_scale) {
        ensure!(own == said, "--res-scale {said}: the file says {own}; leave the option out");
    }
    Ok(())
}

fn activation(text: &str) -> Result<Activation, String> {
    match text {
        "relu" => Ok(Activation::Relu),
        "leaky-relu" => Ok(Activation::LeakyRelu),
        _ => Err("expected relu or leaky-relu".into()),
    }
}

/// A method that was opened.
pub struct Method {
    /// What turns LR into SR.
    pub upscaler: Upscaler,
    /// What its checkpoint says must be known of it.
    pub notices: Vec<String>,
}

/// Opens what `--model` names: `bicubic`, or a checkpoint, from Abbe or from elsewhere.
///
/// # Errors
/// A file that is no checkpoint, whose network is not known, or whose tensors are another network's.
pub fn open(model: &str, choice: &Choice, device: Device) -> Result<Method> {
    if model == BICUBIC {
        return Ok(Method { upscaler: Upscaler::Bicubic, notices: Vec::new() });
    }
    let opened = abbe_models::open(Path::new(model), choice, device).with_context(|| format!("the model {model}"))?;
    let notices = opened.notices.clone();
    check_hints(&opened.config, choice).with_context(|| format!("the model {model}"))?;
    let network = opened.sr().with_context(|| format!("the model {model}"))?;
    Ok(Method { upscaler: Upscaler::Network(network), notices })
}

/// What the methods that `option` names are called in tables: what `short` makes of their paths, [`Path::file_stem`] for files
/// and [`Path::file_name`] for folders; where that is the same for two, their paths.
///
/// # Errors
/// A method that is given twice.
pub fn names(option: &str, methods: &[String], short: fn(&Path) -> Option<&OsStr>) -> Result<Vec<String>> {
    for (index, method) in methods.iter().enumerate() {
        ensure!(!methods[..index].contains(method), "{option} {method}: given twice");
    }
    let short = |method: &String| short(Path::new(method)).map(|name| name.to_string_lossy().into_owned());
    let is_shared = |method: &String| methods.iter().filter(|other| short(other) == short(method)).count() > 1;
    let name = |method: &String| short(method).filter(|_| !is_shared(method)).unwrap_or_else(|| method.clone());
    Ok(methods.iter().map(name).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_are_called_by_what_tells_them_apart() {
        let models = ["bicubic", "a/srgan_final.pth", "b/srgan_final.pth", "b/srcnn.v2.pth"].map(String::from);
        let called = names("--model", &models, Path::file_stem).unwrap();
        assert_eq!(called, ["bicubic", "a/srgan_final.pth", "b/srgan_final.pth", "srcnn.v2"]);
        let folders = ["out/v1.5/", "v1"].map(String::from);
        assert_eq!(names("SR_DIR", &folders, Path::file_name).unwrap(), ["v1.5", "v1"]);
        let error = names("SR_DIR", &["v1".into(), "v1".into()], Path::file_name).unwrap_err().to_string();
        assert_eq!(error, "SR_DIR v1: given twice");
    }
}
