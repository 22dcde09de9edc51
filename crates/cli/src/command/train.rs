//! `abbe train`

use std::path::{Path, PathBuf};

use abbe_train::Experiment;
use anyhow::Result;

use crate::device::DeviceArgument;
use crate::workflow::{self, Begin};

/// Run an experiment: train its phases, judge each, draw the figures, pack the results
///
/// Example: abbe train experiments/srcnn.toml --out runs/srcnn
#[derive(clap::Args)]
pub struct Arguments {
    /// The experiment file
    #[arg(value_name = "EXPERIMENT.toml")]
    experiment: PathBuf,
    /// Where to write [default: runs/<name of the experiment>]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Replace an earlier run there: its checkpoints, pictures, figures, tables and log are removed
    #[arg(long, conflicts_with = "resume")]
    overwrite: bool,
    /// Go on with the run there from the last point that it kept, as if it had not been cut off
    #[arg(long)]
    resume: bool,
    /// Go on although the experiment, the training pictures, VGG's weights or the precision have changed
    #[arg(long, requires = "resume")]
    allow_changes: bool,
    #[command(flatten)]
    device: DeviceArgument,
}

/// Runs the experiment.
///
/// # Errors
/// What is wrong with the experiment, its data, or the training.
pub fn run(arguments: &Arguments) -> Result<()> {
    abbe_torch::keep_freed_memory();
    let experiment = Experiment::read(&arguments.experiment)?;
    let out = arguments.out.clone().unwrap_or_else(|| Path::new("runs").join(&experiment.name));
    let begin = match arguments.resume {
        true => Begin::Resume { allow_changes: arguments.allow_changes },
        false => Begin::New { overwrite: arguments.overwrite },
    };
    workflow::run(&experiment, &out, begin, &arguments.device)
}
