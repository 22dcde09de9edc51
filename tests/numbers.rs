//! Numbers that are not finite, precisions that are short of numbers, and what looks wrong.

use abbe_train::Precision;
use serde_json::{Value, json};
use tch::Device;

use crate::phases::{
    BATCH_NORM, SRCNN, SRGAN, adversarial, batch, discriminator, experiment, generator, step, tensors, text, trainer,
};
use crate::support::{Scratch, scene};

/// Runs such an experiment as a user does; the rows of its log.
fn run(scratch: &Scratch, text: &str) -> (crate::support::Finished, Vec<Value>) {
    scratch.picture("train/scene0.png", &scene(64, 64, 0));
    scratch.picture("test/scene1.png", &scene(48, 48, 1));
    scratch.write("tiny.toml", text);
    let ended = scratch.abbe("train tiny.toml --out run");
    let log = std::fs::read_to_string(scratch.path("run/log.jsonl")).unwrap();
    (ended, log.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

#[test]
fn a_step_that_is_skipped_changes_no_bit_of_any_network() {
    let top = format!("non_finite = {{ skip = {{ in_a_row = 2 }} }}\nema = {{ g = {{ decay = 0.9 }} }}\n{SRGAN}");
    let experiment = experiment(&top, BATCH_NORM, &[&adversarial("")]);
    let mut trainer = trainer(&experiment);
    let mut at = 0;
    let mut take = |is_finite: bool| {
        let mut batch = batch();
        if !is_finite {
            let _ = batch.lr.fill_(f64::NAN);
        }
        let state = |trainer: &abbe_train::Trainer| {
            let average = trainer.networks.trainees["g"].ema.as_ref().unwrap();
            [generator(trainer), discriminator(trainer), average.model().store()].map(tensors)
        };
        let before = state(&trainer);
        let numbers = step(&mut trainer, 0, at, &batch).map_err(|error| format!("{error:#}"))?;
        at += 1;
        let after = state(&trainer);
        let changed = [0, 1, 2].map(|network| before[network] != after[network]);
        Ok::<_, String>((
            changed,
            ["g", "discriminator"].map(|of| numbers.health.contains_key(&format!("skipped_{of}"))),
        ))
    };
    let (taken, skipped) = (([true; 3], [false; 2]), ([false; 3], [true; 2]));
    let found: Result<Vec<_>, _> = [true, false, false, true, false, false].into_iter().map(&mut take).collect();
    assert_eq!(found.unwrap(), [taken, skipped, skipped, taken, skipped, skipped]);
    let error = take(false).unwrap_err();
    assert!(error.contains("`pixel` of the loss is NaN; 3 steps in a row could not be taken"), "{error}");
}

#[test]
fn a_loss_that_is_not_finite_stops_at_once_in_every_precision() {
    for precision in ["f32", "bf16", "f16"] {
        let experiment = experiment(&format!("precision = \"{precision}\""), SRCNN, &[""]);
        let mut batch = batch();
        let _ = batch.lr.fill_(f64::NAN);
        let error = format!("{:#}", step(&mut trainer(&experiment), 0, 0, &batch).unwrap_err());
        assert_eq!(error, "`g`: the term `pixel` of the loss is NaN");
    }
}

#[test]
fn a_run_that_skips_says_so_in_its_log_and_stops_after_too_many() {
    let phase = "optimizer = { adam = { lr = 1e30, betas = [0.9, 0.999], eps = 1e-8 } }"; // whose first step is the last
    let (ended, rows) = run(&Scratch::new(), &text("non_finite = { skip = { in_a_row = 2 } }", SRCNN, &[phase]));
    assert_eq!(ended.status, Some(1));
    ended.fails_with(&["in phase `p0`: at step 3: `g`: the term `pixel`", "3 steps in a row"]);
    let skipped: Vec<&Value> = rows.iter().map(|row| &row["health"]["skipped_g"]).collect();
    assert_eq!(skipped, [&Value::Null, &json!(1), &json!(1)]);
    let all: Vec<&Value> = rows.iter().map(|row| &row["health"]["all_skipped_g"]).collect();
    assert_eq!(all, [&Value::Null, &json!(1), &json!(2)]);
}

/// Three steps, of which all but the first are left out: so few in a row are allowed.
#[test]
fn a_phase_ends_with_how_many_steps_were_not_taken() {
    let phase = "optimizer = { adam = { lr = 1e30, betas = [0.9, 0.999], eps = 1e-8 } }\nlength = { steps = 3 }";
    let (ended, rows) = run(&Scratch::new(), &text("non_finite = { skip = { in_a_row = 2 } }", SRCNN, &[phase]));
    assert_eq!(rows.len(), 3);
    assert!(ended.stderr.contains("p0: 3 steps in") && ended.stderr.contains("not taken for g: 2"), "{}", ended.stderr);
}

#[test]
fn short_precisions_learn() {
    for (precision, scale) in [("bf16", None), ("f16", Some(65536.0))] {
        let experiment = experiment(&format!("precision = \"{precision}\""), SRCNN, &[""]);
        let (mut trainer, batch) = (trainer(&experiment), batch());
        let steps = (0..40).map(|at| step(&mut trainer, 0, at, &batch).unwrap());
        let steps: Vec<_> = steps.map(|numbers| (numbers.raw["pixel"].as_f64().unwrap(), numbers)).collect();
        let mean = |of: &[(f64, _)]| of.iter().map(|(loss, _)| loss).sum::<f64>();
        assert!(mean(&steps[30..]) < 0.9 * mean(&steps[..10]), "{precision}");
        assert_eq!(steps[0].1.health.get("loss_scale_g").and_then(Value::as_f64), scale);
        assert!(generator(&trainer).parameters().iter().all(|weights| weights.kind() == tch::Kind::Float));
    }
}

#[test]
fn the_scale_of_f16_comes_down_until_a_step_can_be_taken() {
    // The slope of the mean over 4x3x16x16 numbers is a 3072th: times 65536 and this weight, 2e6, above f16's 65504.
    let phase = "loss = { pixel = { weight = 1e5, distance = \"l1\" } }";
    let experiment = experiment("precision = \"f16\"", SRCNN, &[phase]);
    let (mut trainer, batch, mut skipped) = (trainer(&experiment), batch(), 0);
    let first = tensors(generator(&trainer));
    loop {
        let health = step(&mut trainer, 0, skipped, &batch).unwrap().health;
        if !health.contains_key("skipped_g") {
            break;
        }
        skipped += 1;
        assert_eq!(health["loss_scale_g"].as_f64(), Some(65536.0 * 0.5f64.powi(skipped as i32)));
        assert!(tensors(generator(&trainer)) == first && skipped <= 40, "after {skipped} steps");
    }
    assert!(skipped >= 5 && tensors(generator(&trainer)) != first, "{skipped}");
}

#[test]
fn a_plateau_hears_of_validations_and_the_manifest_of_the_precision() {
    // So small a rate changes no weight: each validation after the first is without gain.
    let phase = "length = { steps = 8 }\noptimizer = { sgd = { lr = 1e-30, momentum = 0.0 } }
schedule = { plateau = { factor = 0.5, patience = 0, least = 0.0 } }";
    let top = "precision = \"auto\"\nvalidation = { every = { steps = 2 }, metrics = [\"psnr\"], protocols = [\"rgb\"], \
               best = \"psnr_rgb\", show = 0 }";
    let scratch = Scratch::new();
    let (ended, rows) = run(&scratch, &text(top, SRCNN, &[phase]));
    ended.ok();
    let rates: Vec<f64> = rows.iter().map(|row| (row["lr"].as_f64().unwrap() * 1e33).round() / 1e3).collect();
    assert_eq!(rates, [1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.25, 0.25]);
    let manifest: Value = serde_json::from_slice(&std::fs::read(scratch.path("run/manifest.json")).unwrap()).unwrap();
    assert_eq!(manifest["precision"], Precision::Auto.resolved(Device::Cpu).name());
}

/// Ten times the usual rate, long enough for three looks at the contrast and a hundred updates of the discriminator.
const FAST: &str = "length = { steps = 200 }\noptimizer = { adam = { lr = 1e-2, betas = [0.9, 0.999], eps = 1e-8 } }";

/// The generator minimises the differences of neighbouring pixels alone, which is to say nothing.
#[test]
fn a_generator_that_collapses_and_a_discriminator_that_has_won_are_told_of() {
    let phase = adversarial("")
        .replace("loss.pixel = { weight = 1.0, distance = \"l1\" }", "loss.total_variation = { weight = 1.0 }")
        .replace("weight = 1e-2", "weight = 1e-9");
    let (ended, rows) = run(&Scratch::new(), &text(SRGAN, SRCNN, &[&format!("{FAST}\n{phase}")]));
    ended.ok();
    let warnings: Vec<&str> =
        rows.iter().filter_map(|row| row["warnings"].as_array()).flatten().filter_map(Value::as_str).collect();
    for part in ["the generator has collapsed", "it is saturated"] {
        assert_eq!(warnings.iter().filter(|warning| warning.contains(part)).count(), 1, "{part}: {warnings:?}");
    }
}
