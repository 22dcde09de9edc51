//! Every figure of a run, from the files in its folder.

use std::path::PathBuf;

use abbe_eval::{Better, LpipsColumn, Results};
use abbe_run::{LogRow, ReadLog, RunFolder, read_log};
use anyhow::{Context, Result, ensure};

use crate::notebook::of_notebook;
use crate::view::{METHODS, Versions, View, left_out, views};
use crate::{
    Chart, Group, Judged, Metric, Place, archive, bars, curves, difference, grid, plane, save, save_chart, spectrum,
    zoom,
};

/// Grids and zoomed patches of a run.
const VIEWS: usize = 5;

/// Which part of each picture is enlarged.
#[derive(Clone, Copy, Debug)]
pub struct Patch {
    /// A position is one in a whole HR picture; in quarters the patch then lies where the methods differ most.
    pub place: Place,
    /// Of its sides, in HR pixels; less where a picture has less.
    pub side: usize,
}

impl Default for Patch {
    /// 64 x 64 pixels where the methods differ most.
    fn default() -> Self {
        Self { place: Place::MostDifferent, side: 64 }
    }
}

/// What became of a run's figures.
#[derive(Debug, Default)]
pub struct Figures {
    /// The files that were written.
    pub written: Vec<PathBuf>,
    /// What could not be drawn, and why.
    pub missing: Vec<String>,
}

impl Figures {
    /// The files that were written, when nothing is missing.
    ///
    /// # Errors
    /// Everything that is missing, a line for each.
    pub fn complete(self) -> Result<Vec<PathBuf>> {
        let missing = self.missing.join("\n  ");
        ensure!(missing.is_empty(), "not drawn, and the results are not packed:\n  {missing}");
        Ok(self.written)
    }

    fn add(&mut self, what: &str, drawn: Result<Vec<PathBuf>>) {
        match drawn {
            Ok(paths) => self.written.extend(paths),
            Err(error) => self.missing.push(format!("{what}: {error:#}")),
        }
    }
}

/// Draws every figure that the run has the data for: the curves of its log; bars of its metrics, and the
/// perception-distortion plane where LPIPS was measured; for five of its judged pictures a grid (LR, methods, HR) and zoomed
/// patches, and for those shown whole also maps of differences, spectra and a row (LR, the first and the last method, HR) on
/// a common page. Where fewer than five pictures were judged quarters of them are shown too. Every figure repeats the
/// notices of the table.
///
/// What cannot be drawn does not keep the rest from being drawn: a run that was stopped has its curves, and
/// [`Figures::missing`] says what it lacks.
pub fn figures(run: &RunFolder, patch: Patch) -> Figures {
    let mut figures = Figures::default();
    let results = read_results(run);
    let notices = results.as_ref().map_or_else(|_| notices(run), |results| results.notices.clone());
    figures.add("curves", draw_curves(run, &notices));
    match &results {
        Ok(results) => {
            figures.add("bars", draw_bars(run, results));
            figures.add("perception-distortion plane", draw_plane(run, results));
            draw_views(run, results, patch, &mut figures);
        }
        Err(error) => figures.missing.push(format!("grids, zoomed patches, differences, spectra and bars: {error:#}")),
    }
    figures
}

/// Packs the experiment, manifest, log, tables, checkpoints and figures of a run, its report and notebook where they are
/// written, with the pictures that the notebook reads; see [`archive()`]. Optimisers' states, twice as large as the weights and of use only where training goes on, stay
/// in the folder.
///
/// # Errors
/// Those of [`archive()`]; a folder of checkpoints that cannot be read; a notebook of a run that has nothing to compute
/// again.
pub fn results_archive(run: &RunFolder) -> Result<PathBuf> {
    let mut files = vec![run.experiment(), run.manifest(), run.log()];
    files.extend(["csv", "json", "txt"].map(|ending| run.metrics(ending)));
    // Runs of earlier versions have no such tables.
    files.extend(["md", "tex"].map(|ending| run.metrics(ending)).into_iter().filter(|table| table.is_file()));
    files.push(run.root().join("figures"));
    files.extend(Some(run.report()).filter(|file| file.is_file()));
    if run.notebook().is_file() {
        files.push(run.notebook());
        files.extend(of_notebook(run)?);
    }
    let checkpoints = run.root().join("checkpoints");
    for entry in checkpoints.read_dir().with_context(|| format!("cannot read the folder {}", checkpoints.display()))? {
        let path = entry?.path();
        if path.extension().is_none_or(|ending| ending != "state") {
            files.push(path);
        }
    }
    archive(run.root(), &files, &run.archive())
}

