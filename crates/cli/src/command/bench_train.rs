//! `abbe bench train`

use std::path::PathBuf;

use abbe_train::Precision;
use anyhow::Result;
use tch::Device;

use crate::device::DeviceArgument;
use crate::stop;
use crate::timing::{self, Case, Peer, Timed};

/// Time the adversarial training step of SRGAN: VGG-19 features, 96x96 patches, the discriminator every sixth step
///
/// Example: abbe bench train --batch 8 --steps 8
///
/// Pictures, and on a GPU weights too, lie channels-last in memory in every case; each case says its precision and whether its
/// steps are CUDA graphs.
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
    /// Whether steps are CUDA graphs [default: on a GPU once so and once not]
    #[arg(long, value_name = "true|false")]
    cuda_graphs: Option<bool>,
    #[command(flatten)]
    device: DeviceArgument,
    /// A script that times PyTorch's step: takes --device, --batch, --steps and --mode (eager and amp-cl are asked for, on a GPU
    /// compile too), prints a line of JSON
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
    let device = arguments.device.find()?;
    let own = modes(arguments, device);
    let timed = match alone(arguments, &own) {
        Some(only) => vec![Timed::alone(time(arguments, device, only)?)],
        None => timing::in_turns(&cases(arguments, device, &own)?, arguments.rounds.unwrap_or(3))?,
    };
    for timed in &timed {
        let line = if arguments.json { serde_json::to_string(timed)? } else { timed.to_string() };
        println!("{line}");
    }
    Ok(())
}

/// The one of our `own` modes that is timed once and alone, which needs no other process.
fn alone(arguments: &Arguments, own: &[(Precision, bool)]) -> Option<(Precision, bool)> {
    match own {
        [only] if arguments.peer.is_none() && arguments.rounds.unwrap_or(1) == 1 => Some(*only),
        _ => None,
    }
}

/// In which precisions, and whether as graphs, our own step is timed.
fn modes(arguments: &Arguments, device: Device) -> Vec<(Precision, bool)> {
    let precisions = arguments.precision.map_or(vec![Precision::F32, Precision::Auto], |precision| vec![precision]);
    let graphs = match arguments.cuda_graphs {
        Some(graphs) => vec![graphs],
        None if device.is_cuda() => vec![false, true],
        None => vec![false],
    };
    precisions.into_iter().flat_map(|precision| graphs.iter().map(move |graphs| (precision, *graphs))).collect()
}

fn time(arguments: &Arguments, device: Device, (precision, graphs): (Precision, bool)) -> Result<Case> {
    abbe_torch::keep_freed_memory();
    let (batch, steps) = (i64::from(arguments.batch), u64::from(arguments.steps));
    let timing = abbe_train::time_steps(batch, steps, precision, device, graphs, &stop::STOP)?;
    timing.notices.iter().for_each(|notice| eprintln!("{notice}"));
    let graphs = if graphs && timing.notices.is_empty() { "-graphs" } else { "" };
    Ok(Case::own((arguments.device.name(), device), arguments.batch, format!("{}{graphs}", precision.name()), timing))
}

/// Each case as a program of its own: this one in each of its `own` modes, and the peer in its.
fn cases(arguments: &Arguments, device: Device, own: &[(Precision, bool)]) -> Result<Vec<Peer>> {
    let (batch, steps) = (arguments.batch.to_string(), arguments.steps.to_string());
    let options = ["--device", arguments.device.name(), "--batch", &batch, "--steps", &steps];
    let this = std::env::current_exe()?;
    let own = own.iter().map(|(precision, graphs)| {
        let graphs = graphs.to_string();
        let alone = ["bench", "train", "--json", "--precision", precision.name(), "--cuda-graphs", &graphs];
        Peer::new(&this, &alone, &options)
    });
    let modes = if device.is_cuda() { ["eager", "amp-cl", "compile"].as_slice() } else { &["eager", "amp-cl"] };
    let peer = arguments.peer.iter().flat_map(|script| {
        let script = script.to_string_lossy().into_owned();
        modes.iter().map(move |mode| Peer::new(&arguments.python, &[&script, "--mode", mode], &options))
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
        let of = |line: &str| {
            let arguments = Line::parse_from(line.split_whitespace()).arguments;
            alone(&arguments, &modes(&arguments, Device::Cpu))
        };
        assert_eq!(of("train --precision f32"), Some((Precision::F32, false)));
        assert_eq!(of("train --precision f32 --rounds 1"), Some((Precision::F32, false)));
        for line in ["train", "train --precision f32 --rounds 2", "train --precision f32 --peer a.py"] {
            assert_eq!(of(line), None, "{line}");
        }
    }
}
