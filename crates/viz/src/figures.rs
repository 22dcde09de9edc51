//! Every figure of a run, from the files in its folder.

use std::path::PathBuf;

use abbe_data::image::{Conversion, Rgb8, read};
use abbe_eval::{Method, Results, Row, Versions, measure};
use abbe_run::{RunFolder, read_log, write_atomic};
use anyhow::{Context, Result, ensure};

use crate::{Panel, archive, curves, grid, save, zoom};

/// Grids and zoomed patches of a run.
const FIGURES: usize = 5;
/// A picture is quartered only if the HR quarter has at least this many rows and columns.
const LEAST: usize = 32;

/// What one pair of figures shows: a judged picture, or a quarter of it.
struct View {
    picture: String,
    quarter: Option<Quarter>,
}

/// A quarter by name, and whether it lies below and right of the middle.
type Quarter = (&'static str, [bool; 2]);
const QUARTERS: [Quarter; 4] = [
    ("upper left", [false, false]),
    ("lower right", [true, true]),
    ("upper right", [false, true]),
    ("lower left", [true, false]),
];

/// Draws five grids (LR, bicubic, SR, HR) and five zoomed patches (HR, bicubic, SR), and the loss curves; returns the paths
/// written. They show the first five judged pictures; where there are fewer, quarters of them too. SR is what the last
/// method of the table made; every figure repeats the table's notices.
///
/// # Errors
/// A file of the run that is missing or does not read, and one that cannot be written, each with its path.
pub fn figures(run: &RunFolder) -> Result<Vec<PathBuf>> {
    let results = read_results(run)?;
    let bicubic = results.methods.iter().find(|method| method.name == "bicubic");
    let bicubic = bicubic.context("metrics.json: expected the method `bicubic`, found none: judge the run with it")?;
    let sr = results.methods.last().unwrap_or(bicubic);
    let mut written = Vec::new();
    for view in views(run, sr)? {
        written.extend(draw_view(run, &results, &view, [&bicubic.name, &sr.name])?);
    }
    written.extend(draw_curves(run, &results)?);
    Ok(written)
}

/// Whole pictures first; where they are too few, the same quarter of each large picture in turn.
fn views(run: &RunFolder, judged: &Method) -> Result<Vec<View>> {
    let whole = judged.rows.iter().map(|row| View { picture: row.picture.clone(), quarter: None });
    let mut views: Vec<View> = whole.take(FIGURES).collect();
    let missing = FIGURES - views.len();
    if missing > 0 {
        let large = large_pictures(run, judged)?;
        let quarter =
            |quarter| large.iter().map(move |picture| View { picture: picture.clone(), quarter: Some(quarter) });
        views.extend(QUARTERS.into_iter().flat_map(quarter).take(missing));
    }
    Ok(views)
}

/// The judged pictures that are large enough for quarters.
fn large_pictures(run: &RunFolder, judged: &Method) -> Result<Vec<String>> {
    let mut large = Vec::new();
    for Row { picture, .. } in &judged.rows {
        let (height, width) = read(&run.picture(picture, "hr"), Conversion::Refuse)?.size();
        if height.min(width) >= 2 * LEAST {
            large.push(picture.clone());
        }
    }
    Ok(large)
}

impl View {
    /// The part of one version of the picture that is shown. `lr` is that version's LR picture, whose pixels decide the cut,
    /// so that LR and HR show the same.
    fn of(&self, version: &Rgb8, lr: &Rgb8) -> Result<Rgb8> {
        let Some((_, [below, right])) = self.quarter else { return Ok(version.clone()) };
        let scale = version.height / lr.height;
        let (height, width) = (lr.height / 2, lr.width / 2);
        let top = if below { lr.height - height } else { 0 };
        let left = if right { lr.width - width } else { 0 };
        Ok(version.crop(top * scale, left * scale, height * scale, width * scale)?)
    }

    fn title(&self) -> String {
        self.quarter.map_or(self.picture.clone(), |(name, _)| format!("{}, {name} quarter", self.picture))
    }

    fn file(&self, kind: &str) -> String {
        let quarter = self.quarter.map_or(String::new(), |(name, _)| format!("_{}", name.replace(' ', "_")));
        format!("{kind}_{}{quarter}.png", self.picture)
    }
}

/// Packs the experiment, manifest, log, tables, checkpoints and figures of a run; see [`archive()`]. Optimisers' states,
/// twice as large as the weights and of use only where training goes on, stay in the folder.
///
/// # Errors
/// Those of [`archive()`], and a folder of checkpoints that cannot be read.
pub fn results_archive(run: &RunFolder) -> Result<PathBuf> {
    let mut files = vec![run.experiment(), run.manifest(), run.log()];
    files.extend(["csv", "json", "txt"].map(|ending| run.metrics(ending)));
    files.push(run.root().join("figures"));
    let checkpoints = run.root().join("checkpoints");
    for entry in checkpoints.read_dir().with_context(|| format!("cannot read the folder {}", checkpoints.display()))? {
        let path = entry?.path();
        if path.extension().is_none_or(|ending| ending != "state") {
            files.push(path);
        }
    }
    archive(run.root(), &files, &run.archive())
}

fn read_results(run: &RunFolder) -> Result<Results> {
    let path = run.metrics("json");
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}: it is written when training is over", path.display()))?;
    Results::from_json(&text).with_context(|| path.display().to_string())
}

