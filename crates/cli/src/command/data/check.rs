//! `abbe data check`

use std::fmt::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use abbe_data::check::{Check, Finding, Report, Settings, Severity, Split, Summary};
use abbe_data::image::Conversion;
use abbe_data::pair::{Lr, Source};
use abbe_data::resample::Border;
use abbe_train::Experiment;
use anyhow::{Context, Result, bail, ensure};

use crate::ascii::{ascii_json, short};
use crate::measures::least_judgeable;
use crate::{progress, stop};

/// Look at every picture of training and test sets: what is broken, doubled, leaking, or not what it should be
///
/// Errors are what training or evaluation would stop at: files that are no whole picture, pictures that are too small (for
/// the scale, for the patch if they are trained on, for PSNR and SSIM if they are judged on), that have no partner, the wrong
/// size or (without --convert) the wrong kind of pixels, LR pictures of something else, pictures that are both trained and
/// judged on as they are. Warnings are what makes results doubtful: duplicates, pictures that are judged on and, rescaled,
/// mirrored, or cut to no less than half of each side, trained on, LR pictures beside their place or made by no known kernel.
///
/// Ends with status 0 if there are no errors (with --strict: no warnings either), else with 1.
///
/// Example: abbe data check experiments/srcnn.toml --against benchmarks/Set5
#[derive(clap::Args)]
#[command(group = clap::ArgGroup::new("pictures").required(true).args(["experiment", "hr"]))]
pub struct Arguments {
    /// Check the training and test pictures of an experiment, as it uses them
    #[arg(
        value_name = "EXPERIMENT.toml",
        conflicts_with_all = ["lr", "scale", "patch", "batch", "workers", "convert"]
    )]
    experiment: Option<PathBuf>,
    /// Check a folder of HR pictures, as training pictures
    #[arg(long, value_name = "DIR")]
    hr: Option<PathBuf>,
    /// The folder of their LR pictures
    #[arg(long, value_name = "DIR", requires = "hr")]
    lr: Option<PathBuf>,
    /// How many times larger HR is than LR [default: 4]
    #[arg(long, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=16))]
    scale: Option<usize>,
    /// Side of the HR patches that training pictures must hold [default: any size will do]
    #[arg(long, value_name = "PIXELS")]
    patch: Option<usize>,
    /// A folder of HR pictures that are judged on, as in a benchmark; may be given several times
    #[arg(long, value_name = "DIR", num_args = 1..)]
    against: Vec<PathBuf>,
    /// Accept grey, 16-bit and transparent pictures
    #[arg(long)]
    convert: bool,
    /// Patches in a batch, for the loader's speed [default: 16]
    #[arg(long, value_name = "N", value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=4096))]
    batch: Option<usize>,
    /// Threads of the loader [default: the processors]
    #[arg(long, value_name = "N", value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=256))]
    workers: Option<usize>,
    /// End with status 1 for warnings, too
    #[arg(long)]
    strict: bool,
    /// Print JSON: all findings, of which the text shows the first of each kind
    #[arg(long)]
    json: bool,
}