pub(crate) fn read_results(run: &RunFolder) -> Result<Results> {
    let path = run.metrics("json");
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}: it is written when training is over", path.display()))?;
    Results::from_json(&text).with_context(|| path.display().to_string())
}

/// The notices of the manifest, which a run has from its beginning; none where it does not read.
fn notices(run: &RunFolder) -> Vec<String> {
    let text = std::fs::read_to_string(run.manifest()).unwrap_or_default();
    let manifest: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    let notices = manifest["notices"].as_array().into_iter().flatten();
    notices.filter_map(|notice| Some(notice.as_str()?.to_owned())).collect()
}

/// The first line, and below it the notices and further lines.
fn heading(first: String, notices: &[String], further: &[String]) -> String {
    [&[first], notices, further].concat().join("\n")
}

fn draw_curves(run: &RunFolder, notices: &[String]) -> Result<Vec<PathBuf>> {
    let ReadLog { rows, notice } = read_log(&run.log())?;
    ensure!(!rows.is_empty(), "{}: expected the rows of a training, found none", run.log().display());
    let notices = Vec::from_iter(notices.iter().cloned().chain(notice));
    save_chart(&training_curves(&rows, &notices)?, &run.figure("curves"))
}

/// The curves of a log under their heading.
pub(crate) fn training_curves(log: &[LogRow], notices: &[String]) -> Result<Chart> {
    curves(log, &heading("Training, each loss term times its weight".into(), notices, &[]))
}

fn draw_bars(run: &RunFolder, results: &Results) -> Result<Vec<PathBuf>> {
    let columns = results.columns();
    let means: Vec<Vec<f64>> = results.methods.iter().map(|method| method.mean(columns.len())).collect();
    let of_columns = results.column_metrics();
    let metric = |(column, name): (usize, &String)| Metric {
        name: name.clone(),
        higher_is_better: of_columns[column].better == Better::Higher,
        values: means.iter().map(|means| means.get(column).copied().filter(|mean| !mean.is_nan())).collect(),
    };
    let metrics: Vec<Metric> = columns.iter().enumerate().map(metric).collect();
    let names: Vec<&str> = results.methods.iter().map(|method| method.name.as_str()).collect();
    let chart = bars(&names, &metrics, &heading(title(results), &results.notices, &[]))?;
    save_chart(&chart, &run.figure("metrics"))
}

/// Nothing where LPIPS was not measured of every method.
fn draw_plane(run: &RunFolder, results: &Results) -> Result<Vec<PathBuf>> {
    let columns = results.columns();
    let column = |metric: &str| columns.iter().position(|name| name.starts_with(metric));
    let (Some(psnr), Some(lpips)) = (column("psnr"), column("lpips")) else { return Ok(Vec::new()) };
    let judged = Vec::from_iter(results.methods.iter().map(|method| {
        let means = method.mean(columns.len());
        Judged { name: method.name.clone(), psnr: means[psnr], lpips: means[lpips] }
    }));
    if judged.iter().any(|judged| judged.lpips.is_nan()) {
        return Ok(Vec::new());
    }
    let heading = heading(title(results), &results.notices, &[]);
    let chart = plane(&judged, [&columns[psnr], &columns[lpips]], &heading)?;
    save_chart(&chart, &run.figure("plane"))
}

fn title(results: &Results) -> String {
    format!("×{}, mean of {}", results.scale, pictures(results.pictures()))
}

/// `1 picture`, `2 pictures`.
pub(crate) fn pictures(count: usize) -> String {
    if count == 1 { "1 picture".into() } else { format!("{count} pictures") }
}