/// The grid and the zoomed patch of one view; its metrics are those of what is shown.
fn draw_view(run: &RunFolder, results: &Results, view: &View, methods: [&str; 2]) -> Result<[PathBuf; 2]> {
    let open = |version: &str| read(&run.picture(&view.picture, version), Conversion::Refuse);
    let whole_lr = open("lr")?;
    let shown = |version: &str| view.of(&open(version)?, &whole_lr);
    let (lr, hr) = (shown("lr")?, shown("hr")?);
    let restored = [shown(methods[0])?, shown(methods[1])?];
    let protocol = results.protocols.first().context("metrics.json: expected a protocol, found none")?;
    let metrics = results.metrics.iter().map(|metric| protocol.column(metric.name)).collect::<Vec<_>>().join(" / ");
    let panel_of = |i: usize| -> Result<Panel> {
        let values = measure(&Versions { sr: &restored[i], hr: &hr, lr: Some(&lr) }, protocol, &results.metrics)?;
        let caption = results.metrics.iter().zip(values).map(|(metric, value)| metric.format_with_unit(value));
        Ok(panel(methods[i], &restored[i], caption.collect::<Vec<_>>().join(" / ")))
    };
    let (bicubic, sr) = (panel_of(0)?, panel_of(1)?);
    let (lr, hr) = (panel("LR", &lr, String::new()), panel("HR", &hr, String::new()));
    let title = format!("{}, ×{}", view.title(), results.scale);
    let heading = [vec![title], results.notices.clone()].concat().join("\n");
    let with_metrics = format!("{heading}\nNumbers: {metrics}");
    let paths = ["grid", "zoom"].map(|kind| run.figure(&view.file(kind)));
    // What stands under a whole picture is not true of its centre.
    let patches = [&hr, &bicubic, &sr].map(|panel| Panel { caption: String::new(), ..panel.clone() });
    let drawn = [grid(&[lr, bicubic, sr, hr], &with_metrics), zoom(&patches, &heading)];
    for (figure, path) in drawn.into_iter().zip(&paths) {
        save(&figure.with_context(|| format!("cannot draw {}", path.display()))?, path)?;
    }
    Ok(paths)
}

fn panel<'a>(title: &str, picture: &'a Rgb8, caption: String) -> Panel<'a> {
    Panel { title: title.to_owned(), picture, caption }
}

