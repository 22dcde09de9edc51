//! One page about one run or several: everything in one HTML file that asks the network for nothing.

mod embed;
mod facts;
mod figure;
mod group;
mod page;
mod pictures;
mod run;
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
    Ok(Report { html: page.html()?, missing: page.missing })
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
