//! Short forms of the project's experiments, on pictures made by a formula: each learns, and repeats its losses.

use serde_json::{Value, json};

use crate::support::{Scratch, repository, scene};
use crate::training::check_losses;

/// Trains an experiment of the project with some of its text replaced, and compares its losses with the golden sequence; the
/// rows of its log.
fn trained(name: &str, changes: &[(&str, &str)]) -> Vec<Value> {
    let scratch = Scratch::new();
    for (kind, (split, side)) in [("train", 160), ("train", 144), ("test", 48)].into_iter().enumerate() {
        scratch.picture(&format!("photographs/{split}/scene{kind}.png"), &scene(side, side, kind));
    }
    let mut text = std::fs::read_to_string(repository(&format!("experiments/{name}.toml"))).unwrap();
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    scratch.write("short.toml", text);
    scratch.abbe("train short.toml --out run").ok();
    let log = std::fs::read_to_string(scratch.path("run/log.jsonl")).unwrap();
    let rows: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let losses: Vec<Value> = rows.iter().map(|row| json!({ "phase": row["phase"], "terms": row["terms"] })).collect();
    check_losses(name, &losses);
    rows
}

/// The mean loss of the last quarter of a phase over that of its first.
fn fall(rows: &[Value], phase: &str) -> f64 {
    let of_phase = rows.iter().filter(|row| row["phase"] == phase);
    let losses: Vec<f64> = of_phase.map(|row| row["terms"]["total"].as_f64().unwrap()).collect();
    let quarter = losses.len() / 4;
    losses[losses.len() - quarter..].iter().sum::<f64>() / losses[..quarter].iter().sum::<f64>()
}

#[test]
fn esrgan_learns_and_repeats_its_losses() {
    let rows = trained("esrgan-short", &[]);
    assert!(fall(&rows, "rrdb") < 0.9, "{}", fall(&rows, "rrdb"));
}

#[test]
fn real_esrgan_learns_and_repeats_its_losses() {
    let rows = trained("real-esrgan-short", &[]);
    assert!(fall(&rows, "real-esrnet") < 0.9, "{}", fall(&rows, "real-esrnet"));
}

#[test]
fn the_demo_learns_and_repeats_its_losses() {
    let rows = trained(
        "demo",
        &[
            ("weights = \"cache\"", "weights = { random = { seed = 0 } }"),
            ("pictures = [\"chelsea\"]", "pictures = [\"scene2\"]"),
            ("steps = 2000", "steps = 12"),
            ("steps = 800", "steps = 8"),
            ("steps = 200 }", "steps = 8 }"),
            ("batch = 8", "batch = 2"),
        ],
    );
    assert!(fall(&rows, "srcnn") < 0.9, "{}", fall(&rows, "srcnn"));
    // SRGAN's discriminator is updated on every sixth step, and its generator hears of it on each.
    let of = |key: &str| rows.iter().filter(|row| row["phase"] == "srgan" && row["terms"].get(key).is_some()).count();
    assert_eq!((of("discriminator"), of("adversarial")), (2, 8));
}