/// Grids, patches, differences and spectra; and a row for each picture on one page.
fn draw_views(run: &RunFolder, results: &Results, patch: Patch, figures: &mut Figures) {
    let judged = results.methods.last().context("metrics.json: expected a method, found none");
    let views = match judged.and_then(|judged| views(run, judged, VIEWS)) {
        Ok(views) => views,
        Err(error) => return figures.missing.push(format!("grids and zoomed patches: {error:#}")),
    };
    let mut whole = Vec::new();
    for view in &views {
        match Versions::read(run, results, view) {
            Ok(versions) => {
                figures.add(&view.title(), draw_view(run, results, patch, view, &versions));
                whole.extend(view.quarter.is_none().then_some(versions));
            }
            Err(error) => figures.missing.push(format!("figures of {}: {error:#}", view.title())),
        }
    }
    let groups: Vec<_> = whole.iter().map(Versions::row).collect();
    if !groups.is_empty() {
        let further = [left_out(results.methods.len(), 2), numbers(results, true, "")].concat();
        let heading = heading(format!("×{}", results.scale), &results.notices, &further);
        let path = run.figure("grids.png");
        figures.add("page of grids", grid(&groups, &heading).and_then(|page| save(&page, &path)).map(|()| vec![path]));
    }
}

/// What the numbers under pictures are: those of the first protocol, and of whole pictures LPIPS.
fn numbers(results: &Results, whole: bool, of: &str) -> Vec<String> {
    let lpips = results.lpips.iter().filter(|_| whole).map(LpipsColumn::name);
    let metrics = results.columns().into_iter().take(results.metrics.len()).chain(lpips).collect::<Vec<_>>();
    if metrics.is_empty() { Vec::new() } else { vec![format!("Numbers: {}{of}", metrics.join(" / "))] }
}

