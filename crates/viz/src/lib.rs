//! Figures, the report, the notebook and the archive of results, made from plain values: pictures, the rows of a log,
//! numbers; and all those of a run, from the files in its folder ([`figures()`], [`report()`], [`notebook()`]).
//!
//! Never: runs a network.
//!
//! A figure is drawn in memory and reaches the disk whole ([`save`], [`save_chart`]), so a full disk leaves no half-written
//! file. Text is set in a font that travels inside the binary: figures look the same on every machine and need no system
//! library. Text is broken into lines where it would not fit, and never drawn over other text or beyond the page.

mod archive;
mod bars;
mod chart;
mod curves;
mod degradation;
mod difference;
mod figures;
mod grid;
mod header;
mod layout;
mod look;
mod notebook;
mod place;
mod plane;
mod plot;
mod recorder;
mod report;
mod shown;
mod spectrum;
mod text;
mod view;
mod zoom;

use std::path::{Path, PathBuf};

use abbe_data::image::{Rgb8, encode_png};
use anyhow::{Context, Result};

pub use archive::archive;
pub use bars::{Metric, bars};
pub use chart::Chart;
pub use curves::curves;
pub use degradation::{Example, degradations};
pub use difference::difference;
pub use figures::{Figures, Patch, figures, results_archive};
pub use grid::{Group, Panel, grid};
pub use notebook::{Judgement, judgement, notebook};
pub use place::Place;
pub use plane::{Judged, plane};
pub use report::{Report, report};
pub use spectrum::spectrum;
pub use zoom::zoom;

/// Writes a figure as PNG, whole or not at all.
///
/// # Errors
/// The path and the system's reason.
pub fn save(figure: &Rgb8, path: &Path) -> Result<()> {
    let png = encode_png(figure).with_context(|| format!("cannot encode {}", path.display()))?;
    Ok(abbe_run::write_atomic(path, &png)?)
}

/// Writes a chart as PNG and SVG, to `path` with these endings added; returns both paths.
///
/// # Errors
/// The path and the system's reason; a chart without a finite number.
pub fn save_chart(chart: &Chart, path: &Path) -> Result<Vec<PathBuf>> {
    let [png, svg] = ["png", "svg"].map(|ending| path.with_added_extension(ending));
    save(&chart.png()?, &png)?;
    abbe_run::write_atomic(&svg, chart.svg()?.as_bytes())?;
    Ok(vec![png, svg])
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
