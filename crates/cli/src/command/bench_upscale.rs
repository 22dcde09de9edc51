//! `abbe bench upscale`

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use abbe_infer::{Lap, race, race_gpu};
use abbe_models::{Config, SrModel, build, named};
use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use tch::Device;
use tempfile::TempDir;

use crate::device::DeviceArgument;

/// Times a network in PyTorch.
const EAGER: &str = include_str!("bench_upscale/eager.py");
/// What the file of it is called in messages.
const SCRIPT: &str = "eager.py";

/// Time a network, as it is and by its plan, on a GPU as a CUDA graph, and what else runs such networks
///
/// Example: abbe bench upscale --size 128 128 --json
#[derive(clap::Args)]
pub struct Arguments {
    /// Height and width of the picture
    #[arg(long, num_args = 2, value_names = ["H", "W"], default_values_t = [128, 128], value_parser = clap::value_parser!(i64).range(1..=4096))]
    size: Vec<i64>,
    /// A network of `abbe models` that enlarges pictures; its weights are random
    #[arg(long, default_value = "srresnet", value_name = "NAME")]
    model: String,
    /// Timed runs of each
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u64).range(1..=1000))]
    runs: u64,
    /// How often all runtimes take turns: of the shortest times and of the medians the shortest count
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=100))]
    rounds: u64,
    /// Threads that compute
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(i32).range(1..=1024))]
    threads: i32,
    #[command(flatten)]
    device: DeviceArgument,
    /// A Python script that times an SRResNet elsewhere, with the options --size, --runs and --threads, on a GPU --device too
    #[arg(long, value_name = "PATH")]
    peer: Option<PathBuf>,
    /// Also time the same network in the PyTorch of python3: as it is, channels last, and so in bf16; on a GPU compiled too
    #[arg(long, conflicts_with = "peer")]
    eager: bool,
    /// Print one line of JSON for each case
    #[arg(long)]
    json: bool,
}

/// Times, and prints.
///
/// # Errors
/// An unknown network, a script that fails.
pub fn run(arguments: &Arguments) -> Result<()> {
    let config = named(&arguments.model).with_context(|| {
        format!("no network is called `{}`; `abbe models` lists them", arguments.model.escape_debug())
    })?;
    ensure!(
        arguments.peer.is_none() || arguments.model == "srresnet",
        "--peer times srresnet: leave out --model {}, or --peer; --eager times any",
        arguments.model
    );
    tch::set_num_threads(arguments.threads);
    let device = arguments.device.find()?;
    let model = build(&config, device)?;
    let eager = arguments.eager.then(|| Eager::new(&config, model.as_ref(), &arguments.model)).transpose()?;
    let mut cases: Vec<Value> = Vec::new();
    for _ in 0..arguments.rounds {
        let laps = laps(arguments, model.as_ref(), device)?;
        laps.iter().for_each(|lap| add(&mut cases, case(lap, arguments)));
        if let Some(script) = &arguments.peer {
            peers(script, &[], arguments)?.into_iter().for_each(|line| add(&mut cases, line));
        }
        if let Some(eager) = &eager {
            eager.time(arguments)?.into_iter().for_each(|line| add(&mut cases, line));
        }
    }
    finish(&mut cases);
    match arguments.json {
        true => cases.iter().for_each(|case| println!("{case}")),
        false => cases.iter().for_each(print),
    }
    Ok(())
}

/// What our own runtimes take.
fn laps(arguments: &Arguments, model: &dyn SrModel, device: Device) -> Result<Vec<Lap>> {
    let (size, runs) = ([arguments.size[0], arguments.size[1]], arguments.runs as usize);
    if device == Device::Cpu {
        return Ok(race(model, size, runs)?);
    }
    let (laps, notice) = race_gpu(model, size, runs, device)?;
    notice.into_iter().for_each(|why| eprintln!("notice: there is no CUDA graph: {why}"));
    Ok(laps)
}

/// A line with the names that the script of the peers has.
fn case(lap: &Lap, arguments: &Arguments) -> Value {
    json!({
        "task": format!("{}-forward", arguments.model), "runtime": format!("abbe-{}", lap.runtime),
        "precision": lap.precision, "device": arguments.device.name(), "size": arguments.size, "threads": arguments.threads,
        "seconds_min": lap.seconds.first(), "seconds_median": lap.median(),
        "max_abs_difference": lap.largest_difference, "psnr_to_f32_db": lap.decibels, "output_std": lap.deviation,
    })
}

