//! Phases that begin with the average of their network.

use abbe_train::Experiment;

use crate::phases::{SRCNN, text};
use crate::resume::outcome;
use crate::support::{Scratch, scene};

const AVERAGE: &str = "ema = { g = { decay = 0.5 } }";

/// Moves nothing.
const STILL: &str = "optimizer = { sgd = { lr = 1e-30, momentum = 0.0 } }";

/// Two phases of 6 steps, the second with these keys, and a point kept after each step.
fn two_phases(average: &str, keys: &str) -> String {
    let top = format!("{average}\nresume = {{ every = {{ steps = 1 }}, keep = 100 }}");
    let length = "length = { steps = 6 }";
    text(&top, SRCNN, &[length, &format!("{length}\n{keys}")])
}

/// These phases on a small picture.
fn trained(average: &str, keys: &str) -> Scratch {
    let scratch = Scratch::new();
    scratch.picture("train/scene0.png", &scene(64, 64, 0));
    scratch.picture("test/scene1.png", &scene(48, 48, 1));
    scratch.write("tiny.toml", two_phases(average, keys));
    scratch.abbe("train tiny.toml --out run").ok();
    scratch
}

/// All numbers of a checkpoint.
fn weights(scratch: &Scratch, name: &str) -> Vec<f32> {
    let value = abbe_checkpoint::read(scratch.path(&format!("run/checkpoints/{name}.pth"))).unwrap();
    let state = abbe_checkpoint::state_dict_of(&value).unwrap();
    state.values().flat_map(|tensor| tensor.to_f32().unwrap()).collect()
}

#[test]
fn a_phase_begins_with_the_network_or_with_its_average() {
    let plain = trained(AVERAGE, STILL);
    assert_eq!(weights(&plain, "p1_final"), weights(&plain, "p0_final"));
    let average = trained(AVERAGE, &format!("begin = \"average\"\n{STILL}"));
    assert_eq!(weights(&average, "p0_final"), weights(&plain, "p0_final"));
    assert_eq!(weights(&average, "p1_final"), weights(&average, "p0_final_ema"));
    assert_ne!(weights(&average, "p1_final"), weights(&average, "p0_final"));
}

#[test]
fn such_a_phase_is_resumed_to_the_last_bit() {
    let scratch = trained(AVERAGE, "begin = \"average\"");
    let whole = outcome(&scratch, "run");
    for step in [6, 8, 5] {
        // At the end of the first phase, in the second, in the first.
        let last = format!("run/resume/step_{step:010}.pth");
        let later = scratch.files("run/resume").into_iter().filter(|point| *point > last);
        later.for_each(|point| std::fs::remove_file(scratch.path(&point)).unwrap());
        let said = scratch.abbe("train tiny.toml --out run --resume");
        assert!(said.stderr.contains(&last), "{}", said.stderr);
        said.ok();
        assert!(outcome(&scratch, "run") == whole, "from step {step}");
    }
}

#[test]
fn an_average_that_is_added_on_the_way_begins_with_the_weights_so_far() {
    let scratch = trained("", STILL);
    let later =
        scratch.files("run/resume").into_iter().filter(|point| point.as_str() > "run/resume/step_0000000006.pth");
    later.for_each(|point| std::fs::remove_file(scratch.path(&point)).unwrap());
    scratch.write("tiny.toml", two_phases(AVERAGE, &format!("begin = \"average\"\n{STILL}")));
    let table = scratch.abbe("train tiny.toml --out run --resume --allow-changes").ok();
    assert_eq!(weights(&scratch, "p1_final"), weights(&scratch, "p0_final"));
    assert_eq!(weights(&scratch, "p1_final_ema"), weights(&scratch, "p0_final"));
    assert!(table.contains("p1_ema") && !table.contains("p0_ema"), "{table}");
}

#[test]
fn without_an_average_there_is_nothing_to_begin_with() {
    let begin = "begin = \"average\"";
    let said = |top: &str, phases: &[&str]| {
        let parsed = Experiment::parse(&text(top, SRCNN, phases));
        parsed.map_or_else(|error| format!("{error:#}"), |_| "fine".into())
    };
    assert_eq!(said(AVERAGE, &["", begin]), "fine");
    assert!(said("", &["", begin]).contains("phase 2 (`p1`): begin: no average of `g` is kept"));
    assert!(said(AVERAGE, &[begin, ""]).contains("phase 1 (`p0`): begin: no earlier phase trains `g`"));
    assert!(said(AVERAGE, &["", "begin = \"ema\""]).contains("average"));
}
