//! `abbe report`

use std::path::{Path, PathBuf};

use abbe_models::Choice;
use abbe_run::{RunFolder, write_atomic};
use anyhow::{Context, Result, ensure};
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
/// A folder without a run; a file that is there already or cannot be written; a notebook that was asked for of a run that has
/// nothing to compute again.
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
    write_page(&runs, &page)?;
    println!("{}", page.display());
    if let (Some(place), [run]) = (&arguments.notebook, &runs[..]) {
        write_notebook(run, place).context("no notebook")?;
        println!("{}", place.display());
    }
    own.map_or(Ok(()), |run| complete(run, arguments.notebook.is_none()))
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

/// The notebook and the archive in the folder of a run that has results; of another the reasons why not.
fn complete(run: &RunFolder, with_notebook: bool) -> Result<()> {
    if !run.metrics("json").is_file() {
        eprintln!("notice: no notebook and no archive: the run was not judged");
        return Ok(());
    }
    if with_notebook {
        match write_notebook(run, &run.notebook()) {
            Ok(()) => println!("{}", run.notebook().display()),
            Err(error) => eprintln!("notice: no notebook: {error:#}"),
        }
    }
    match abbe_viz::results_archive(run) {
        Ok(archive) => println!("{}", archive.display()),
        Err(error) => eprintln!("notice: no archive: {error:#}"),
    }
    Ok(())
}

/// Writes the page and the notebook into the folder of a finished run; returns their paths.
///
/// # Errors
/// A file that cannot be written, a checkpoint that does not read.
pub fn finish(run: &RunFolder) -> Result<[PathBuf; 2]> {
    write_page(std::slice::from_ref(run), &run.report())?;
    write_notebook(run, &run.notebook())?;
    Ok([run.report(), run.notebook()])
}

fn write_page(runs: &[RunFolder], page: &Path) -> Result<()> {
    let report = abbe_viz::report(runs)?;
    report.missing.iter().for_each(|what| eprintln!("notice: not in the report: {what}"));
    Ok(write_atomic(page, report.html.as_bytes())?)
}

fn write_notebook(run: &RunFolder, place: &Path) -> Result<()> {
    let judgement = abbe_viz::judgement(run)?;
    let opened = abbe_models::open(&judgement.checkpoint, &Choice::default(), Device::Cpu)?;
    let text = abbe_viz::notebook(run, &judgement, &opened.config.python(), place)?;
    Ok(write_atomic(place, text.as_bytes())?)
}
