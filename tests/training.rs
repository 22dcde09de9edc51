//! A whole run of the small experiment: what it writes, and that it computes what it always computed.

use abbe_checkpoint::TrainingState;
use abbe_data::image::{Conversion, read};
use serde_json::{Value, json};

use crate::support::{ABBE, EXPERIMENT, Finished, program, repository, small_experiment};

/// Every file that a run of the small experiment leaves.
fn expected_files() -> Vec<String> {
    let mut files: Vec<String> = [
        ".abbe-run",
        "checkpoints/srcnn_epoch_1.pth",
        "checkpoints/srcnn_final.pth",
        "checkpoints/srcnn_final.state",
        "checkpoints/srgan_discriminator_final.pth",
        "checkpoints/srgan_final.pth",
        "checkpoints/srgan_final.state",
        "checkpoints/warm-up_final.pth",
        "checkpoints/warm-up_final.state",
        "experiment.toml",
        "figures/curves.png",
        "figures/curves.svg",
        "figures/grids.png",
        "figures/metrics.png",
        "figures/metrics.svg",
        "figures/plane.png",
        "figures/plane.svg",
        "log.jsonl",
        "manifest.json",
        "metrics.csv",
        "metrics.json",
        "metrics.md",
        "metrics.tex",
        "metrics.txt",
        "notebook.ipynb",
        "report.html",
        "resume/step_0000000020.pth",
        "srgan_results.zip",
        "tensorboard/srcnn/events.out.tfevents",
        "tensorboard/srgan/events.out.tfevents",
        "tensorboard/warm-up/events.out.tfevents",
    ]
    .map(String::from)
    .into();
    for scene in ["scene2", "scene3"] {
        let versions = ["bicubic", "hr", "lr", "srcnn", "srgan", "warm-up"];
        files.extend(versions.map(|version| format!("pictures/{scene}/{version}.png")));
    }
    for view in ["scene2", "scene3", "scene2_upper_left", "scene3_upper_left", "scene2_lower_right"] {
        files.extend(["grid", "zoom"].map(|kind| format!("figures/{kind}_{view}.png")));
    }
    for scene in ["scene2", "scene3"] {
        let kinds = [("difference", "png"), ("spectrum", "png"), ("spectrum", "svg")];
        files.extend(kinds.map(|(kind, ending)| format!("figures/{kind}_{scene}.{ending}")));
    }
    let mut files: Vec<String> = files.into_iter().map(|file| format!("run/{file}")).collect();
    files.sort();
    files
}

#[test]
fn a_run_writes_everything_and_repeats_its_losses() {
    let scratch = small_experiment();
    scratch.alexnet();
    let printed = scratch.abbe("train small.toml --out run").ok();
    for part in [
        "bicubic",
        "srcnn",
        "warm-up",
        "srgan",
        "psnr_y_crop4",
        "ssim_rgb",
        "lpips_alex_v0.1",
        "RANDOM",
        "srgan_results.zip",
    ] {
        assert!(printed.contains(part), "`{part}` is not in:\n{printed}");
    }
    let plain = |file: String| match file.split_once("tfevents") {
        Some((before, _)) => format!("{before}tfevents"), // then time and process
        None => file,
    };
    assert_eq!(scratch.files("run").into_iter().map(plain).collect::<Vec<_>>(), expected_files());

    let log = std::fs::read_to_string(scratch.path("run/log.jsonl")).unwrap();
    let rows: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let losses: Vec<Value> = rows.iter().map(|row| json!({ "phase": row["phase"], "terms": row["terms"] })).collect();
    assert_eq!(losses.len(), 20);
    check_losses("small", &losses);
    // The discriminator is updated on steps 0 and 6 of its phase, and on no other step.
    let updated: Vec<&Value> = rows.iter().filter(|row| row["terms"].get("discriminator").is_some()).collect();
    let at: Vec<_> =
        updated.iter().map(|row| (row["phase"].as_str().unwrap(), row["step"].as_u64().unwrap())).collect();
    assert_eq!(at, [("srgan", 0), ("srgan", 6)]);
    check_answers(&rows);

    let manifest: Value = serde_json::from_slice(&std::fs::read(scratch.path("run/manifest.json")).unwrap()).unwrap();
    assert_eq!((&manifest["outcome"], &manifest["seed"]), (&json!("finished"), &json!(7)));
    assert!(manifest["notices"][0].as_str().unwrap().contains("RANDOM"));
    assert_eq!(manifest["train"]["sha256"].as_str().unwrap().len(), 64);

    let packed = scratch
        .python("import zipfile; print(zipfile.ZipFile('run/srgan_results.zip').read('manifest.json').decode())");
    assert_eq!(serde_json::from_str::<Value>(&packed.ok()).unwrap(), manifest);

    judged_again_it_is_the_same(&scratch);
    // The resolved experiment is an experiment.
    std::fs::copy(scratch.path("run/experiment.toml"), scratch.path("again.toml")).unwrap();
    scratch.abbe("train again.toml --out run").fails_with(&["run", "--overwrite"]);
}