fn draw_curves(run: &RunFolder, results: &Results) -> Result<[PathBuf; 2]> {
    let log = read_log(&run.log())?;
    ensure!(!log.is_empty(), "{}: expected the rows of a training, found none", run.log().display());
    let heading =
        [vec!["Training loss, each term times its weight".to_owned()], results.notices.clone()].concat().join("\n");
    let paths = ["png", "svg"].map(|ending| run.figure(&format!("curves.{ending}")));
    save(&curves::png(&log, &heading)?, &paths[0])?;
    write_atomic(&paths[1], curves::svg(&log, &heading)?.as_bytes())?;
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use abbe_eval::{Metric, Protocol};

    use super::*;

    const LOG_ROW: &str =
        r#"{"phase":"srgan","step":0,"epoch":0,"seconds":1,"lr":1e-4,"terms":{"pixel":0.5},"raw":{}}"#;

    /// A finished run with six judged pictures, named 0 to 5.
    fn finished(root: &std::path::Path) -> RunFolder {
        let run = RunFolder::create(root, false).unwrap();
        let row = |picture| Row { picture: format!("{picture}"), values: vec![24.314, 0.7123] };
        let method = |name: &str| Method { name: name.into(), rows: (0..6).map(row).collect() };
        let methods = vec![method("bicubic"), method("srgan")];
        let (protocols, notices) =
            (vec![Protocol::named("y-crop4", 4).unwrap()], vec!["VGG-19 with random weights".to_owned()]);
        let results = Results { scale: 4, lr: "bicubic".into(), protocols, metrics: Metric::usual(), methods, notices };
        write_atomic(&run.metrics("json"), results.to_json().as_bytes()).unwrap();
        for file in [run.experiment(), run.manifest(), run.metrics("csv"), run.metrics("txt"), run.checkpoint("srgan")]
        {
            write_atomic(&file, b"x").unwrap();
        }
        write_atomic(&run.training_state("srgan"), b"x").unwrap(); // which the archive leaves out
        write_atomic(&run.log(), LOG_ROW.as_bytes()).unwrap();
        for (picture, version) in (0..6).flat_map(|i| ["lr", "hr", "bicubic", "srgan"].map(|version| (i, version))) {
            let side = if version == "lr" { 16 } else { 64 };
            let pixels = Rgb8::new(side, side, vec![40 * picture as u8; 3 * side * side]).unwrap();
            save(&pixels, &run.picture(&picture.to_string(), version)).unwrap();
        }
        run
    }

    #[test]
    fn a_finished_run_gets_five_pairs_of_figures_curves_and_an_archive() {
        let folder = tempfile::tempdir().unwrap();
        let run = finished(folder.path());
        let written = figures(&run).unwrap();
        assert_eq!(written.len(), 2 * FIGURES + 2);
        assert!(written.iter().all(|path| path.is_file()));
        assert!(std::fs::read_to_string(run.figure("curves.svg")).unwrap().contains("VGG-19 with random weights"));
        let zip = std::fs::read(results_archive(&run).unwrap()).unwrap();
        let zip = zip::ZipArchive::new(Cursor::new(zip)).unwrap();
        assert_eq!(zip.len(), 7 + written.len());
        assert!(
            zip.index_for_name("figures/grid_0.png").is_some() && zip.index_for_name("checkpoints/srgan.pth").is_some()
        );
    }

    #[test]
    fn few_pictures_are_shown_in_quarters_too() {
        let folder = tempfile::tempdir().unwrap();
        let run = finished(folder.path());
        let rows = |pictures: std::ops::Range<usize>| {
            pictures.map(|i| Row { picture: i.to_string(), values: vec![] }).collect::<Vec<_>>()
        };
        let files = |pictures| {
            let judged = Method { name: "srgan".into(), rows: rows(pictures) };
            views(&run, &judged).unwrap().iter().map(|view| view.file("grid")).collect::<Vec<_>>()
        };
        let quarters = ["grid_0_upper_left.png", "grid_1_upper_left.png", "grid_0_lower_right.png"];
        assert_eq!(files(0..2), [&["grid_0.png", "grid_1.png"][..], &quarters].concat());
        std::fs::remove_file(run.picture("0", "hr")).unwrap(); // five whole pictures are enough: no size is asked for
        assert_eq!(files(0..6).len(), FIGURES);
        // A quarter of 5x4 LR pixels at scale 4 is 2x2 of them: rows 3 and 4, columns 2 and 3 at the lower right.
        let lr = Rgb8::new(5, 4, (0..60).collect()).unwrap();
        let view = View { picture: "a".into(), quarter: Some(QUARTERS[1]) };
        assert_eq!(view.of(&lr, &lr).unwrap(), lr.crop(3, 2, 2, 2).unwrap());
        let hr = Rgb8::new(20, 16, vec![0; 960]).unwrap();
        assert_eq!(view.of(&hr, &lr).unwrap().size(), (8, 8));
    }

    #[test]
    fn a_missing_table_or_picture_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let run = finished(folder.path());
        std::fs::remove_file(run.picture("3", "srgan")).unwrap();
        assert!(format!("{:#}", figures(&run).unwrap_err()).contains("srgan.png"));
        std::fs::remove_file(run.metrics("json")).unwrap();
        assert!(format!("{:#}", figures(&run).unwrap_err()).contains("metrics.json"));
    }
}
