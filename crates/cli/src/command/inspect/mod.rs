//! `abbe inspect`

mod file;
mod leaves;
mod pair;
mod text;

use std::path::PathBuf;

use anyhow::Result;

use crate::ascii::ascii_json;
use crate::method::FileArguments;

/// Say what is in a checkpoint, without running anything that is in it; or compare two
///
/// Ends with status 0 for a file that can be read, or two that can be compared, equal or not; with 1 for one that is refused,
/// of which it tells what can be told.
///
/// Example: abbe inspect runs/demo/checkpoints/srgan_final.pth --stats
#[derive(clap::Args)]
pub struct Arguments {
    /// A checkpoint of any container: .pth, .pt, .ckpt, .state, .safetensors, ...
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Another, to compare the tensors of both
    #[arg(value_name = "OTHER", conflicts_with = "stats")]
    other: Option<PathBuf>,
    /// Also minimum, maximum, mean and share of numbers that are not finite, of each tensor
    #[arg(long)]
    stats: bool,
    /// Where in OTHER the weights are [default: as in FILE]
    #[arg(long, value_name = "KEY", requires = "other")]
    other_key: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    checkpoint: FileArguments,
}

/// Looks into the file, or compares the two.
///
/// # Errors
/// A file that is no checkpoint, or that cannot be read safely.
pub fn run(arguments: &Arguments) -> Result<()> {
    let choice = arguments.checkpoint.choice();
    let Some(other) = &arguments.other else {
        let (inspection, refused) = file::inspect(&arguments.file, &choice, arguments.stats)?;
        match arguments.json {
            true => println!("{}", ascii_json(&inspection)?),
            false => print!("{inspection}"),
        }
        return refused.map_or(Ok(()), |error| Err(error.into()));
    };
    let other_key = arguments.other_key.as_deref().or(choice.key);
    let pair = pair::compare([(&arguments.file, choice.key), (other, other_key)], &choice)?;
    match arguments.json {
        true => println!("{}", ascii_json(&pair.to_json())?),
        false => print!("{pair}"),
    }
    Ok(())
}