/// Compares losses with a golden, which is what this machine's kind computed when it was made; other processors sum in another
/// order.
pub fn check_losses(golden: &str, losses: &[Value]) {
    let path = repository(&format!("tests/golden/train/sequences/{golden}.json"));
    if std::env::var_os("ABBE_BLESS").is_some() {
        let rows: Vec<String> = losses.iter().map(Value::to_string).collect();
        std::fs::write(&path, format!("[\n{}\n]\n", rows.join(",\n"))).unwrap();
    }
    let golden: Vec<Value> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert_eq!(losses.len(), golden.len());
    for (step, (ours, golden)) in losses.iter().zip(&golden).enumerate() {
        let (ours_terms, golden_terms) = (ours["terms"].as_object().unwrap(), golden["terms"].as_object().unwrap());
        assert!(ours_terms.keys().eq(golden_terms.keys()) && ours["phase"] == golden["phase"], "step {step}");
        for (name, value) in ours_terms {
            let (ours, golden) = (value.as_f64().unwrap(), golden_terms[name].as_f64().unwrap());
            assert!((ours - golden).abs() <= 1e-4 * golden.abs(), "step {step}, {name}: {ours} for {golden}");
        }
    }
}

/// The discriminator's answers are probabilities, on the steps that train it. Its cross-entropy -log D(real) - log(1 - D(fake))
/// is a mean over the batch, so by Jensen's inequality it is not below that of the mean answers.
fn check_answers(rows: &[Value]) {
    let answered: Vec<&Value> = rows.iter().filter(|row| row.get("discriminator").is_some()).collect();
    assert_eq!(answered.len(), 2);
    for row in answered {
        let [real, fake] = ["real", "fake"].map(|name| row["discriminator"][name].as_f64().unwrap());
        let least = -real.ln() - (1.0 - fake).ln();
        let loss = row["terms"]["discriminator"].as_f64().unwrap();
        assert!(0.0 < real && real < 1.0 && loss > least - 1e-6 && loss < least + 0.1, "{row}");
    }
}

fn judged_again_it_is_the_same(scratch: &crate::support::Scratch) {
    let again =
        scratch.abbe("eval --model run/checkpoints/warm-up_final.pth --hr test --metrics psnr,ssim,lpips --json").ok();
    let again: Value = serde_json::from_str(&again).unwrap();
    let first: Value = serde_json::from_slice(&std::fs::read(scratch.path("run/metrics.json")).unwrap()).unwrap();
    let of = |table: &Value, name: &str| {
        let methods = table["methods"].as_array().unwrap();
        methods.iter().find(|method| method["name"] == name).unwrap()["mean"].clone()
    };
    assert_eq!(of(&again, "warm-up_final"), of(&first, "warm-up"));
    scratch
        .abbe("upscale pictures/a.png -o b.png --model run/checkpoints/srgan_final.pth")
        .fails_with(&["pictures/a.png"]);
    let model = "--model run/checkpoints/srgan_final.pth";
    scratch.abbe(&format!("upscale run/pictures/scene2/lr.png -o big.png {model}")).ok();
    let picture = |path: &str| read(&scratch.path(path), Conversion::Refuse).unwrap();
    assert_eq!(picture("big.png"), picture("run/pictures/scene2/srgan.png"));
}

#[cfg(unix)]
#[test]
fn a_run_folder_may_have_any_name() {
    use std::os::unix::ffi::OsStrExt;
    let scratch = small_experiment();
    let out = std::ffi::OsStr::from_bytes(b"run\xff");
    let mut command = program(ABBE);
    Finished::of(command.args(["train", "small.toml", "--out"]).arg(out).current_dir(scratch.path("."))).ok();
    assert!(scratch.path(".").join(out).join("metrics.csv").is_file());
}

#[cfg(unix)]
#[test]
fn ctrl_c_stops_after_a_whole_step_and_leaves_whole_files() {
    use std::io::Read;
    use std::process::{Command, Stdio};
    let scratch = small_experiment();
    scratch.write("long.toml", EXPERIMENT.replace("length = { epochs = 2 }", "length = { steps = 1000000 }"));
    let mut child = program(ABBE)
        .args(["train", "long.toml", "--out", "run"])
        .current_dir(scratch.path("."))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let log = scratch.path("run/log.jsonl");
    while std::fs::read_to_string(&log).map_or(0, |text| text.lines().count()) < 3 {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    Finished::of(Command::new("kill").args(["-INT", &child.id().to_string()])).ok();
    let status = child.wait().unwrap();
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!(status.code(), Some(130), "{stderr}");
    assert!(stderr.contains("Ctrl-C") && stderr.contains("srcnn_interrupted.pth"), "{stderr}");
    scratch.abbe("inspect run/checkpoints/srcnn_interrupted.pth").ok();
    let last = std::fs::read_to_string(&log).unwrap();
    let state = abbe_checkpoint::read(scratch.path("run/checkpoints/srcnn_interrupted.state")).unwrap();
    assert_eq!(TrainingState::from_value(&state).unwrap().iter, last.lines().count() as u64);
    let manifest = std::fs::read_to_string(scratch.path("run/manifest.json")).unwrap();
    assert!(manifest.contains("stopped by Ctrl-C"), "{manifest}");
    assert!(last.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()));
    assert!(!scratch.files("run").iter().any(|file| file.contains(".abbe-") && !file.ends_with(".abbe-run")));
    // What it left goes when a later point is kept: here, at the end of a phase that is now short.
    scratch.write(
        "short.toml",
        EXPERIMENT.replace("length = { epochs = 2 }", &format!("length = {{ steps = {} }}", last.lines().count() + 1)),
    );
    scratch.abbe("train short.toml --out run --resume").fails_with(&["phase.1.length.steps: 1000000 before"]);
    assert!(scratch.path("run/checkpoints/srcnn_interrupted.pth").exists());
    scratch.abbe("train short.toml --out run --resume --allow-changes").ok();
    assert!(!scratch.files("run/checkpoints").iter().any(|file| file.contains("interrupted")));
}
