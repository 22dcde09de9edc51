//! Trainings that are refused before their first step, by the key that is wrong or the memory that is too small.

use abbe_train::Experiment;

use crate::phases::{SRCNN, SRGAN, adversarial, text};
use crate::support::{ABBE, Finished, Scratch, scene};

fn said(top: &str, phase: &str) -> String {
    Experiment::parse(&text(top, SRCNN, &[phase])).map_or_else(|error| format!("{error:#}"), |_| "fine".into())
}

#[test]
fn keys_of_an_experiment() {
    let validation = "validation = { every = { steps = 1 }, metrics = [\"psnr\"], protocols = [\"rgb\"], \
                      best = \"psnr_rgb\", ema = true, show = 0 }";
    let cases: [(&str, &[&str]); 12] = [
        ("", &["fine"]),
        ("non_finite = { skip = { in_a_row = 0 } }", &["non_finite: skip.in_a_row: expected at least 1", "\"stop\""]),
        ("non_finite = \"ignore\"", &["ignore", "stop", "skip"]),
        ("precision = \"f8\"", &["f8", "auto", "bf16"]),
        ("deterministic = 1", &["deterministic", "boolean"]),
        ("resume = { every = { steps = 0 }, keep = 1 }", &["resume: every: expected 1 to 1000000000, found 0"]),
        ("resume = { every = { steps = 1 }, keep = 0 }", &["resume: keep: expected 1 to 1000, found 0"]),
        ("ema = { h = { decay = 0.9 } }", &["ema: no network is called `h`", "has: g"]),
        ("ema = { g = { decay = 1.0 } }", &["ema.g: decay: expected 0 or more and less than 1, found 1"]),
        (validation, &["validation.ema: phase `p0`", "expected `ema.g`"]),
        (SRGAN, &["discriminator: no phase has an adversarial loss"]),
        ("start = { networks = { h = { checkpoint = \"a\", partial = true } } }", &["start: networks", "`h`"]),
    ];
    for (top, parts) in cases {
        let said = said(top, "");
        assert!(parts.iter().all(|part| said.contains(part)), "{top}: {said}");
    }
}

#[test]
fn keys_of_a_phase() {
    let cases: [(&str, &str); 24] = [
        ("length = { epochs = 0 }", "phase 1 (`p0`): length: expected 1 to 1000000000, found 0"),
        ("length = { steps = -1 }", "invalid value"),
        ("optimizer = { lion = { lr = 1.0 } }", "unknown variant `lion`"),
        ("optimizer = { sgd = { lr = 1.0, momentum = 1.5 } }", "optimizer: sgd: momentum: expected 0 or more and less"),
        ("optimizer = { adamw = { lr = 1.0, betas = [0.9, 0.9], eps = 1e-8 } }", "missing field `weight_decay`"),
        ("groups = [{ names = [] }]", "groups: names"),
        ("groups = [{ names = [\"*\"], lr = 0.0 }]", "groups: lr: expected a number above 0"),
        ("groups = [{ names = [\"*\"], weight_decay = -1.0 }]", "groups: weight_decay: expected 0 or more"),
        ("freeze = \"*\"", "expected a sequence"),
        ("clip = { norm = 0.0 }", "clip: norm: expected a number above 0"),
        ("clip = { norm = 1.0, value = 1.0 }", "clip"),
        ("warm_up = { steps = 0, from = 0.0, form = \"linear\" }", "warm_up.steps: expected at least 1"),
        ("warm_up = { steps = 5, from = 2.0, form = \"cosine\" }", "warm_up.from: expected 0 to 1, found 2"),
        ("warm_up = { steps = 5, from = 0.0, form = \"steep\" }", "unknown variant `steep`"),
        ("schedule = { linear = { to = 1.0 } }", "schedule.linear.to: expected 0 to the lr, 0.001, found 1"),
        (
            "warm_up = { steps = 101, from = 0.0, form = \"linear\" }",
            "warm_up.steps: expected at most 100, those of the phase, found 101",
        ),
        (
            "schedule = { multi_step = { at = [50, 100], factor = 0.5 } }",
            "schedule.multi_step.at: expected steps before the end of the phase, which has 100, found [50, 100]",
        ),
        (
            "schedule = { restarts = { periods = [100, 40], weights = [1.0, 1.0], to = 0.0 } }",
            "schedule.restarts.periods: expected 100 steps, the phase's, found 140 in all",
        ),
        (
            "schedule = { restarts = { periods = [40, 40], weights = [1.0, 1.0], to = 0.0 } }",
            "schedule.restarts.periods: expected 100 steps, the phase's, found 80",
        ),
        ("schedule = { plateau = { factor = 0.5, patience = 1, least = 0.0 } }", "there is no [validation]"),
        ("accumulate = 3", "accumulate: expected a divisor of data.batch, 4, found 3"),
        ("accumulate = 0", "accumulate: expected a divisor of data.batch, 4, found 0"),
        ("loss = { ldl = { weight = 1.0 } }", "loss: ldl: it compares with the averaged network: expected `ema.g`"),
        ("loss = { pixel = { weight = 0.0, distance = \"l1\" } }", "loss: expected a term with a weight above 0"),
    ];
    for (phase, part) in cases {
        let said = said("", phase);
        assert!(said.contains(part), "{phase}: {said}");
    }
}

