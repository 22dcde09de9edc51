//! `abbe bench train`

use std::path::PathBuf;

use abbe_train::Precision;
use anyhow::Result;

use crate::device::DeviceArgument;
use crate::stop;
use crate::timing::{self, Case, Peer, Timed};

/// Time the adversarial training step of SRGAN: VGG-19 features, 96x96 patches, the discriminator every sixth step
///
/// Example: abbe bench train --batch 8 --steps 8
#[derive(clap::Args)]
pub struct Arguments {
    /// Patches in a step
    #[arg(long, default_value_t = 16, value_name = "N")]
    batch: u32,
    /// Steps to time, after three that are not, in each turn
    #[arg(long, default_value_t = 12, value_name = "N")]
    steps: u32,
    /// f32, tf32, bf16, f16 or auto [default: f32 and auto]
    #[arg(long, value_parser = precision, value_name = "PRECISION")]
    precision: Option<Precision>,
    #[command(flatten)]
    device: DeviceArgument,
    /// A script that times PyTorch's step: takes --device, --batch, --steps and --mode (eager and amp-cl are asked for), prints
    /// a line of JSON
    #[arg(long, value_name = "train_step.py")]
    peer: Option<PathBuf>,
    /// The Python that runs it
    #[arg(long, default_value = "python3", value_name = "PROGRAM", requires = "peer")]
    python: PathBuf,
    /// How many turns each case has, one after the other, so that a noisy machine is noisy for all [default: 3, or 1 where
    /// there is one case]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rounds: Option<u32>,
    /// One line of JSON per case
    #[arg(long)]
    json: bool,
}

/// Measures, and prints what was found.
///
/// # Errors
/// A device that is not there, too little memory for the batch, a peer that does not run, Ctrl-C.
pub fn run(arguments: &Arguments) -> Result<()> {
    let timed = match alone(arguments) {
        Some(precision) => vec![Timed::alone(own(arguments, precision)?)],
        None => timing::in_turns(&cases(arguments)?, arguments.rounds.unwrap_or(3))?,
    };
    for timed in &timed {
        let line = if arguments.json { serde_json::to_string(timed)? } else { timed.to_string() };
        println!("{line}");
    }
    Ok(())
}

/// The precision that is timed once and alone, which needs no other process.
fn alone(arguments: &Arguments) -> Option<Precision> {
    arguments.precision.filter(|_| arguments.peer.is_none() && arguments.rounds.unwrap_or(1) == 1)
}

fn own(arguments: &Arguments, precision: Precision) -> Result<Case> {
    abbe_torch::keep_freed_memory();
    let (batch, steps) = (i64::from(arguments.batch), u64::from(arguments.steps));
    let device = arguments.device.find()?;
    let (seconds, resolved) = abbe_train::time_steps(batch, steps, precision, device, &stop::STOP)?;
    Ok(Case::own((arguments.device.name(), device), arguments.batch, precision, resolved, seconds))
}

/// Each case as a program of its own: this one with one precision, and the peer in its two modes.
fn cases(arguments: &Arguments) -> Result<Vec<Peer>> {
    let (batch, steps) = (arguments.batch.to_string(), arguments.steps.to_string());
    let options = ["--device", arguments.device.name(), "--batch", &batch, "--steps", &steps];
    let this = std::env::current_exe()?;
    let precisions = arguments.precision.map_or(vec![Precision::F32, Precision::Auto], |precision| vec![precision]);
    let own = precisions.iter().map(|precision| {
        let alone = ["bench", "train", "--json", "--precision", precision.name()];
        Peer::new(&this, &alone, &options)
    });
    let peer = arguments.peer.iter().flat_map(|script| {
        let script = script.to_string_lossy();
        ["eager", "amp-cl"].map(|mode| Peer::new(&arguments.python, &[&script, "--mode", mode], &options))
    });
    Ok(own.chain(peer).collect())
}

fn precision(name: &str) -> Result<Precision, String> {
    serde_json::from_value(name.into()).map_err(|_| "expected f32, tf32, bf16, f16 or auto".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        arguments: Arguments,
    }

    #[test]
    fn one_case_in_one_turn_needs_no_other_process() {
        let of = |line: &str| alone(&Line::parse_from(line.split_whitespace()).arguments);
        assert_eq!(of("train --precision f32"), Some(Precision::F32));
        assert_eq!(of("train --precision f32 --rounds 1"), Some(Precision::F32));
        for line in ["train", "train --precision f32 --rounds 2", "train --precision f32 --peer a.py"] {
            assert_eq!(of(line), None, "{line}");
        }
    }
}
