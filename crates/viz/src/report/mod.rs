//! One page about one run or several: everything in one HTML file that asks the network for nothing.

mod embed;
mod facts;
mod figure;
mod group;
mod page;
mod pictures;
mod rule;
mod run;
mod section;
mod table;

use abbe_run::RunFolder;
use anyhow::{Result, ensure};

use page::Page;
use run::Run;

/// A page, and what it lacks.
pub struct Report {
    /// The text of the HTML file.
    pub html: String,
    /// What the runs do not have, or what does not read, a sentence for each; the page says the same.
    pub missing: Vec<String>,
    /// Of that, the tables of results that are there and do not read.
    pub unread: Vec<String>,
}

/// The report on `runs`: what was run, tables of metrics that can be sorted, pictures with a wipe between any two of their
/// versions, figures, curves, experiment, environment, checkpoints with their SHA-256, and how to do it again. Several runs
/// are compared; those judged on other pictures than the first, as the hashes in their manifests say, get tables of their own.
///
/// The page holds its style, script and pictures itself and forbids the browser to load anything (a Content Security
/// Policy). What a run lacks, because it was interrupted say, the page says; the rest is there all the same.
///
/// # Errors
/// No run, or the same run twice.
pub fn report(runs: &[RunFolder]) -> Result<Report> {
    ensure!(!runs.is_empty(), "a report needs at least one run, found none");
    let runs: Vec<Run> = names(runs)?.into_iter().zip(runs).map(|(name, folder)| Run::read(folder, name)).collect();
    let page = Page::new(&runs);
    let unread = runs.iter().flat_map(|run| run.unread.clone()).collect();
    Ok(Report { html: page.html()?, missing: page.missing, unread })
}

/// What tells the runs apart: the names of their folders, or their paths where those are the same.
fn names(runs: &[RunFolder]) -> Result<Vec<String>> {
    let path = |run: &RunFolder| run.root().canonicalize().unwrap_or_else(|_| run.root().to_path_buf());
    let mut paths: Vec<_> = runs.iter().map(path).collect();
    let short =
        |run: &std::path::PathBuf| run.file_name().map_or("run".into(), |name| name.to_string_lossy().into_owned());
    let names: Vec<String> = paths.iter().map(short).collect();
    let given = |run: &RunFolder| run.root().display().to_string();
    paths.sort();
    if let Some(twice) = paths.windows(2).find(|pair| pair[0] == pair[1]) {
        anyhow::bail!("{} was given twice: name each run once", twice[0].display());
    }
    let unique = names.iter().all(|name| names.iter().filter(|other| *other == name).count() == 1);
    Ok(if unique { names } else { runs.iter().map(given).collect() })
}

#[cfg(test)]
mod tests {
    use abbe_run::write_atomic;
    use serde_json::json;

    use super::*;
    use crate::figures::tests::finished;

    /// The finished run with a manifest that says what it was judged on, and an experiment that would like to run.
    fn run(folder: &std::path::Path, name: &str, test_set: &str) -> RunFolder {
        let run = finished(&folder.join(name));
        let manifest = json!({
            "experiment": name, "outcome": "finished", "started_unix": 0, "seconds": 90.0, "test": { "sha256": test_set },
            "notices": ["VGG-19 with random weights"], "networks": [{ "name": "generator", "parameters": 1234 }],
        });
        write_atomic(&run.manifest(), manifest.to_string().as_bytes()).unwrap();
        let experiment = format!("name = \"{name}\"\n# </pre><script>alert(1)</script>\nseed = {}\n", name.len());
        write_atomic(&run.experiment(), experiment.as_bytes()).unwrap();
        run
    }

    #[test]
    fn a_page_holds_everything_itself() {
        let folder = tempfile::tempdir().unwrap();
        let run = run(folder.path(), "one", "aa");
        write_atomic(&run.checkpoint("srgan_final"), b"x").unwrap();
        let drawn = crate::figures(&run, crate::Patch::default());
        assert!(drawn.missing.is_empty(), "{:?}", drawn.missing);
        let Report { html, missing, unread } = report(&[run]).unwrap();
        assert!(missing.is_empty() && unread.is_empty(), "{missing:?}");
        for part in [
            "<h1>one</h1>",
            "finished in 1.5 minutes",
            "VGG-19 with random weights",
            "<strong>24.31</strong>",
            "data-value=\"24.314\"",
            "Y of ITU-R BT.601",
            "alt=\"3, srgan\"",
            "Embedded pixel for pixel: 6 of 6 judged pictures",
            "Numbers: psnr_y_crop4 / ssim_y_crop4.",
            "24.31 dB / 0.7123",
            "alt=\"Figure: Restored frequencies: 0\"",
            "alt=\"Figure: Training\"",
            "&#60;/pre&#62;&#60;script&#62;alert(1)",
            "1970-01-01 00:00 UTC",
            // SHA-256 of the one byte `x`, of which the checkpoint consists
            "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881",
            "abbe train experiment.toml",
            "--model checkpoints/srgan_final.pth --hr DIR --scale 4",
        ] {
            assert!(html.contains(part), "`{part}` is not on the page");
        }
        assert!(!html.contains("<script>alert"), "what a file holds must not run");
        assert!(!html.contains("://"), "nothing may be loaded");
    }

