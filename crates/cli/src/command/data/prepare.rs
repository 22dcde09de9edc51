//! `abbe data prepare`

use std::path::{Path, PathBuf};
use std::sync::Arc;

use abbe_data::cache;
use abbe_data::image::{Conversion, Rgb8, encode_png};
use abbe_data::pair::{Lr, Source};
use abbe_data::resample::Border;
use abbe_data::store::Store;
use abbe_run::write_atomic;
use abbe_torch::MappedFile;
use anyhow::{Result, ensure};

use crate::stop;

/// Decode the pictures of a folder once: HR and LR, packed into a file that training maps into memory
///
/// Training maps the file when the pictures take more than the experiment's `memory_gib`, and it has the same folder, LR,
/// conversion and scale, and `cache = "DIR"` under [data]; the file is made again when the pictures have changed.
///
/// Up to two pictures for each thread are decoded at once, no more than take 1 GiB together, but always one. Each takes three
/// bytes a pixel, and twice that while it is cropped.
///
/// Example: abbe data prepare --hr DIV2K_train_HR --scale 4 -o cache
#[derive(clap::Args)]
pub struct Arguments {
    /// Folder of HR pictures
    #[arg(long, value_name = "DIR")]
    hr: PathBuf,
    /// Folder of LR pictures [default: made from HR by bicubic downscaling]
    #[arg(long, value_name = "DIR", conflicts_with = "border")]
    lr: Option<PathBuf>,
    /// How many times larger HR is than LR
    #[arg(long, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=16))]
    scale: usize,
    /// What lies beyond the edge when LR is made: replicate, as in the benchmarks' LR files, or mirror, as newer MATLAB
    #[arg(long, default_value = "replicate", value_parser = border)]
    border: Border,
    /// Accept grey (made three channels), 16-bit (rounded) and transparent pictures (alpha is dropped)
    #[arg(long)]
    convert: bool,
    /// Also write the LR pictures, as DIR/LR_x<scale>/NAMEx<scale>.png
    #[arg(long)]
    png: bool,
    /// Where to write
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
}

fn border(name: &str) -> Result<Border, String> {
    match name {
        "replicate" => Ok(Border::Replicate),
        "mirror" => Ok(Border::Mirror),
        _ => Err("expected replicate or mirror".into()),
    }
}

/// Writes the file, unless it is there and whole, and the LR pictures.
///
/// # Errors
/// What is wrong with a picture, a place that cannot be written, Ctrl-C.
pub fn run(arguments: &Arguments) -> Result<()> {
    let conversion = if arguments.convert { Conversion::Convert } else { Conversion::Refuse };
    let lr = arguments.lr.clone().map_or(Lr::Bicubic { border: arguments.border }, Lr::Folder);
    let source = Source { hr: arguments.hr.clone(), lr, conversion };
    let lr_folder = arguments.output.join(format!("LR_x{}", arguments.scale));
    ensure!(arguments.lr.as_ref() != Some(&lr_folder), "--lr {}: the same as the output", lr_folder.display());
    let room = cache::Room {
        memory: 0,
        folder: &arguments.output,
        map: |path| Ok(Arc::new(MappedFile::open(path)?)),
        stop: &stop::STOP,
    };
    let store = cache::load(&source, arguments.scale, &room, &mut |line| eprintln!("{line}"))?;
    println!("{}", cache::path(&arguments.output, &source, arguments.scale).display());
    if arguments.png {
        write_lr(&store, arguments.scale, &lr_folder)?;
        println!("{}", lr_folder.display());
    }
    Ok(())
}

fn write_lr(store: &Store, scale: usize, folder: &Path) -> Result<()> {
    for entry in store.entries() {
        stop::check()?;
        let Some(area) = &entry.lr else { continue };
        let picture = Rgb8::new(area.height, area.width, store.pixels(area).to_vec())?;
        write_atomic(&folder.join(format!("{}x{scale}.png", entry.name)), &encode_png(&picture)?)?;
    }
    Ok(())
}