fn draw_view(
    run: &RunFolder,
    results: &Results,
    patch: Patch,
    view: &View,
    versions: &Versions,
) -> Result<Vec<PathBuf>> {
    let whole = view.quarter.is_none();
    let heading = |of: &str| {
        let further = [left_out(results.methods.len(), METHODS), numbers(results, whole, of)].concat();
        heading(format!("{}, ×{}", view.title(), results.scale), &results.notices, &further)
    };
    let (hr, restored) = (versions.hr(), versions.restored());
    let with_hr = [restored.clone(), vec![hr.clone()]].concat();
    let of_whole = heading(if whole { " of the whole picture" } else { " of the quarter" });
    let place = if matches!(patch.place, Place::At(..)) && !whole { Place::MostDifferent } else { patch.place };
    let mut drawn = vec![
        ("grid", grid(&[Group { name: String::new(), ..versions.group() }], &heading(""))?),
        ("zoom", zoom(&hr, &with_hr, place, patch.side, &of_whole)?),
    ];
    let mut written = Vec::new();
    if whole {
        drawn.push(("difference", difference(&hr, &restored, &heading(""))?));
        let chart: Chart = spectrum(&hr, &restored, results.scale, &heading(""))?;
        written.extend(save_chart(&chart, &run.figure(&view.file("spectrum")))?);
    }
    for (kind, figure) in drawn {
        let path = run.figure(&format!("{}.png", view.file(kind)));
        save(&figure, &path)?;
        written.push(path);
    }
    Ok(written)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::Cursor;

    use abbe_data::image::Rgb8;
    use abbe_eval::{Method, Protocol, Row};
    use abbe_run::write_atomic;

    use super::*;

    const LOG_ROW: &str =
        r#"{"phase":"srgan","step":0,"epoch":0,"seconds":1,"lr":1e-4,"terms":{"pixel":0.5},"raw":{}}"#;

    /// A finished run with six judged pictures, named 0 to 5.
    pub(crate) fn finished(root: &std::path::Path) -> RunFolder {
        let run = RunFolder::create(root, false).unwrap();
        let row = |picture| Row { picture: format!("{picture}"), values: vec![24.314, 0.7123] };
        let method = |name: &str| Method { name: name.into(), rows: (0..6).map(row).collect() };
        let methods = vec![method("bicubic"), method("srgan")];
        let (protocols, notices) =
            (vec![Protocol::named("y-crop4", 4).unwrap()], vec!["VGG-19 with random weights".to_owned()]);
        let results = Results {
            scale: 4,
            lr: "bicubic".into(),
            protocols,
            metrics: abbe_eval::Metric::usual(),
            lpips: Vec::new(),
            methods,
            notices,
            published: None,
        };
        write_atomic(&run.metrics("json"), results.to_json().as_bytes()).unwrap();
        for file in [
            run.experiment(),
            run.manifest(),
            run.metrics("csv"),
            run.metrics("txt"),
            run.metrics("md"),
            run.checkpoint("srgan"),
        ] {
            write_atomic(&file, b"x").unwrap();
        }
        write_atomic(&run.training_state("srgan"), b"x").unwrap(); // which the archive leaves out
        write_atomic(&run.log(), format!("{LOG_ROW}\n").as_bytes()).unwrap();
        for (picture, version) in (0..6).flat_map(|i| ["lr", "hr", "bicubic", "srgan"].map(|version| (i, version))) {
            let side = if version == "lr" { 16 } else { 64 };
            let pixels = Rgb8::new(side, side, vec![40 * picture as u8; 3 * side * side]).unwrap();
            save(&pixels, &run.picture(&picture.to_string(), version)).unwrap();
        }
        run
    }

    #[test]
    fn a_finished_run_gets_all_figures_and_an_archive() {
        let folder = tempfile::tempdir().unwrap();
        let run = finished(folder.path());
        let Figures { written, missing } = figures(&run, Patch::default());
        assert!(missing.is_empty(), "{missing:?}");
        // curves and metrics twice, five views with grid, patches, differences and spectra twice, the page of grids
        assert_eq!(written.len(), 4 + 5 * 5 + 1);
        assert!(written.iter().all(|path| path.is_file()));
        assert!(std::fs::read_to_string(run.figure("curves.svg")).unwrap().contains("VGG-19 with random weights"));
        let zip = std::fs::read(results_archive(&run).unwrap()).unwrap();
        let zip = zip::ZipArchive::new(Cursor::new(zip)).unwrap();
        assert_eq!(zip.len(), 8 + written.len());
        assert!(
            zip.index_for_name("figures/grid_0.png").is_some() && zip.index_for_name("checkpoints/srgan.pth").is_some()
        );
        // with a notebook goes what it reads
        write_atomic(&run.notebook(), b"x").unwrap();
        write_atomic(&run.checkpoint("srgan_final"), b"x").unwrap();
        let zip = std::fs::File::open(results_archive(&run).unwrap()).unwrap();
        let zip = zip::ZipArchive::new(zip).unwrap();
        let pictures: Vec<&str> = zip.file_names().filter(|name| name.starts_with("pictures")).collect();
        assert_eq!(pictures, ["pictures/0/hr.png", "pictures/0/lr.png", "pictures/0/srgan.png"]);
    }

    #[test]
    fn a_stopped_run_has_its_curves_and_says_what_it_lacks() {
        let folder = tempfile::tempdir().unwrap();
        let run = finished(folder.path());
        std::fs::remove_file(run.metrics("json")).unwrap();
        write_atomic(&run.manifest(), br#"{"notices": ["VGG-19 with random weights"]}"#).unwrap();
        write_atomic(&run.log(), format!("{LOG_ROW}\n{}", &LOG_ROW[..9]).as_bytes()).unwrap();
        let Figures { written, missing } = figures(&run, Patch::default());
        let curves = std::fs::read_to_string(run.figure("curves.svg")).unwrap();
        assert!(curves.contains("VGG-19 with random weights") && curves.contains("line 2 of the log has no end"));
        assert_eq!(written, ["png", "svg"].map(|ending| run.figure(&format!("curves.{ending}"))));
        assert!(
            missing.len() == 1 && missing[0].contains("metrics.json") && missing[0].contains("grids"),
            "{missing:?}"
        );
        std::fs::remove_file(run.log()).unwrap();
        assert_eq!(figures(&run, Patch::default()).missing.len(), 2);
    }

    #[test]
    fn a_missing_picture_is_named_and_the_others_are_drawn() {
        let folder = tempfile::tempdir().unwrap();
        let run = finished(folder.path());
        std::fs::remove_file(run.picture("3", "srgan")).unwrap();
        let Figures { written, missing } = figures(&run, Patch::default());
        assert!(missing.len() == 1 && missing[0].contains("srgan.png"), "{missing:?}");
        assert_eq!(written.len(), 4 + 4 * 5 + 1);
    }
}
