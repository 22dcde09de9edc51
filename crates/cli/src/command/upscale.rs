//! `abbe upscale`

mod batch;
mod inputs;
mod job;
mod model;
mod outputs;
mod size;

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use crate::device::DeviceArgument;
use crate::method::CheckpointArguments;
use size::{Sides, factor};

/// Enlarge pictures with a network
///
/// Reads PNG, JPEG, WebP, BMP and TIFF of 8 and 16 bits, grey and RGB, with and without opacity; depth, greyness, opacity,
/// colour profile and EXIF data are kept as far as the format of the result has them, and what it has not is told.
///
/// Example: abbe upscale photos -o photos_x4 --format jpg --model runs/demo/checkpoints/warm-up_final.pth
#[derive(clap::Args)]
pub struct Arguments {
    /// Pictures, folders with the folders in them, patterns such as 'shots/*.png', or - for standard input
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    #[command(flatten)]
    output: outputs::OutputArguments,
    #[command(flatten)]
    model: model::ModelArguments,
    /// How many times larger [default: what the network does; 4 for the others], by resampling what the network makes
    #[arg(long, value_parser = factor, conflicts_with = "size")]
    scale: Option<f64>,
    /// The result's size in pixels: 1920x, x1080 or 1920x1080
    #[arg(long, value_name = "WIDTHxHEIGHT")]
    size: Option<Sides>,
    /// How many pictures are made at once; they share --memory
    #[arg(long, default_value_t = 1, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=64))]
    jobs: usize,
    #[command(flatten)]
    checkpoint: CheckpointArguments,
    #[command(flatten)]
    device: DeviceArgument,
}

/// Upscales the pictures.
///
/// # Errors
/// What is wrong with the model or the place to write to, before any work; at the end, that a picture could not be made.
/// Those that could are whole.
pub fn run(arguments: &Arguments) -> Result<()> {
    let first = arguments.open(true)?;
    let spool = tempfile::tempdir().context("the folder for temporary files cannot be used")?;
    let inputs = inputs::find(&arguments.inputs, spool.path())?;
    let scale = arguments.scale.unwrap_or(first.scale() as f64);
    let names = (format!("{scale}"), first.name());
    let (jobs, there) = arguments.output.plan(&arguments.inputs, &inputs, &names.0, &names.1)?;
    if there > 0 {
        eprintln!("notice: {there} of {} pictures are there already and were left out", there + jobs.len());
    }
    let all = jobs.len();
    let failed = batch::run(arguments, first, jobs)?;
    let others = if failed < all { "; the others are whole" } else { "" };
    ensure!(failed == 0, "{failed} of {all} pictures could not be made{others}");
    Ok(())
}

impl Arguments {
    fn open(&self, tell: bool) -> Result<model::Model> {
        model::open(&self.model, &self.checkpoint, self.scale, self.device.find()?, tell)
    }

    /// How large a picture becomes.
    ///
    /// # Errors
    /// Too large a size.
    fn target(&self, lr: (usize, usize), model: &model::Model) -> Result<(usize, usize)> {
        size::target(lr, self.size, self.scale.unwrap_or(model.scale() as f64))
    }
}
