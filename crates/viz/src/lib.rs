//! Figures and the archive of results, drawn from the files of a run.
//!
//! Never: runs a network.
//!
//! A figure is drawn in memory and reaches the disk whole ([`save`]), so a full disk leaves no half-written file. Text is
//! set in a font that travels inside the binary: figures look the same on every machine and need no system library.

mod archive;
mod chart;
pub mod curves;
mod degradation;
mod figures;
mod grid;
mod layout;
mod text;
mod zoom;

use std::path::Path;

use abbe_data::image::{Rgb8, encode_png};
use anyhow::{Context, Result};

pub use archive::archive;
pub use degradation::degradations;
pub use figures::{figures, results_archive};
pub use grid::{Panel, grid};
pub use zoom::zoom;

/// Writes a figure as PNG, whole or not at all.
///
/// # Errors
/// The path and the system's reason.
pub fn save(figure: &Rgb8, path: &Path) -> Result<()> {
    let png = encode_png(figure).with_context(|| format!("cannot encode {}", path.display()))?;
    Ok(abbe_run::write_atomic(path, &png)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use abbe_data::image::{Conversion, read};

    #[test]
    fn a_saved_figure_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let figure = Rgb8::new(2, 3, (0..18).collect()).unwrap();
        let path = folder.path().join("figures/a.png");
        save(&figure, &path).unwrap();
        assert_eq!(read(&path, Conversion::Refuse).unwrap(), figure);
    }
}
