//! `abbe figures`

use std::num::NonZeroUsize;
use std::path::PathBuf;

use abbe_run::RunFolder;
use abbe_viz::{Patch, Place};
use anyhow::Result;

/// Draw the figures of a run again from its files, and pack its results; a run that was stopped has its curves
///
/// Example: abbe figures runs/demo --patch 48 --at 120,200
#[derive(clap::Args)]
pub struct Arguments {
    /// A folder that `abbe train` or `abbe demo` wrote
    #[arg(value_name = "RUN_DIR")]
    run: PathBuf,
    /// Side of the enlarged patches in HR pixels
    #[arg(long, value_name = "PIXELS", default_value = "64")]
    patch: NonZeroUsize,
    /// Row and column of the patch's upper left corner in whole HR pictures [default: where the methods differ most]
    #[arg(long, value_name = "Y,X", value_parser = position)]
    at: Option<Place>,
    /// The patch lies in the middle
    #[arg(long, conflicts_with = "at")]
    centre: bool,
}

/// Draws the figures.
///
/// # Errors
/// A folder without a run; what could not be drawn, after the rest was; an archive that cannot be written.
pub fn run(arguments: &Arguments) -> Result<()> {
    let folder = RunFolder::open(&arguments.run)?;
    let elsewhere = if arguments.centre { Place::Centre } else { Place::MostDifferent };
    let patch = Patch { place: arguments.at.unwrap_or(elsewhere), side: arguments.patch.get() };
    let figures = abbe_viz::figures(&folder, patch);
    figures.written.iter().for_each(|path| println!("{}", path.display()));
    figures.complete()?;
    println!("{}", abbe_viz::results_archive(&folder)?.display());
    Ok(())
}

fn position(text: &str) -> Result<Place, String> {
    let numbers =
        text.split_once(',').and_then(|(y, x)| Some(Place::At(y.trim().parse().ok()?, x.trim().parse().ok()?)));
    numbers.ok_or_else(|| "expected a row and a column such as 120,200".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_row_and_column() {
        assert_eq!(position("120,200"), Ok(Place::At(120, 200)));
        assert!(["120", "1,2,3", "-1,2", ""].iter().all(|text| position(text).is_err()));
    }
}
