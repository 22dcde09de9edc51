//! Trainings that are killed, at any moment, and go on as if they had not been.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::support::{ABBE, EXPERIMENT, Scratch, program, scene};

/// Of the small experiment in all.
const STEPS: usize = 20;

const VALIDATION: &str = "validation = { every = { steps = 3 }, metrics = [\"psnr\"], protocols = [\"rgb\"], \
                          best = \"psnr_rgb\", show = 0 }\n";

/// How often each training is killed; `cargo xtask kill` says more.
fn kills() -> u32 {
    std::env::var("ABBE_KILLS").map_or(3, |kills| kills.parse().unwrap())
}

/// A folder with the small experiment in this precision: with an average, batch norm, a point after every step, a validation
/// after every third, and three threads that cut patches.
fn experiment(precision: &str) -> Scratch {
    let scratch = Scratch::new();
    let keys = format!(
        "precision = \"{precision}\"\nema = {{ generator = {{ decay = 0.9 }} }}\nresume = {{ every = {{ steps = 1 }}, keep = 2 }}\n{VALIDATION}"
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

/// The checkpoints' bytes, and what the log says of each step but for what depends on the clock and the machine.
pub fn outcome(scratch: &Scratch, run: &str) -> (BTreeMap<String, Vec<u8>>, Vec<Value>) {
    let files = scratch.files(&format!("{run}/checkpoints"));
    let bytes = |file: &String| std::fs::read(scratch.path(file)).unwrap();
    let named = |file: &String| file.trim_start_matches(run).to_owned();
    let files = files.iter().map(|file| (named(file), bytes(file))).collect();
    let log = std::fs::read_to_string(scratch.path(&format!("{run}/log.jsonl"))).unwrap();
    let row = |line: &str| {
        let mut row: Value = serde_json::from_str(line).unwrap();
        row.as_object_mut().unwrap().remove("seconds").unwrap();
        let health = row["health"].as_object_mut().unwrap();
        health.retain(|name, _| {
            !["patches_per_second", "waiting", "memory_gib", "gpu_memory_gib"].contains(&name.as_str())
        });
        row
    };
    (files, log.lines().map(row).collect())
}

/// What the manifest says of the best checkpoints.
fn best(scratch: &Scratch, run: &str) -> Value {
    let manifest = std::fs::read(scratch.path(&format!("{run}/manifest.json"))).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    assert_eq!(manifest["best"].as_array().unwrap().len(), 3, "one of each phase");
    manifest["best"].clone()
}

/// How the killed training is started again, and how many steps it has then: it goes on as soon as there is a point to go on
/// from, and begins anew once it has ended.
fn how(scratch: &Scratch) -> (&'static str, usize) {
    let manifest = std::fs::read_to_string(scratch.path("cut/manifest.json")).unwrap_or_default();
    let entries = std::fs::read_dir(scratch.path("cut/resume")).into_iter().flatten();
    let names = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    let steps = names.filter_map(|name| name.strip_prefix("step_")?.strip_suffix(".pth")?.parse().ok()).max();
    match steps.filter(|steps| *steps < STEPS && !manifest.contains("\"finished\"")) {
        Some(steps) => ("--resume", steps),
        None => ("--overwrite", 0),
    }
}

/// Waits until the log of a training that has just been started has so many rows, or until it has ended.
fn wait_for_rows(scratch: &Scratch, child: &mut Child, started: SystemTime, rows: usize) {
    let log = scratch.path("cut/log.jsonl");
    let has_them = || {
        let is_new = std::fs::metadata(&log).and_then(|log| log.modified()).is_ok_and(|modified| modified > started);
        is_new && std::fs::read_to_string(&log).is_ok_and(|text| text.lines().count() >= rows)
    };
    while !has_them() && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Kills a training again and again, each time a little after one of its next steps, and lets it end.
fn kill_again_and_again(precision: &str) {
    let scratch = experiment(precision);
    scratch.abbe("train small.toml --out whole").ok();
    let mut killed = 0;
    while killed < kills() {
        let ((how, steps), started) = (how(&scratch), SystemTime::now());
        let mut child = start(&scratch, &format!("train small.toml --out cut {how}"));
        wait_for_rows(&scratch, &mut child, started, steps + 1 + killed as usize % 3);
        std::thread::sleep(Duration::from_millis(u64::from(killed * 7 % 23))); // also while it saves
        if child.try_wait().unwrap().is_none() {
            child.kill().unwrap(); // SIGKILL
            killed += 1;
        }
        child.wait().unwrap();
    }
    scratch.abbe(&format!("train small.toml --out cut {}", how(&scratch).0)).ok();
    let ((files, rows), (expected_files, expected_rows)) = (outcome(&scratch, "cut"), outcome(&scratch, "whole"));
    for (row, expected) in rows.iter().zip(&expected_rows) {
        assert_eq!(row, expected, "{precision}");
    }
    assert_eq!(rows.len(), expected_rows.len(), "{precision}");
    assert!(files.keys().eq(expected_files.keys()), "{:?}", files.keys());
    for (name, bytes) in &files {
        assert!(*bytes == expected_files[name], "{precision}: {name} differs");
    }
    assert_eq!(best(&scratch, "cut"), best(&scratch, "whole"), "{precision}");
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

/// A run that has finished goes on to be judged again, which is enough to hear what has changed around it.
#[test]
fn other_threads_are_told_and_noted_but_not_refused() {
    let scratch = experiment("f32");
    scratch.abbe("train small.toml --out run").ok();
    let ended = scratch.abbe_with("train small.toml --out run --resume", &[("OMP_NUM_THREADS", "2")]);
    assert!(ended.stderr.contains("changed: threads: 1 before, 2 now: what follows may differ"), "{}", ended.stderr);
    ended.ok();
    let manifest: Value = serde_json::from_slice(&std::fs::read(scratch.path("run/manifest.json")).unwrap()).unwrap();
    assert!(manifest["resumed"][0]["changed"][0].as_str().unwrap().starts_with("threads: "), "{manifest}");
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
