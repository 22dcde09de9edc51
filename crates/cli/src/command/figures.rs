//! `abbe figures`

use std::path::PathBuf;

use abbe_run::RunFolder;
use anyhow::Result;

/// Draw the figures of a run again from its files, and pack its results; a run that was stopped has its curves
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
/// A folder without a run; what could not be drawn, after the rest was; an archive that cannot be written.
pub fn run(arguments: &Arguments) -> Result<()> {
    let folder = RunFolder::open(&arguments.run)?;
    let figures = abbe_viz::figures(&folder);
    figures.written.iter().for_each(|path| println!("{}", path.display()));
    figures.complete()?;
    println!("{}", abbe_viz::results_archive(&folder)?.display());
    Ok(())
}
