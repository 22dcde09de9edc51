//! `abbe upscale`

use std::path::{Path, PathBuf};

use abbe_data::image::{self, Conversion};
use abbe_eval::Upscaler;
use abbe_run::write_atomic;
use anyhow::{Context, Result, ensure};

use crate::device::DeviceArgument;
use crate::method::CheckpointArguments;
use crate::output::{keep_apart, named};
use crate::{method, progress, stop};

/// Enlarge pictures with a network
///
/// Example: abbe upscale photo.jpg -o photo_x4.png --model runs/demo/checkpoints/warm-up_final.pth
#[derive(clap::Args)]
pub struct Arguments {
    /// Pictures, or folders of pictures
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    /// A PNG file for one picture, or a folder
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
    /// A checkpoint, or `bicubic`
    #[arg(long, value_name = "CKPT|NAME")]
    model: String,
    /// How many times larger, for `bicubic` [default: 4] and for networks that do not tell it
    #[arg(long, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=16))]
    scale: Option<usize>,
    /// Accept grey (made three channels), 16-bit (rounded) and transparent pictures (alpha is dropped)
    #[arg(long)]
    convert: bool,
    /// Replace pictures that are there already
    #[arg(long)]
    overwrite: bool,
    #[command(flatten)]
    checkpoint: CheckpointArguments,
    #[command(flatten)]
    device: DeviceArgument,
}

/// Upscales the pictures.
///
/// # Errors
/// What is wrong with the model, a picture or the place to write to. Pictures finished before are whole.
pub fn run(arguments: &Arguments) -> Result<()> {
    let choice = arguments.checkpoint.choice(arguments.scale, std::slice::from_ref(&arguments.model))?;
    let method = method::open(&arguments.model, &choice, arguments.device.find()?)?;
    method.notices.iter().for_each(|notice| eprintln!("notice: {notice}"));
    let upscaler = method.upscaler;
    let scale = match &upscaler {
        Upscaler::Bicubic => arguments.scale.unwrap_or(4),
        Upscaler::Network(network) => arguments.scale.unwrap_or(network.scale() as usize),
    };
    let conversion = if arguments.convert { Conversion::Convert } else { Conversion::Refuse };
    let work = plan(&arguments.inputs, &arguments.output)?;
    work.iter().try_for_each(|(input, output)| keep_apart(&[input.as_path()], output, arguments.overwrite))?;
    let bar = progress::bar("upscale", work.len() as u64);
    for (input, output) in &work {
        stop::check()?;
        let picture = image::read(input, conversion)?;
        let sr = upscaler
            .upscale(&picture, scale)
            .with_context(|| format!("{} with the model {}", input.display(), arguments.model))?;
        stop::check()?;
        write_atomic(output, &image::encode_png(&sr)?)?;
        bar.inc(1);
        let notice = upscaler.notice(&picture).into_iter();
        bar.suspend(|| notice.for_each(|notice| eprintln!("notice: {}: {notice}", input.display())));
        bar.suspend(|| println!("{} {}x{} -> {}", output.display(), picture.width, picture.height, size(&sr)));
    }
    bar.finish_and_clear();
    Ok(())
}

fn size(picture: &image::Rgb8) -> String {
    format!("{}x{}", picture.width, picture.height)
}

/// Each input with its output: every picture of a folder, under its own name with the ending png.
fn plan(inputs: &[PathBuf], output: &Path) -> Result<Vec<(PathBuf, PathBuf)>> {
    if let [input] = inputs
        && !input.is_dir()
        && !output.is_dir()
    {
        ensure!(
            output.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("png")),
            "-o {}: expected a file name that ends in .png, the format that Abbe writes",
            output.display()
        );
        return Ok(vec![(input.clone(), output.to_path_buf())]);
    }
    named(inputs, output)
}