/// Examines the pictures and says what was found.
///
/// # Errors
/// Settings that fit no picture, and findings that are errors.
pub fn run(arguments: &Arguments) -> Result<()> {
    let (mut splits, settings) = match (&arguments.experiment, &arguments.hr) {
        (Some(experiment), _) => of_experiment(experiment)?,
        (None, Some(hr)) => of_folders(hr, arguments)?,
        (None, None) => bail!("name an experiment, or a folder with --hr"),
    };
    splits.extend(arguments.against.iter().map(|folder| against(folder)));
    let check = Check::new(splits, settings)?;
    let bar = progress::bar("check", check.steps() as u64);
    let after = || {
        bar.inc(1);
        if stop::requested() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let report = check.run(&after);
    bar.finish_and_clear();
    stop::check()?;
    let report = report.context("the check broke off")?;
    match arguments.json {
        true => println!("{}", ascii_json(&report)?),
        false => print!("{}", text(&report)?),
    }
    let (errors, warnings) = (count(&report, Severity::Error), count(&report, Severity::Warning));
    ensure!(errors == 0, "{} would break training or evaluation", counted(errors, "finding"));
    ensure!(!arguments.strict || warnings == 0, "{}, and --strict allows none", counted(warnings, "warning"));
    Ok(())
}

/// The training pictures, those of validation where it has its own, and the test pictures.
fn of_experiment(path: &Path) -> Result<(Vec<Split>, Settings)> {
    let Experiment { scale, data, .. } = Experiment::read(path)?;
    let judgeable = least_judgeable(scale)?;
    let settings = Settings { scale, patch: Some(data.patch), judgeable, batch: data.batch, workers: data.workers };
    let train = Split { name: "train".into(), source: data.train, training: true };
    let test = Split { name: "test".into(), source: data.test, training: false };
    let validation = data.validation.map(|source| Split { name: "validation".into(), source, training: false });
    Ok(([train].into_iter().chain(validation).chain([test]).collect(), settings))
}

fn of_folders(hr: &Path, arguments: &Arguments) -> Result<(Vec<Split>, Settings)> {
    let processors = std::thread::available_parallelism().map_or(1, |count| count.get());
    let scale = arguments.scale.unwrap_or(4);
    let settings = Settings {
        scale,
        patch: arguments.patch,
        judgeable: least_judgeable(scale)?,
        batch: arguments.batch.unwrap_or(16),
        workers: arguments.workers.unwrap_or(processors),
    };
    let conversion = if arguments.convert { Conversion::Convert } else { Conversion::Refuse };
    let lr = arguments.lr.clone().map_or(MADE, Lr::Folder);
    let source = Source { hr: hr.into(), lr, conversion };
    Ok((vec![Split { name: "train".into(), source, training: true }], settings))
}

/// Where LR pictures are not read, it does not matter how they are made.
const MADE: Lr = Lr::Bicubic { border: Border::Replicate };

/// A benchmark: evaluation reads whatever pixels it has.
fn against(folder: &Path) -> Split {
    let source = Source { hr: folder.into(), lr: MADE, conversion: Conversion::Convert };
    Split { name: folder.display().to_string(), source, training: false }
}

fn count(report: &Report, severity: Severity) -> usize {
    report.findings.iter().filter(|finding| finding.severity == severity).count()
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// The longest that is shown of a message.
const LONGEST: usize = 600;

/// How many findings of one kind are shown.
const SHOWN: usize = 10;

/// The splits, then the findings: the gravest first, those of one kind together.
fn text(report: &Report) -> Result<String> {
    let mut text = String::new();
    for split in &report.splits {
        summary(&mut text, split)?;
    }
    if let Some(loader) = &report.loader {
        writeln!(
            text,
            "loader: {:.0} patches/s of {}x{} in batches of {}, {}, {}",
            loader.patches_per_second,
            loader.patch,
            loader.patch,
            loader.batch,
            counted(loader.workers, "worker"),
            counted(loader.pictures, "picture"),
        )?;
    }
    for findings in report.findings.chunk_by(|a, b| (a.severity, a.kind) == (b.severity, b.kind)) {
        writeln!(text)?;
        for finding in &findings[..findings.len().min(SHOWN)] {
            writeln!(text, "{}: {}: {}", level(finding), short(&finding.split, 200), short(&finding.message, LONGEST))?;
        }
        if findings.len() > SHOWN {
            let kind = serde_json::to_string(&findings[0].kind)?;
            writeln!(text, "... and {} more of {kind}: see --json", findings.len() - SHOWN)?;
        }
    }
    Ok(text)
}

fn level(finding: &Finding) -> &'static str {
    match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}

fn summary(text: &mut String, split: &Summary) -> Result<()> {
    let Summary { pictures, readable, errors, warnings, .. } = split;
    write!(text, "{}: {}", short(&split.name, 200), counted(*pictures, "picture"))?;
    let folder = split.hr.display().to_string();
    if folder != split.name {
        write!(text, " in {}", short(&folder, 200))?;
    }
    if let (Some(smallest), Some(largest)) = (split.smallest, split.largest) {
        write!(text, ", {}x{} to {}x{} (height x width)", smallest.0, smallest.1, largest.0, largest.1)?;
    }
    writeln!(text, ": {}, {}", counted(*errors, "error"), counted(*warnings, "warning"))?;
    if readable < pictures {
        writeln!(text, "    {} of them cannot be read", pictures - readable)?;
    }
    for (found, count) in &split.converted {
        writeln!(text, "    {}: {found}", counted(*count, "file"))?;
    }
    for made in &split.made {
        writeln!(
            text,
            "    {}: {} ({:.2} % of values or more identical, mean difference {:.3}, largest {})",
            counted(made.pictures, "LR picture"),
            made.recipe,
            100.0 * made.identical,
            made.mean,
            made.max
        )?;
    }
    if split.made_otherwise > 0 {
        writeln!(text, "    {}: made by no known kernel", counted(split.made_otherwise, "LR picture"))?;
    }
    if split.others > 0 {
        writeln!(text, "    passed over because no pictures, or hidden: {}", split.others)?;
    }
    Ok(())
}
