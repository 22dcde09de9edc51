//! Programs that each time one case and print it as a line of JSON, run in turns.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use abbe_train::Timing;
use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use tch::Device;

use crate::stop;

/// A program and its arguments.
pub struct Peer {
    program: PathBuf,
    arguments: Vec<String>,
}

/// What one case took.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Case {
    /// Whose step it is, and its version.
    peer: String,
    task: String,
    device: String,
    /// PyTorch's `eager`, `amp-cl` or `compile`, or the precision as it was asked for, with `-graphs` where steps are CUDA graphs.
    mode: String,
    /// Patches in a step.
    batch: u32,
    seconds_median: f64,
    seconds_min: f64,
    seconds_max: f64,
    images_per_second: f64,
    /// The most memory that the process had, or its tensors on a GPU, where the system tells.
    peak_bytes: Option<u64>,
    /// What the networks computed in.
    #[serde(default)]
    precision: String,
}

/// A case, and how it stands to others of the same run.
#[derive(Debug, Serialize)]
pub struct Timed {
    #[serde(flatten)]
    case: Case,
    /// How many times faster than PyTorch's plain float32.
    #[serde(skip_serializing_if = "Option::is_none")]
    ratio_eager: Option<f64>,
    /// How many times faster than PyTorch with autocast to bf16, channels last.
    #[serde(skip_serializing_if = "Option::is_none")]
    ratio_amp_cl: Option<f64>,
    /// How many times faster than PyTorch so compiled, which is asked for on a GPU alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    ratio_compile: Option<f64>,
}

impl Case {
    /// What our own step took, on a device that was called `name`.
    pub fn own((name, device): (&str, Device), batch: u32, mode: String, timing: Timing) -> Self {
        let Timing { mut seconds, precision, .. } = timing;
        let seconds_median = median(&mut seconds);
        Case {
            peer: format!("abbe {}", env!("CARGO_PKG_VERSION")),
            task: "srgan-train-step".to_owned(),
            device: name.to_owned(),
            mode,
            batch,
            seconds_median,
            seconds_min: seconds.first().copied().unwrap_or(f64::NAN),
            seconds_max: seconds.last().copied().unwrap_or(f64::NAN),
            images_per_second: f64::from(batch) / seconds_median,
            peak_bytes: peak_bytes(device),
            precision: precision.name().to_owned(),
        }
    }

    /// One case from its turns: the median of their medians.
    fn over(turns: &[Case]) -> Option<Case> {
        let mut medians: Vec<f64> = turns.iter().map(|turn| turn.seconds_median).collect();
        let seconds_median = median(&mut medians);
        let first = turns.first()?.clone();
        Some(Case {
            seconds_median,
            seconds_min: turns.iter().map(|turn| turn.seconds_min).fold(f64::INFINITY, f64::min),
            seconds_max: turns.iter().map(|turn| turn.seconds_max).fold(0.0, f64::max),
            images_per_second: f64::from(first.batch) / seconds_median,
            peak_bytes: turns.iter().filter_map(|turn| turn.peak_bytes).max(),
            ..first
        })
    }
}

impl Timed {
    /// Without a peer.
    pub fn alone(case: Case) -> Self {
        Timed { case, ratio_eager: None, ratio_amp_cl: None, ratio_compile: None }
    }

    /// A case from its turns, with ratios to the turns of PyTorch in the same rounds.
    fn among(turns: &[Case], all: &[Vec<Case>]) -> Option<Self> {
        let ratio = |mode: &str| {
            let peer = all.iter().find(|peer| peer.first().is_some_and(|case| case.mode == mode))?;
            let ratios = peer.iter().zip(turns).map(|(peer, own)| peer.seconds_median / own.seconds_median);
            Some(median(&mut ratios.collect::<Vec<_>>()))
        };
        let [ratio_eager, ratio_amp_cl, ratio_compile] = ["eager", "amp-cl", "compile"].map(ratio);
        Some(Timed { case: Case::over(turns)?, ratio_eager, ratio_amp_cl, ratio_compile })
    }
}

impl fmt::Display for Timed {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Case { peer, mode, precision, seconds_median, seconds_min, seconds_max, .. } = &self.case;
        let mode = if mode == precision { mode.clone() } else { format!("{mode} ({precision})") };
        write!(f, "{peer:<22} {mode:<20} {seconds_median:.3} s a step ({seconds_min:.3} to {seconds_max:.3})")?;
        write!(f, ", {:.1} images/s", self.case.images_per_second)?;
        if let Some(bytes) = self.case.peak_bytes {
            write!(f, ", {:.2} GiB", bytes as f64 / f64::from(1 << 30))?;
        }
        let ratios = [(self.ratio_eager, "eager"), (self.ratio_amp_cl, "amp-cl"), (self.ratio_compile, "compile")];
        for (ratio, peer) in ratios {
            if let Some(ratio) = ratio {
                write!(f, ", {ratio:.2} x {peer}")?;
            }
        }
        Ok(())
    }
}

