//! `abbe demo`

use std::path::{Path, PathBuf};

use abbe_train::{Experiment, Weights, cache_path};
use anyhow::{Result, ensure};

use crate::device::DeviceArgument;
use crate::workflow::{self, Begin};

/// The experiment of the demonstration, the same file that `abbe train experiments/demo.toml` reads.
const DEMO: &str = include_str!("../../../../experiments/demo.toml");

/// The main job, small: train on a few photographs, judge on others, draw the figures
///
/// Example: abbe demo --out runs/demo
#[derive(clap::Args)]
pub struct Arguments {
    /// Where to write; an earlier run there is replaced
    #[arg(long, default_value = "runs/demo", value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    device: DeviceArgument,
}

/// Runs the demonstration.
///
/// # Errors
/// As `abbe train`, and when the photographs are not there.
pub fn run(arguments: &Arguments) -> Result<()> {
    let mut experiment = Experiment::parse(DEMO)?;
    let folder: &Path = &experiment.data.train.hr;
    ensure!(
        folder.is_dir(),
        "the photographs of the demonstration are not in {}: run `cargo xtask setup` in Abbe's folder, and `abbe demo` there",
        folder.display()
    );
    if let Some(vgg) = &mut experiment.vgg {
        let cached = cache_path(vgg.net);
        if vgg.weights == Weights::Cache && !cached.is_file() {
            eprintln!(
                "notice: no ImageNet weights of {} at {}; the demonstration goes on with random ones and says so in its results",
                vgg.net.name(),
                cached.display()
            );
            vgg.weights = Weights::Random { seed: experiment.seed };
        }
    }
    workflow::run(&experiment, &arguments.out, Begin::New { overwrite: true }, &arguments.device)
}
