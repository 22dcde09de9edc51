//! `abbe report`

use std::path::{Path, PathBuf};

use abbe_models::Choice;
use abbe_run::{RunFolder, write_atomic};
use anyhow::{Result, ensure};
use tch::Device;

use crate::output::keep_apart;

/// One HTML page about a run, with a notebook for PyTorch; of several runs a page that compares them
///
/// The page holds everything itself: tables to sort, a wipe between any two versions of a test picture, figures, curves,
/// settings, hashes. Of a run that was stopped it shows what there is. Example: abbe report runs/demo
#[derive(clap::Args)]
pub struct Arguments {
    /// Folders that `abbe train` or `abbe demo` wrote
    #[arg(value_name = "RUN_DIR", required = true)]
    runs: Vec<PathBuf>,
    /// Where to write the page: a file, or a folder [default: report.html in the run's folder, which also gets
    /// notebook.ipynb and srgan_results.zip anew; of several runs comparison.html here]
    #[arg(short, long, value_name = "FILE|DIR")]
    out: Option<PathBuf>,
    /// Where to write the notebook
    #[arg(long, value_name = "FILE")]
    notebook: Option<PathBuf>,
    /// Replace files that are there already
    #[arg(long)]
    overwrite: bool,
}

/// Writes the page, and what goes with it.
///
/// # Errors
/// A folder without a run; a file that is there already or cannot be written. After the rest was written: results that do not
/// read; a notebook that was asked for of a run that has nothing to compute again; of a judged run the notebook or the archive.
pub fn run(arguments: &Arguments) -> Result<()> {
    let runs = arguments.runs.iter().map(|run| RunFolder::open(run)).collect::<Result<Vec<_>, _>>()?;
    ensure!(
        arguments.notebook.is_none() || runs.len() == 1,
        "--notebook is for one run, found {}: give them one by one",
        runs.len()
    );
    let own = if let ([run], None) = (&runs[..], &arguments.out) { Some(run) } else { None };
    let page = own.map_or_else(|| arguments.page(&runs), |run| Ok(run.report()))?;
    if let Some(notebook) = &arguments.notebook {
        keep_apart(&[&page], notebook, arguments.overwrite)?;
    }
    let mut failed = write_page(&runs, &page)?;
    println!("{}", page.display());
    if let (Some(place), [run]) = (&arguments.notebook, &runs[..]) {
        failed.extend(failure("no notebook", write_notebook(run, place)));
    }
    if let Some(run) = own {
        failed.extend(complete(run, arguments.notebook.is_none()));
    }
    ensure!(failed.is_empty(), "{}", failed.join("\n  "));
    Ok(())
}

impl Arguments {
    /// Where a page goes that is not in the folder of its run.
    fn page(&self, runs: &[RunFolder]) -> Result<PathBuf> {
        let out = self.out.as_deref().unwrap_or(Path::new("comparison.html"));
        let page = if out.is_dir() { out.join("report.html") } else { out.to_path_buf() };
        let inputs: Vec<PathBuf> =
            runs.iter().flat_map(|run| [run.experiment(), run.manifest(), run.log(), run.metrics("json")]).collect();
        keep_apart(&inputs.iter().map(PathBuf::as_path).collect::<Vec<_>>(), &page, self.overwrite)?;
        Ok(page)
    }
}

/// The notebook and the archive in the folder of a run that has results; returns what of them failed. A run without results
/// was stopped, which is no failure of its report.
fn complete(run: &RunFolder, with_notebook: bool) -> Vec<String> {
    if !run.metrics("json").is_file() {
        eprintln!("notice: no notebook and no archive: the run was not judged");
        return Vec::new();
    }
    let notebook = with_notebook.then(|| failure("no notebook", write_notebook(run, &run.notebook()))).flatten();
    notebook.into_iter().chain(failure("no archive", abbe_viz::results_archive(run))).collect()
}

/// Prints the path of what was written; returns why it was not.
fn failure(what: &str, written: Result<PathBuf>) -> Option<String> {
    let path = written.map_err(|error| format!("{what}: {error:#}"));
    path.map(|path| println!("{}", path.display())).err()
}

/// Writes the page and the notebook into the folder of a finished run; returns their paths.
///
/// # Errors
/// A file that cannot be written, a checkpoint that does not read.
pub fn finish(run: &RunFolder) -> Result<[PathBuf; 2]> {
    let unread = write_page(std::slice::from_ref(run), &run.report())?;
    ensure!(unread.is_empty(), "{}", unread.join("\n  "));
    Ok([run.report(), write_notebook(run, &run.notebook())?])
}

/// Writes the page; returns which results do not read.
fn write_page(runs: &[RunFolder], page: &Path) -> Result<Vec<String>> {
    let report = abbe_viz::report(runs)?;
    report.missing.iter().for_each(|what| eprintln!("notice: not in the report: {what}"));
    write_atomic(page, report.html.as_bytes())?;
    Ok(report.unread)
}

fn write_notebook(run: &RunFolder, place: &Path) -> Result<PathBuf> {
    let judgement = abbe_viz::judgement(run)?;
    let opened = abbe_models::open(&judgement.checkpoint, &Choice::default(), Device::Cpu)?;
    let text = abbe_viz::notebook(run, &judgement, &opened.config.python(), place)?;
    write_atomic(place, text.as_bytes())?;
    Ok(place.to_path_buf())
}
