//! `abbe data bench`

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use abbe_data::image::Conversion;
use abbe_data::pair::{Lr, Source};
use abbe_data::patches::{Sampler, Settings};
use abbe_data::resample::Border;
use abbe_data::store::Store;
use abbe_data::throughput::{batch_memory, patches_per_second};
use anyhow::Result;
use serde_json::json;

use crate::stop;

/// Measure how many patches per second the loader makes of a folder's pictures, and the memory it takes
///
/// Example: abbe data bench photographs/train
#[derive(clap::Args)]
pub struct Arguments {
    /// Folder of HR pictures; LR is made by bicubic downscaling
    #[arg(value_name = "DIR")]
    hr: PathBuf,
    /// How many times larger HR is than LR
    #[arg(long, default_value_t = 4, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=16))]
    scale: usize,
    /// Side of an HR patch in pixels, a multiple of the scale
    #[arg(long, default_value_t = 96)]
    patch: usize,
    /// Patches in a batch
    #[arg(long, default_value_t = 16, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=4096))]
    batch: usize,
    /// Threads, from 1 to so many [default: one for each processor]
    #[arg(long, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=256))]
    workers: Option<usize>,
    /// How long each number of threads is measured
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Accept grey (made three channels), 16-bit (rounded) and transparent pictures (alpha is dropped)
    #[arg(long)]
    convert: bool,
    /// Print JSON instead of the table
    #[arg(long)]
    json: bool,
}

/// Measures and prints.
///
/// # Errors
/// What is wrong with the pictures or the settings.
pub fn run(arguments: &Arguments) -> Result<()> {
    let sampler = Arc::new(sampler(arguments)?);
    let (pictures, bytes) = (sampler.pictures(), sampler.store().bytes().len());
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    if !arguments.json {
        println!("{pictures} pictures in memory: {:.1} MiB", mebibytes(bytes));
        println!("workers  patches/s  batches in memory, MiB");
    }
    let mut rows = Vec::new();
    for workers in 1..=arguments.workers.unwrap_or(processors) {
        stop::check()?;
        let rate = patches_per_second(&sampler, arguments.batch, workers, Duration::from_secs(arguments.seconds))?;
        let batches = batch_memory(&sampler, arguments.batch, workers);
        if !arguments.json {
            println!("{workers:7}  {rate:9.0}  {:.1}", mebibytes(batches));
        }
        rows.push(json!({ "workers": workers, "patches_per_second": rate, "batch_bytes": batches }));
    }
    if arguments.json {
        println!("{:#}", json!({ "pictures": pictures, "picture_bytes": bytes, "loader": rows }));
    }
    Ok(())
}

fn sampler(arguments: &Arguments) -> Result<Sampler> {
    let conversion = if arguments.convert { Conversion::Convert } else { Conversion::Refuse };
    let lr = Lr::Bicubic { border: Border::Replicate };
    let store = Store::load(&Source { hr: arguments.hr.clone(), lr, conversion }, arguments.scale)?;
    Ok(Sampler::new(Arc::new(store), Settings::new(arguments.scale, arguments.patch, 0, true))?)
}

fn mebibytes(bytes: usize) -> f64 {
    bytes as f64 / (1 << 20) as f64
}