impl Peer {
    /// `program` with its own arguments and those that are the same for all.
    pub fn new(program: &Path, own: &[&str], common: &[&str]) -> Self {
        let arguments = own.iter().chain(common).map(|argument| (*argument).to_owned()).collect();
        Peer { program: program.to_owned(), arguments }
    }

    /// The case that it prints, on its last line.
    fn time(&self) -> Result<Case> {
        let program = self.program.display();
        let command = || format!("{program} {}", self.arguments.join(" "));
        let output = Command::new(&self.program).args(&self.arguments).stderr(Stdio::inherit()).output();
        let output = output.with_context(|| format!("cannot run {program}"))?;
        stop::check()?;
        ensure!(output.status.success(), "`{}` ended with {}", command(), output.status);
        let text = String::from_utf8_lossy(&output.stdout);
        let line = text.lines().last().unwrap_or_default();
        let mut case: Case = serde_json::from_str(line).with_context(|| {
            format!("`{}` should print a line of JSON, but printed `{}`", command(), line.escape_debug())
        })?;
        if case.precision.is_empty() {
            case.precision = if case.mode == "eager" { "f32" } else { "bf16" }.to_owned();
        }
        Ok(case)
    }
}

/// Runs each of `peers` once in every one of `rounds`.
///
/// # Errors
/// One that cannot be run, fails, or prints something else; Ctrl-C.
pub fn in_turns(peers: &[Peer], rounds: u32) -> Result<Vec<Timed>> {
    let mut turns: Vec<Vec<Case>> = peers.iter().map(|_| Vec::new()).collect();
    for _ in 0..rounds {
        for (peer, turns) in peers.iter().zip(&mut turns) {
            turns.push(peer.time()?);
        }
    }
    Ok(turns.iter().filter_map(|own| Timed::among(own, &turns)).collect())
}

/// Of an odd number of values the one in the middle, of an even one the mean of two; `values` are in order afterwards.
fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (values.get(middle.wrapping_sub(1)), values.get(middle)) {
        (Some(low), Some(high)) if values.len().is_multiple_of(2) => (low + high) / 2.0,
        (_, Some(middle)) => *middle,
        _ => f64::NAN,
    }
}

/// The most memory that this process ever had, as Linux counts it, or its tensors on a GPU.
fn peak_bytes(device: Device) -> Option<u64> {
    if device.is_cuda() {
        return abbe_torch::peak_memory(device);
    }
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use abbe_train::Precision;

    use super::*;

    fn case(mode: &str, seconds: &[f64]) -> Case {
        let timing = Timing { seconds: seconds.into(), precision: Precision::F32, notices: vec![] };
        Case::own(("cpu", Device::Cpu), 8, mode.into(), timing)
    }

    #[test]
    fn a_case_is_the_median_of_its_turns_and_ratios_are_of_one_round() {
        // The machine is twice as slow in the second round: ratios 4 / 2, 8 / 4 and 6 / 2.
        let own = [[2.0, 1.0, 3.0], [4.0, 2.0, 6.0], [2.0, 2.0, 2.0]].map(|seconds| case("f32", &seconds)).to_vec();
        let eager = [4.0, 8.0, 6.0].map(|seconds| case("eager", &[seconds])).to_vec();
        let timed = Timed::among(&own, &[own.clone(), eager]).unwrap();
        assert_eq!((timed.ratio_eager, timed.ratio_amp_cl), (Some(2.0), None));
        let Case { seconds_median, seconds_min, seconds_max, images_per_second, .. } = timed.case;
        assert_eq!([seconds_median, seconds_min, seconds_max, images_per_second], [2.0, 1.0, 6.0, 4.0]);
        assert_eq!(median(&mut [1.0, 4.0, 2.0, 3.0]), 2.5);
    }

    #[test]
    fn what_a_program_prints_is_read_and_what_fails_is_told() {
        let line = serde_json::to_string(&case("eager", &[2.0])).unwrap();
        let print = |line: &str| Peer::new(Path::new("printf"), &["%s", line], &[]).time();
        assert_eq!(print(&line).unwrap().seconds_median, 2.0);
        assert!(format!("{:#}", print("no JSON").unwrap_err()).contains("printed `no JSON`"));
        let missing = Peer::new(Path::new("/no/such/program"), &[], &[]).time().unwrap_err();
        assert!(format!("{missing:#}").contains("cannot run /no/such/program"));
    }
}