#[test]
fn keys_of_a_discriminators_training() {
    assert_eq!(said(SRGAN, &adversarial("")), "fine");
    assert!(said("", &adversarial("")).contains("loss.adversarial: the experiment has no [discriminator]"));
    let cases: [(&str, &str); 12] = [
        ("generator_every = 0", "generator_every: expected at least 1"),
        ("pretrain = 100", "pretrain: expected fewer steps than the phase's 100, found 100"),
        ("when = { accuracy = { below = 0.0 } }", "when: accuracy.below: expected above 0 and at most 1"),
        ("when = { loss = { above = 0.5, decay = 1.0 } }", "when: loss.decay: expected 0 or more and below 1"),
        ("when = { luck = 0.5 }", "unknown variant `luck`"),
        ("clip = { value = -1.0 }", "clip: value: expected a number above 0"),
        ("schedule = { cosine = { to = 1.0 } }", "schedule.cosine.to"),
        ("schedule = { restarts = { periods = [1], weights = [1.0], to = 0.0 } }", "schedule.restarts.periods"),
        ("schedule = { multi_step = { at = [100], factor = 0.5 } }", "schedule.multi_step.at"),
        ("gradient_penalty = { weight = 0.0 }", "gradient_penalty.weight: expected a number above 0"),
        ("r1 = { weight = 10.0, every = 0 }", "r1.every: expected 1 to 1000000"),
        ("warm_up = { steps = 1, from = 0.0, form = \"linear\" }", "unknown field `warm_up`"),
    ];
    for (keys, part) in cases {
        let said = said(SRGAN, &adversarial(keys));
        assert!(said.contains(part), "{keys}: {said}");
        assert!(said.contains("discriminator") || said.contains("unknown"), "{keys}: {said}");
    }
}

/// A pretraining whose phase is counted in epochs, which are known with the pictures; and a flag that does nothing.
#[test]
fn what_the_pictures_and_the_command_line_tell() {
    let scratch = Scratch::new();
    scratch.picture("train/scene0.png", &scene(64, 64, 0));
    scratch.picture("test/scene1.png", &scene(48, 48, 1));
    // One picture of 4 patches in batches of 4: one step an epoch.
    scratch.write(
        "tiny.toml",
        text(SRGAN, SRCNN, &[&format!("length = {{ epochs = 3 }}\n{}", adversarial("pretrain = 3"))]),
    );
    let said = "phase `p0`: discriminator: pretrain: expected fewer steps than the phase's 3, found 3";
    scratch.abbe("train tiny.toml --out run").fails_with(&[said]);
    scratch.abbe("train tiny.toml --out run --allow-changes").fails_with(&["--allow-changes", "--resume"]);
    assert!(!scratch.path("run").exists());
}

/// A limit on the address space stands in for a small memory.
#[cfg(target_os = "linux")]
#[test]
fn a_batch_that_memory_is_too_small_for_is_told_with_one_that_fits() {
    let scratch = Scratch::new();
    scratch.picture("train/scene0.png", &scene(160, 160, 0));
    scratch.picture("test/scene1.png", &scene(48, 48, 1));
    // 512 patches of 128x128 in 128 channels of 4 bytes: 4 GiB for the output of the first convolution alone.
    let network = "srcnn = { scale = 2, kernels = [1, 1, 1], channels = [128, 4] }";
    let text = text("", network, &["length = { steps = 1 }"]).replace("patch = 16", "patch = 128");
    scratch.write("large.toml", text.replace("batch = 4", "batch = 512"));
    let command = format!("ulimit -v 4194304; exec {ABBE} train large.toml --out run");
    let mut bash = std::process::Command::new("bash");
    bash.args(["-c", &command]).current_dir(scratch.path("")).env("OMP_NUM_THREADS", "1").env("MALLOC_ARENA_MAX", "1");
    let ended = Finished::of(&mut bash);
    assert_eq!(ended.status, Some(1), "{}", ended.stderr);
    let (_, told) = ended.stderr.split_once("memory is too small for 512 patches at once; ").unwrap_or_default();
    let numbers: Vec<usize> = told.split(|c: char| !c.is_ascii_digit()).filter_map(|word| word.parse().ok()).collect();
    let [count, accumulate, batch] = numbers[..] else { panic!("{}", ended.stderr) };
    assert!(count * accumulate == 512 && batch == count && count > 1, "{}", ended.stderr);
    ended.fails_with(&["in phase `p0`", "fit: say `accumulate = "]);
}
