//! `abbe figures`

use std::path::PathBuf;

use abbe_run::RunFolder;
use anyhow::Result;

/// Draw the figures of a run again from its files, and pack its results
///
/// Example: abbe figures runs/demo
#[derive(clap::Args)]
pub struct Arguments {
    /// A folder that `abbe train` or `abbe demo` wrote
    #[arg(value_name = "RUN_DIR")]
    run: PathBuf,
}

/// Draws the figures.
///
/// # Errors
/// A folder without a run, a file of the run that does not read, or one that cannot be written.
pub fn run(arguments: &Arguments) -> Result<()> {
    let folder = RunFolder::open(&arguments.run)?;
    for path in abbe_viz::figures(&folder)?.into_iter().chain([abbe_viz::results_archive(&folder)?]) {
        println!("{}", path.display());
    }
    Ok(())
}
