//! Trainings that are killed, at any moment, and go on as if they had not been.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{ABBE, EXPERIMENT, Scratch, program, scene};

/// How often each training is killed; `cargo xtask kill` says more.
fn kills() -> u32 {
    std::env::var("ABBE_KILLS").map_or(3, |kills| kills.parse().unwrap())
}

/// A folder with the small experiment in this precision: with an average, batch norm, a point after every step, and three
/// threads that cut patches.
fn experiment(precision: &str) -> Scratch {
    let scratch = Scratch::new();
    let keys = format!(
        "precision = \"{precision}\"\nema = {{ generator = {{ decay = 0.9 }} }}\nresume = {{ every = {{ steps = 1 }}, keep = 2 }}\n"
    );
    let text = EXPERIMENT.replacen("\n[data]", &format!("{keys}\n[data]"), 1);
    let text = text.replace("workers = 2", "workers = 3").replace("norm = \"none\"", "norm = \"batch\"");
    scratch.write("small.toml", text);
    for kind in 0..3 {
        let folder = if kind < 2 { "train" } else { "test" };
        scratch.picture(&format!("{folder}/scene{kind}.png"), &scene(97, 130, kind));
    }
    scratch
}

fn start(scratch: &Scratch, arguments: &str) -> Child {
    let mut command: Command = program(ABBE);
    command.args(arguments.split_whitespace()).current_dir(scratch.path("")).env("TORCH_HOME", ".");
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// The checkpoints' bytes, and what each step computed.
fn outcome(scratch: &Scratch, run: &str) -> (BTreeMap<String, Vec<u8>>, Vec<Value>) {
    let files = scratch.files(&format!("{run}/checkpoints"));
    let bytes = |file: &String| std::fs::read(scratch.path(file)).unwrap();
    let named = |file: &String| file.trim_start_matches(run).to_owned();
    let files = files.iter().map(|file| (named(file), bytes(file))).collect();
    let log = std::fs::read_to_string(scratch.path(&format!("{run}/log.jsonl"))).unwrap();
    let row = |line: &str| {
        let row: Value = serde_json::from_str(line).unwrap();
        let kept = ["phase", "step", "epoch", "lr", "terms", "raw", "discriminator"].map(|key| row[key].clone());
        let norms = row["health"].as_object().unwrap().iter().filter(|(name, _)| name.starts_with("gradient"));
        Value::from([kept.to_vec(), norms.map(|(_, norm)| norm.clone()).collect()].concat())
    };
    (files, log.lines().map(row).collect())
}

/// How the killed training is started again: it goes on as soon as there is a point to go on from.
fn how(scratch: &Scratch) -> &'static str {
    let is_point = |entry: std::io::Result<std::fs::DirEntry>| {
        entry.is_ok_and(|entry| entry.file_name().to_string_lossy().starts_with("step_"))
    };
    let has_point = std::fs::read_dir(scratch.path("cut/resume")).is_ok_and(|mut entries| entries.any(is_point));
    if has_point { "--resume" } else { "--overwrite" }
}

/// Kills a training again and again at moments spread over the time that it takes, and lets it end.
fn kill_again_and_again(precision: &str) {
    let scratch = experiment(precision);
    let begun = Instant::now();
    scratch.abbe("train small.toml --out whole").ok();
    let takes = begun.elapsed();
    let mut killed = 0;
    for attempt in 0..kills() {
        // Weyl's sequence: moments that differ from attempt to attempt, without chance.
        let part = 0.1 + 0.8 * (f64::from(attempt + 1) * 0.618_034).fract();
        let mut child = start(&scratch, &format!("train small.toml --out cut {}", how(&scratch)));
        std::thread::sleep(Duration::from_secs_f64(takes.as_secs_f64() * part));
        if child.try_wait().unwrap().is_none() {
            child.kill().unwrap(); // SIGKILL
            killed += 1;
        }
        child.wait().unwrap();
    }
    assert!(killed > 0, "no training was killed");
    scratch.abbe(&format!("train small.toml --out cut {}", how(&scratch))).ok();
    let ((files, rows), (expected_files, expected_rows)) = (outcome(&scratch, "cut"), outcome(&scratch, "whole"));
    for (row, expected) in rows.iter().zip(&expected_rows) {
        assert_eq!(row, expected, "{precision}");
    }
    assert_eq!(rows.len(), expected_rows.len(), "{precision}");
    assert!(files.keys().eq(expected_files.keys()), "{:?}", files.keys());
    for (name, bytes) in &files {
        assert!(*bytes == expected_files[name], "{precision}: {name} differs");
    }
    assert_eq!(scratch.files("cut/resume").len(), 2, "the last two points are kept, and nothing half-written");
}

#[test]
fn a_killed_training_goes_on_to_the_last_bit_in_f32() {
    kill_again_and_again("f32");
}

#[test]
fn a_killed_training_goes_on_to_the_last_bit_in_bf16() {
    kill_again_and_again("bf16");
}

#[test]
fn a_killed_training_goes_on_to_the_last_bit_in_f16() {
    kill_again_and_again("f16");
}

#[test]
fn a_point_that_is_torn_gives_way_to_the_one_before_it() {
    let scratch = experiment("f32");
    scratch.abbe("train small.toml --out run").ok();
    let whole = outcome(&scratch, "run");
    let points = scratch.files("run/resume");
    let newest = std::fs::read(scratch.path(&points[1])).unwrap();
    scratch.write(&points[1], &newest[..newest.len() / 2]);
    scratch.write("run/resume/.abbe-half", b"what a kill leaves");
    let ended = scratch.abbe("train small.toml --out run --resume");
    assert!(ended.stderr.contains("the point before it is taken"), "{}", ended.stderr);
    ended.ok();
    assert_eq!(outcome(&scratch, "run"), whole);
    assert_eq!(scratch.files("run/resume").len(), 2);
    let manifest: Value = serde_json::from_slice(&std::fs::read(scratch.path("run/manifest.json")).unwrap()).unwrap();
    assert_eq!((&manifest["resumed"][0]["phase"], &manifest["outcome"]), (&"srgan".into(), &"finished".into()));
}

#[test]
fn a_changed_experiment_is_shown_and_refused_unless_allowed() {
    let scratch = experiment("f32");
    scratch.abbe("train small.toml --out run").ok();
    let text = std::fs::read_to_string(scratch.path("small.toml")).unwrap();
    scratch.write("longer.toml", text.replace("steps = 8", "steps = 10"));
    let before = outcome(&scratch, "run");
    scratch
        .abbe("train longer.toml --out run --resume")
        .fails_with(&["phase.3.length.steps: 8 before, 10 now", "--allow-changes"]);
    assert_eq!(outcome(&scratch, "run"), before);
    scratch.write("other.toml", text.replace("channels = 32", "channels = 16"));
    scratch.abbe("train other.toml --out run --resume --allow-changes").fails_with(&["networks.generator", "shape"]);
    let empty = scratch.abbe("train small.toml --out nowhere --resume");
    empty.fails_with(&["nowhere", "holds no run"]);
    std::fs::remove_dir_all(scratch.path("run/resume")).unwrap();
    scratch.abbe("train small.toml --out run --resume").fails_with(&["nothing to go on from"]);
}
