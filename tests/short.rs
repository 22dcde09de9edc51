//! Every experiment of the project made short, on pictures made by a formula: each of its phases learns, and repeats its losses.

use serde_json::{Value, json};
use toml::Table;

use crate::support::{Scratch, repository, scene};
use crate::training::check_losses;

/// The text of an experiment of the project with its own networks, losses and optimisers, made small: patches of 32x32, few
/// blocks and channels, VGG with random weights, ten times the rate, some steps for each phase, no validation.
fn shortened(name: &str) -> String {
    let mut experiment: Table = text(name).parse().unwrap();
    ["validation", "published"].iter().for_each(|key| drop(experiment.remove(*key)));
    let data = r#"{ train.hr = "photographs/train", test.hr = "photographs/test", patch = 32, batch = 2, augment = false, workers = 1 }"#;
    set(&mut experiment, "data", data);
    for (_, network) in experiment["networks"].as_table_mut().unwrap() {
        set(network.as_table_mut().unwrap(), "srcnn", "{ channels = [16, 8] }");
        set(network.as_table_mut().unwrap(), "srresnet", "{ blocks = 2, channels = 16 }");
    }
    set(&mut experiment, "discriminator", "{ srgan = { patch = 32, channels = 4 } }");
    set(&mut experiment, "vgg", "{ weights = { random = { seed = 0 } } }");
    for phase in experiment["phase"].as_array_mut().unwrap() {
        let phase = phase.as_table_mut().unwrap();
        set(phase, "optimizer", "{ adam = { lr = 1e-3 } }");
        set(phase, "discriminator", "{ optimizer = { adam = { lr = 1e-3 } } }");
        phase.extend("length = { steps = 16 }\nsave_epochs = []".parse::<Table>().unwrap());
    }
    experiment.to_string()
}

fn text(name: &str) -> String {
    std::fs::read_to_string(repository(&format!("experiments/{name}.toml"))).unwrap()
}

/// Changes what a table has under a key as an inline table says, at any depth; nothing where it has no such key.
fn set(table: &mut Table, key: &str, changes: &str) {
    let changes: Table = format!("changes = {changes}").parse().unwrap();
    if let Some(own) = table.get_mut(key) {
        merge(own.as_table_mut().unwrap(), changes["changes"].as_table().unwrap());
    }
}

fn merge(own: &mut Table, changes: &Table) {
    for (key, change) in changes {
        match (own.get_mut(key), change) {
            (Some(toml::Value::Table(own)), toml::Value::Table(change)) => merge(own, change),
            _ => drop(own.insert(key.clone(), change.clone())),
        }
    }
}

/// Trains an experiment on pictures of these sides and compares its losses with the golden sequence; the rows of its log. Of a
/// picture of 32x32 every patch is the same, and losses fall from step to step.
fn trained(name: &str, text: &str, sides: &[usize]) -> Vec<Value> {
    let scratch = Scratch::new();
    for (kind, &side) in sides.iter().enumerate() {
        scratch.picture(&format!("photographs/train/scene{kind}.png"), &scene(side, side, kind));
    }
    scratch.picture("photographs/test/scene2.png", &scene(48, 48, 2));
    scratch.write("short.toml", text);
    scratch.abbe("train short.toml --out run").ok();
    let log = std::fs::read_to_string(scratch.path("run/log.jsonl")).unwrap();
    let rows: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let losses: Vec<Value> = rows.iter().map(|row| json!({ "phase": row["phase"], "terms": row["terms"] })).collect();
    check_losses(name, &losses);
    rows
}

/// The losses of the steps of a phase that have this term.
fn losses(rows: &[Value], phase: &str, term: &str) -> Vec<f64> {
    rows.iter().filter(|row| row["phase"] == phase).filter_map(|row| row["terms"][term].as_f64()).collect()
}

/// A term falls in a phase: the mean of the last quarter of its steps is below so much of that of the first.
fn falls(rows: &[Value], phase: &str, term: &str, below: f64) {
    let losses = losses(rows, phase, term);
    let quarter = losses.len().div_ceil(4);
    let [first, last] = [&losses[..quarter], &losses[losses.len() - quarter..]].map(|part| part.iter().sum::<f64>());
    println!("{phase}, {term}: {:.3}", last / first);
    assert!(last / first < below, "{phase}: {term} went to {:.3} of what it was: {losses:?}", last / first);
}

/// The SRGAN of the report: the discriminator is updated on every sixth step, and the generator hears of it on each.
fn the_report_learns(name: &str) {
    let rows = trained(name, &shortened(name), &[32]);
    for (phase, term) in [("srcnn", "total"), ("warm-up", "total"), ("srgan", "discriminator")] {
        falls(&rows, phase, term, 0.95);
    }
    assert_eq!(["discriminator", "adversarial"].map(|term| losses(&rows, "srgan", term).len()), [3, 16]);
}

#[test]
fn the_reports_srgan_learns_and_repeats_its_losses() {
    the_report_learns("report");
}

#[test]
fn the_reports_other_reading_learns_and_repeats_its_losses() {
    the_report_learns("report-bicubic-input");
}

#[test]
fn the_demo_learns_and_repeats_its_losses() {
    the_report_learns("demo");
}

#[test]
fn srcnn_learns_and_repeats_its_losses() {
    let rows = trained("srcnn", &shortened("srcnn"), &[32]);
    falls(&rows, "srcnn", "total", 0.9);
}

#[test]
fn the_papers_srgan_learns_and_repeats_its_losses() {
    let rows = trained("srgan-paper", &shortened("srgan-paper"), &[32]);
    falls(&rows, "srresnet", "total", 0.9);
    for phase in ["srgan-1e-4", "srgan"] {
        falls(&rows, phase, "discriminator", 0.9);
    }
}

#[test]
fn esrgan_learns_and_repeats_its_losses() {
    let rows = trained("esrgan-short", &text("esrgan-short"), &[160, 144]);
    falls(&rows, "rrdb", "total", 0.9);
    falls(&rows, "esrgan", "discriminator", 1.0);
}

#[test]
fn real_esrgan_learns_and_repeats_its_losses() {
    let rows = trained("real-esrgan-short", &text("real-esrgan-short"), &[160, 144]);
    falls(&rows, "real-esrnet", "total", 0.9);
    falls(&rows, "real-esrgan", "discriminator", 1.0);
}

#[test]
fn every_experiment_has_a_short_version_that_is_trained_here() {
    let files = std::fs::read_dir(repository("experiments")).unwrap().map(|entry| entry.unwrap().file_name());
    let names = files.filter_map(|file| Some(file.to_str()?.strip_suffix(".toml")?.to_owned()));
    let golden = |name: &str| repository(&format!("tests/golden/train/sequences/{name}.json")).is_file();
    let without: Vec<String> = names.filter(|name| !golden(name) && !golden(&format!("{name}-short"))).collect();
    assert!(without.is_empty(), "no golden sequence of losses: {without:?}");
}
