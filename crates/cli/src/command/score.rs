//! `abbe score`

use std::path::{Path, PathBuf};

use abbe_data::image::Conversion;
use abbe_eval::folders::{Folders, for_each};
use abbe_eval::{Method, Registration, Results, register};
use anyhow::{Context, Result};

use crate::device::DeviceArgument;
use crate::measures::{MeasureArguments, of_other_lr, published};
use crate::{method, stop, workflow};

/// Measure pictures that exist already against their references, matched by name
///
/// Example: abbe score results/bicubic results/mine Set5/HR --protocol y-crop4 --protocol ntire --metrics psnr,ssim,gmsd
#[derive(clap::Args)]
pub struct Arguments {
    /// Folders of restored pictures, one per method
    #[arg(required = true, value_name = "SR_DIR")]
    sr: Vec<PathBuf>,
    /// Folder of references
    #[arg(required = true, value_name = "HR_DIR")]
    hr: PathBuf,
    /// Folder of the LR pictures, which lr_psnr needs
    #[arg(long, value_name = "DIR")]
    lr: Option<PathBuf>,
    /// How many times larger HR is than LR
    #[arg(long, default_value_t = 4, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=16))]
    scale: usize,
    #[command(flatten)]
    measures: MeasureArguments,
    /// Set beside the result what others published for these pictures: set5, set14, bsd100, urban100, div2k-valid, report
    #[arg(long, value_name = "SET")]
    published: Option<String>,
    /// Say of each picture how far it is shifted and off in colour, and its PSNR once that is removed, instead of metrics
    #[arg(long, conflicts_with_all = ["protocols", "metrics", "lpips_weights", "lr", "published", "out"])]
    register: bool,
    /// Accept grey (made three channels), 16-bit (rounded) and transparent pictures (alpha is dropped)
    #[arg(long)]
    convert: bool,
    /// Also write metrics.csv, .json, .txt, .md and .tex there
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print JSON instead of the table
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    device: DeviceArgument,
}

/// Measures the pictures.
///
/// # Errors
/// What is wrong with a picture, a protocol or the folder to write to; and what was not measured, once the rest is printed.
pub fn run(arguments: &Arguments) -> Result<()> {
    let shown: Vec<String> = arguments.sr.iter().map(|folder| folder.display().to_string()).collect();
    let names = method::names("SR_DIR", &shown, Path::file_name)?;
    if arguments.register {
        return registrations(arguments, &names);
    }
    let measures = arguments.measures.choice(arguments.scale, arguments.device.find()?)?;
    let published = published(arguments.published.as_deref(), arguments.scale, &measures.protocols)?;
    if let Some(published) = &published {
        published.check(abbe_data::folder::pictures(&arguments.hr)?.len())?;
    }
    let mut methods = Vec::new();
    for (name, sr) in names.iter().zip(&arguments.sr) {
        let rows = measures.rows(&folders(arguments, sr), stop::check);
        methods.push(Method { name: name.clone(), rows: rows.with_context(|| sr.display().to_string())? });
    }
    let notices = Vec::from_iter(of_other_lr(published.as_ref(), None));
    let results = Results { published, ..measures.results(lr(arguments), methods, notices) };
    show(arguments, &results)
}

fn show(arguments: &Arguments, results: &Results) -> Result<()> {
    if let Some(out) = &arguments.out {
        let path = |ending: &str| out.join(format!("metrics.{ending}"));
        workflow::write_tables(results, path).context("the tables")?;
    }
    println!("{}", if arguments.json { results.to_json() } else { results.to_text() }.trim_end());
    Ok(results.complete()?)
}

fn folders<'a>(arguments: &'a Arguments, sr: &'a Path) -> Folders<'a> {
    let conversion = if arguments.convert { Conversion::Convert } else { Conversion::Refuse };
    Folders { sr, hr: &arguments.hr, lr: arguments.lr.as_deref(), conversion, scale: arguments.scale }
}

fn lr(arguments: &Arguments) -> String {
    match &arguments.lr {
        Some(folder) => format!("read from {}", folder.display()),
        None => "not known, sr was read from files".into(),
    }
}

fn registrations(arguments: &Arguments, names: &[String]) -> Result<()> {
    let mut all = Vec::new();
    for (name, sr) in names.iter().zip(&arguments.sr) {
        let found = for_each(&folders(arguments, sr), |picture, versions| {
            stop::check()?;
            let found = register(versions.sr, versions.hr).with_context(|| picture.to_owned())?;
            Ok::<_, anyhow::Error>((picture.to_owned(), found))
        });
        all.extend(
            found.with_context(|| sr.display().to_string())?.into_iter().map(|(picture, found)| (name, picture, found)),
        );
    }
    if arguments.json {
        let row = |(method, picture, found): &(&String, String, Registration)| serde_json::json!({ "method": method, "picture": picture, "registration": found });
        println!("{:#}", serde_json::Value::from_iter(all.iter().map(row)));
        return Ok(());
    }
    println!("shift: pixels down, right; gain, cast: of R, G, B, 0 to 255; psnr: dB, RGB without border\n");
    all.iter().for_each(|(method, picture, found)| println!("{method} {picture}: {}", line(found)));
    Ok(())
}

fn line(found: &Registration) -> String {
    let three = |values: [f64; 3], decimals: usize| values.map(|value| format!("{value:.decimals$}")).join(" ");
    format!(
        "shift {:+.2} {:+.2}, gain {}, cast {}, psnr {:.2}, without shift {:.2}, without gain and cast too {:.2}",
        found.shift[0],
        found.shift[1],
        three(found.gain, 3),
        three(found.cast, 1),
        found.psnr,
        found.psnr_aligned,
        found.psnr_corrected
    )
}