    #[test]
    fn a_run_that_was_stopped_says_so_and_shows_what_it_has() {
        let folder = tempfile::tempdir().unwrap();
        let run = run(folder.path(), "one", "aa");
        std::fs::remove_file(run.metrics("json")).unwrap();
        write_atomic(&run.manifest(), br#"{"outcome": "stopped: in phase `srgan`: stopped by Ctrl-C"}"#).unwrap();
        let Report { html, missing, unread } = report(std::slice::from_ref(&run)).unwrap();
        assert!(html.contains("NOT FINISHED. It was stopped: in phase") && html.contains("alt=\"Figure: Training\""));
        assert!(missing.len() == 1 && missing[0].contains("metrics.json") && html.contains("What this report lacks"));
        assert!(unread.is_empty(), "{unread:?}");
        let log = std::fs::read_to_string(run.log()).unwrap();
        write_atomic(&run.log(), (log.clone() + &log[..9]).as_bytes()).unwrap();
        write_atomic(&run.metrics("json"), b"{").unwrap();
        let Report { html, missing, unread } = report(std::slice::from_ref(&run)).unwrap();
        assert!(html.contains("alt=\"Figure: Training\"") && missing[1].contains("line 2 of the log"), "{missing:?}");
        assert!(missing.len() == 2 && unread == missing[..1], "{unread:?}");
        std::fs::remove_dir_all(run.root()).unwrap();
        let run = RunFolder::create(run.root(), false).unwrap();
        write_atomic(&run.experiment(), b"name = \"empty\"").unwrap();
        let Report { html, missing, .. } = report(&[run]).unwrap();
        assert!(html.contains("is not known") && html.contains("has none"), "{html}");
        assert_eq!(missing.len(), 4, "{missing:?}"); // environment, tables, curves, checkpoints
    }

    #[test]
    fn published_rows_stand_below_and_are_never_best() {
        let folder = tempfile::tempdir().unwrap();
        let run = run(folder.path(), "one", "aa");
        let mut results = crate::figures::read_results(&run).unwrap();
        results.methods.remove(0);
        results.published = Some(abbe_eval::Published::find("set5", 4, &results.protocols).unwrap());
        write_atomic(&run.metrics("json"), results.to_json().as_bytes()).unwrap();
        let html = report(&[run]).unwrap().html;
        let (_, below) = html.split_once("as published, not measured here").unwrap();
        let (rows, sources) = below.split_once("</tbody>").unwrap();
        assert!(rows.contains("EDSR (Lim et al. 2017)</th><td>32.46</td>") && !rows.contains("<strong>"), "{rows}");
        assert!(sources.contains("Published for Set5 at x4") && sources.contains("Lim et al. 2017: "));
        assert!(!html.contains("<strong>") && !html.contains("best in bold"), "a single method is not the best");
    }

    #[test]
    fn only_runs_judged_on_the_same_pictures_share_a_table() {
        let folder = tempfile::tempdir().unwrap();
        let [a, b, other] =
            [("one", "aa"), ("three", "aa"), ("other", "bb")].map(|(name, set)| run(folder.path(), name, set));
        let table = std::fs::read_to_string(b.metrics("json")).unwrap();
        // of the second run SRGAN alone got better
        let (before, srgan) = table.split_at(table.find("\"srgan\"").unwrap());
        write_atomic(&b.metrics("json"), (before.to_owned() + &srgan.replace("24.314", "25.5")).as_bytes()).unwrap();
        let html = report(&[a.clone(), b.clone()]).unwrap().html;
        assert!(html.contains("<th scope=\"row\">every run</th><th scope=\"row\">bicubic</th>"));
        assert!(html.contains("<strong>25.50</strong>") && !html.contains("<strong>24.31</strong>"));
        assert!(html.contains("three srgan − one srgan") && html.contains("<strong>+1.19</strong>"));
        assert!(html.contains("<td class=\"text\">3</td><td class=\"text\">5</td>"), "the seeds differ");
        assert!(!html.contains("do not compare"));
        let html = report(&[a.clone(), b, other]).unwrap().html;
        assert!(html.contains("2 different sets of test pictures") && html.contains("one, three: ×4, 6 pictures"));
        let twice = report(&[a.clone(), a]).err().unwrap().to_string();
        assert!(twice.contains("given twice"), "{twice}");
    }
}