/// Joins a case with the same of the rounds before.
fn add(cases: &mut Vec<Value>, case: Value) {
    let same = |other: &&mut Value| ["runtime", "precision"].iter().all(|key| other[*key] == case[*key]);
    match cases.iter_mut().find(same) {
        None => cases.push(case),
        Some(known) => {
            for key in ["seconds_min", "seconds_median"] {
                let seconds = [&known[key], &case[key]].map(|value| value.as_f64().unwrap_or(f64::INFINITY));
                known[key] = json!(seconds[0].min(seconds[1]));
            }
        }
    }
}

/// Every runtime against PyTorch as it is, or libtorch where there is none.
fn finish(cases: &mut [Value]) {
    let seconds = |name: &str, cases: &[Value]| {
        cases.iter().find(|case| case["runtime"] == name).and_then(|case| case["seconds_min"].as_f64())
    };
    let eager = seconds("eager", cases).or_else(|| seconds("abbe-plain", cases));
    for case in cases {
        if let (Some(eager), Some(own)) = (eager, case["seconds_min"].as_f64()) {
            case["speedup_over_eager"] = json!(eager / own);
        }
    }
}

/// A network as Python code, and the script that times it.
struct Eager {
    folder: TempDir,
    options: Vec<String>,
}

impl Eager {
    fn new(config: &Config, model: &dyn SrModel, name: &str) -> Result<Self> {
        let folder = tempfile::tempdir().context("the folder for temporary files cannot be used")?;
        let module = folder.path().join("module.py");
        for (path, text) in [(&module, config.python()), (&folder.path().join(SCRIPT), EAGER.to_owned())] {
            fs::write(path, text).with_context(|| format!("{}: cannot be written", path.display()))?;
        }
        let task = format!("{name}-forward");
        let options = ["--module", &module.to_string_lossy(), "--task", &task, "--colors", &model.colors().to_string()]
            .map(str::to_owned);
        Ok(Eager { folder, options: options.into() })
    }

    fn time(&self, arguments: &Arguments) -> Result<Vec<Value>> {
        peers(&self.folder.path().join(SCRIPT), &self.options, arguments)
    }
}

/// What the script prints, with the precision that a runtime's name tells.
fn peers(script: &Path, own: &[String], arguments: &Arguments) -> Result<Vec<Value>> {
    let [height, width] = [arguments.size[0], arguments.size[1]].map(|side| side.to_string());
    let device = Some(arguments.device.name()).filter(|name| *name != "cpu");
    let output = Command::new("python3")
        .arg(script)
        .args(own)
        .args(device.iter().flat_map(|name| ["--device", name]))
        .args(["--size", &height, &width, "--runs", &arguments.runs.to_string()])
        .args(["--threads", &arguments.threads.to_string()])
        .stderr(Stdio::piped())
        .output()
        .context("python3 could not be started: is it on the PATH?")?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        let last = errors.lines().last().unwrap_or("it says nothing");
        bail!("{} failed: {}", script.display(), last.escape_debug());
    }
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut cases = Vec::new();
    for line in lines.lines() {
        let mut case: Value = serde_json::from_str(line).with_context(|| {
            format!("{}: expected lines of JSON, found `{}`", script.display(), line.escape_debug())
        })?;
        let is_half = case["runtime"].as_str().is_some_and(|name| name.contains("bf16") || name.starts_with("amp"));
        case["precision"] = json!(if is_half { "bf16" } else { "f32" });
        cases.push(case);
    }
    Ok(cases)
}

fn print(case: &Value) {
    let text = |key: &str| case[key].as_str().unwrap_or_default().escape_debug().to_string();
    let number = |key: &str| case[key].as_f64().unwrap_or(f64::NAN);
    let decibels = case["psnr_to_f32_db"].as_f64().map(|db| format!("  {db:.1} dB from f32")).unwrap_or_default();
    println!(
        "{:<16} {:<5} {:>8.4} s {:>6.2}x eager  largest difference {:.1e}{decibels}",
        text("runtime"),
        text("precision"),
        number("seconds_min"),
        number("speedup_over_eager"),
        number("max_abs_difference"),
    );
}
