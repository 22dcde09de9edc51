//! Every figure of a run, from the files in its folder.

use std::path::PathBuf;

use abbe_data::image::{Conversion, Rgb8, read};
use abbe_eval::{Method, Results};
use abbe_run::{RunFolder, read_log, write_atomic};
use anyhow::{Context, Result, ensure};

use crate::{Panel, archive, curves, grid, save, zoom};

/// Pictures that get figures; those after them stand in the tables only.
const PICTURES: usize = 5;

/// Draws a grid (LR, bicubic, SR, HR) and a zoomed patch (HR, bicubic, SR) for each of the first five judged pictures, and
/// the loss curves; returns the paths written. SR is what the last method of the table made; every figure repeats the
/// table's notices.
///
/// # Errors
/// A file of the run that is missing or does not read, and one that cannot be written, each with its path.
pub fn figures(run: &RunFolder) -> Result<Vec<PathBuf>> {
    let results = read_results(run)?;
    let bicubic = results.methods.iter().find(|method| method.name == "bicubic");
    let bicubic = bicubic.context("metrics.json: expected the method `bicubic`, found none: judge the run with it")?;
    let sr = results.methods.last().unwrap_or(bicubic);
    let mut written = Vec::new();
    for row in sr.rows.iter().take(PICTURES) {
        written.extend(draw_picture(run, &results, &row.picture, [bicubic, sr])?);
    }
    written.extend(draw_curves(run, &results)?);
    Ok(written)
}

/// Packs the experiment, manifest, log, tables, checkpoints and figures of a run; see [`archive()`].
///
/// # Errors
/// Those of [`archive()`].
pub fn results_archive(run: &RunFolder) -> Result<PathBuf> {
    let mut files = vec![run.experiment(), run.manifest(), run.log()];
    files.extend(["csv", "json", "txt"].map(|ending| run.metrics(ending)));
    files.extend(["checkpoints", "figures"].map(|name| run.root().join(name)));
    archive(run.root(), &files, &run.archive())
}

fn read_results(run: &RunFolder) -> Result<Results> {
    let path = run.metrics("json");
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}: it is written when training is over", path.display()))?;
    Results::from_json(&text).with_context(|| path.display().to_string())
}

/// The grid and the zoomed patch of one picture.
fn draw_picture(run: &RunFolder, results: &Results, picture: &str, methods: [&Method; 2]) -> Result<[PathBuf; 2]> {
    let open = |version: &str| Ok::<_, anyhow::Error>(read(&run.picture(picture, version), Conversion::Refuse)?);
    let (lr, hr) = (open("lr")?, open("hr")?);
    let restored = [open(&methods[0].name)?, open(&methods[1].name)?];
    let [bicubic, sr] = [0, 1].map(|i| panel(&methods[i].name, &restored[i], caption(methods[i], picture)));
    let metrics = results.columns().into_iter().take(2).collect::<Vec<_>>().join(" / ");
    let (lr, hr) = (panel("LR", &lr, String::new()), panel("HR", &hr, metrics));
    let heading = [vec![format!("{picture}, ×{}", results.scale)], results.notices.clone()].concat().join("\n");
    let paths = ["grid", "zoom"].map(|kind| run.figure(&format!("{kind}_{picture}.png")));
    let drawn = [grid(&[lr, bicubic.clone(), sr.clone(), hr.clone()], &heading), zoom(&[hr, bicubic, sr], &heading)];
    for (figure, path) in drawn.into_iter().zip(&paths) {
        save(&figure.with_context(|| format!("cannot draw {}", path.display()))?, path)?;
    }
    Ok(paths)
}

fn panel<'a>(title: &str, picture: &'a Rgb8, caption: String) -> Panel<'a> {
    Panel { title: title.to_owned(), picture, caption }
}

/// PSNR and SSIM of a picture under the table's first protocol.
fn caption(method: &Method, picture: &str) -> String {
    match method.rows.iter().find(|row| row.picture == picture).map(|row| &row.values[..]) {
        Some([psnr, ssim, ..]) => format!("{psnr:.2} dB / {ssim:.4}"),
        _ => String::new(),
    }
}

fn draw_curves(run: &RunFolder, results: &Results) -> Result<[PathBuf; 2]> {
    let log = read_log(&run.log())?;
    ensure!(!log.is_empty(), "{}: expected the rows of a training, found none", run.log().display());
    let heading = [vec!["Training loss".to_owned()], results.notices.clone()].concat().join("\n");
    let paths = ["png", "svg"].map(|ending| run.figure(&format!("curves.{ending}")));
    save(&curves::png(&log, &heading)?, &paths[0])?;
    write_atomic(&paths[1], curves::svg(&log, &heading)?.as_bytes())?;
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use abbe_eval::{Protocol, Row};

    use super::*;

    const LOG_ROW: &str =
        r#"{"phase":"srgan","step":0,"epoch":0,"seconds":1,"lr":1e-4,"terms":{"pixel":0.5},"raw":{}}"#;

    /// A finished run with six judged pictures, named 0 to 5.
    fn finished(root: &std::path::Path) -> RunFolder {
        let run = RunFolder::create(root, false).unwrap();
        let row = |picture| Row { picture: format!("{picture}"), values: vec![24.314, 0.7123] };
        let method = |name: &str| Method { name: name.into(), rows: (0..6).map(row).collect() };
        let methods = vec![method("bicubic"), method("srgan")];
        let (protocols, notices) = (vec![Protocol::y_crop(4)], vec!["VGG-19 with random weights".to_owned()]);
        let results = Results { scale: 4, lr: "bicubic".into(), protocols, methods, notices };
        write_atomic(&run.metrics("json"), results.to_json().as_bytes()).unwrap();
        for file in [run.experiment(), run.manifest(), run.metrics("csv"), run.metrics("txt"), run.checkpoint("srgan")]
        {
            write_atomic(&file, b"x").unwrap();
        }
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
        assert_eq!(written.len(), 2 * PICTURES + 2);
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
    fn a_caption_holds_the_metrics_of_its_picture() {
        let rows = vec![Row { picture: "a".into(), values: vec![24.314, 0.7123, 23.0, 0.6] }];
        let method = Method { name: "srgan".into(), rows };
        assert_eq!(caption(&method, "a"), "24.31 dB / 0.7123");
        assert_eq!(caption(&method, "b"), "");
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
