//! `abbe export`

use std::path::{Path, PathBuf};

use abbe_export::{Exported, Facts, Format, Precision, export};
use abbe_run::{check_writable, write_atomic};
use anyhow::{Context, Result, bail, ensure};
use serde_json::json;
use tch::Device;

use crate::method::{FileArguments, check_hints};
use crate::output::keep_apart;
use crate::stop;

/// Write a network that enlarges pictures as ONNX or TorchScript, for other programs
///
/// What is written takes pictures of any size in batches of any size, and says in its metadata what one must know to use it. It is read
/// back before it is there; TorchScript is also run beside the network. For .pth and .safetensors there is `abbe convert`.
///
/// Example: abbe export runs/demo/checkpoints/srgan_final.pth -o srgan.onnx
#[derive(clap::Args)]
pub struct Arguments {
    /// A checkpoint, from Abbe or from elsewhere
    #[arg(value_name = "CKPT")]
    input: PathBuf,
    /// Where to write
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
    /// The format [default: onnx for a name that ends so, torchscript for .pt and .ts]
    #[arg(long, value_name = "onnx|torchscript", value_parser = format)]
    to: Option<Format>,
    /// Compute in float16 within the file; pictures stay float32
    #[arg(long)]
    half: bool,
    /// Replace OUT if it is there already
    #[arg(long, visible_alias = "force")]
    overwrite: bool,
    /// Print what was written as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    checkpoint: FileArguments,
}

/// Exports, and says what is in the file.
///
/// # Errors
/// A file that cannot be read or written, a name that tells no format, a network that does not enlarge pictures or is too
/// large for the format.
pub fn run(arguments: &Arguments) -> Result<()> {
    let Arguments { input, output, .. } = arguments;
    let format = chosen(arguments)?;
    keep_apart(&[input], output, arguments.overwrite)?;
    check_writable(output)?;
    let choice = arguments.checkpoint.choice();
    let opened = abbe_models::open(input, &choice, Device::Cpu).with_context(|| input.display().to_string())?;
    check_hints(&opened.config, &choice)?;
    let (config, notices) = (opened.config, opened.notices.clone());
    notices.iter().for_each(|notice| eprintln!("notice: {notice}"));
    let model = opened.sr().with_context(|| input.display().to_string())?;
    stop::check()?;
    let precision = if arguments.half { Precision::Float16 } else { Precision::Float32 };
    let facts = Facts::new(&config, &*model, notices, precision);
    let exported = export(&*model, &facts, format).with_context(|| input.display().to_string())?;
    stop::check()?;
    write_atomic(output, &exported.bytes)?;
    match arguments.json {
        true => println!("{:#}", as_json(output, format, &exported, &facts)),
        false => print(output, format, &exported, &facts),
    }
    Ok(())
}

/// The format that is asked for, or that the output's name tells.
fn chosen(arguments: &Arguments) -> Result<Format> {
    let (input, output) = (arguments.input.display(), arguments.output.display());
    let ending = arguments.output.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    let told = match ending.as_str() {
        "onnx" => Some(Format::Onnx),
        "pt" | "ts" => Some(Format::TorchScript),
        _ => None,
    };
    match (arguments.to, told) {
        (Some(to), Some(told)) => ensure!(to == told, "{output}: the name is not that of {to}, which --to says"),
        (None, None) if ["pth", "safetensors"].contains(&ending.as_str()) => {
            bail!("{output}: checkpoints are written by `abbe convert {input} {output}`")
        }
        (None, None) => bail!(
            "{output}: the name does not tell the format: end it in .onnx (ONNX) or .pt (TorchScript), or choose one with --to"
        ),
        _ => {}
    }
    arguments.to.or(told).context("one of both is there")
}

fn print(output: &Path, format: Format, exported: &Exported, facts: &Facts) {
    let size = exported.bytes.len() as f64 / f64::from(1 << 20);
    println!("{}: {format}, {} operations, {size:.1} MiB", output.display(), exported.operations);
    let (channels, scale) = (facts.channels, facts.scale);
    println!("  input   lr  float32 [batch, {channels}, height, width]");
    println!("  output  sr  float32 [batch, {channels}, {scale}*height, {scale}*width]");
    match exported.difference {
        Some(0.0) => println!("  read back and run: gives what the network gives, bit for bit"),
        Some(difference) => println!("  read back and run: differs from the network by {difference:.1e} of its range"),
        None => println!("  read back: every part is equal and takes only what is there before it; it was not run"),
    }
    let place = if format == Format::Onnx { "metadata_props" } else { "abbe.json" };
    println!("metadata, in {place}:");
    facts.entries().iter().for_each(|(name, value)| println!("  {name:<15} {value}"));
}

fn as_json(output: &Path, format: Format, exported: &Exported, facts: &Facts) -> serde_json::Value {
    json!({
        "file": output.to_string_lossy(), "format": format.to_string(), "bytes": exported.bytes.len(),
        "operations": exported.operations, "difference": exported.difference, "metadata": facts,
    })
}

fn format(text: &str) -> Result<Format, String> {
    match text {
        "onnx" => Ok(Format::Onnx),
        "torchscript" => Ok(Format::TorchScript),
        _ => Err("expected onnx or torchscript; `abbe convert` writes .pth and .safetensors".into()),
    }
}
