//! Whole pictures looked at while training goes on: the best checkpoint, and what TensorBoard gets.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::{EXPERIMENT, Finished, Scratch, scene, small_experiment};

const VALIDATION: &str = r#"
[validation]
every = { steps = 4 }
pictures = ["scene3", "scene2"]
metrics = ["psnr", "gmsd"]
protocols = ["y-crop4", "rgb"]
best = "gmsd_rgb"
show = 1
"#;

/// The small experiment with a validation, of which one text is replaced by another.
fn validated(from: &str, to: &str) -> String {
    let first_phase = "[[phase]]\nname = \"srcnn\"";
    let text = EXPERIMENT.replacen(first_phase, &format!("{VALIDATION}\n{first_phase}"), 1);
    assert!(text.contains(from), "{from}");
    text.replacen(from, to, 1)
}

fn train(scratch: &Scratch, experiment: &str, out: &str) -> Finished {
    scratch.write("changed.toml", experiment);
    scratch.abbe(&format!("train changed.toml --out {out}"))
}

fn rows(scratch: &Scratch, run: &str) -> Vec<Value> {
    let log = std::fs::read_to_string(scratch.path(&format!("{run}/log.jsonl"))).unwrap();
    log.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn json_file(scratch: &Scratch, path: &str) -> Value {
    serde_json::from_slice(&std::fs::read(scratch.path(path)).unwrap()).unwrap()
}

/// The means of a checkpoint on the test pictures, as `abbe eval` finds them.
fn evaluated(scratch: &Scratch, checkpoint: &str) -> Value {
    let options = "--hr test --metrics psnr,gmsd --protocol y-crop4 --protocol rgb --json";
    let table = scratch.abbe(&format!("eval --model run/checkpoints/{checkpoint}.pth {options}")).ok();
    serde_json::from_str::<Value>(&table).unwrap()["methods"][0]["mean"].clone()
}

#[test]
fn validation_keeps_the_best_and_changes_nothing_else() {
    let scratch = small_experiment();
    scratch.abbe("train small.toml --out plain").ok();
    train(&scratch, &validated("", ""), "run").ok();
    let log = rows(&scratch, "run");
    for (row, plain) in log.iter().zip(rows(&scratch, "plain")) {
        for key in ["phase", "step", "lr", "terms", "raw", "discriminator"] {
            assert_eq!(row[key], plain[key], "{key} of {row}");
        }
    }
    for file in ["srcnn_final.pth", "warm-up_final.pth", "srgan_final.state", "srgan_discriminator_final.pth"] {
        let bytes = |run: &str| std::fs::read(scratch.path(&format!("{run}/checkpoints/{file}"))).unwrap();
        assert!(bytes("run") == bytes("plain"), "{file}");
    }

    // Phases of 6, 6 and 8 steps: after 4 steps, 8, and the last.
    let validated: Vec<&Value> = log.iter().filter(|row| row.get("validation").is_some()).collect();
    let at: Vec<_> = validated.iter().map(|row| json!([row["phase"], row["step"]])).collect();
    let expected = [("srcnn", 3), ("srcnn", 5), ("warm-up", 3), ("warm-up", 5), ("srgan", 3), ("srgan", 7)];
    assert_eq!(at, expected.map(|(phase, step)| json!([phase, step])));
    // The last network of a phase, judged afterwards, has the same numbers; so has the best one, and they are the least.
    let best = json_file(&scratch, "run/manifest.json")["best"].clone();
    for (index, phase) in ["srcnn", "warm-up", "srgan"].iter().enumerate() {
        let (first, last) = (&validated[2 * index]["validation"], &validated[2 * index + 1]["validation"]);
        assert_eq!(*last, evaluated(&scratch, &format!("{phase}_final")));
        let gmsd = |values: &Value| values["gmsd_rgb"].as_f64().unwrap();
        let is_last = gmsd(last) < gmsd(first);
        let kept = if is_last { last } else { first };
        assert_eq!(*kept, evaluated(&scratch, &format!("{phase}_best")));
        let step = validated[2 * index + usize::from(is_last)]["step"].clone();
        assert_eq!(best[index], json!({ "phase": phase, "metric": "gmsd_rgb", "value": gmsd(kept), "step": step }));
    }
    let notice = scratch.abbe("inspect run/checkpoints/srgan_best.pth").ok();
    assert!(notice.contains("chosen by gmsd_rgb on test pictures"), "{notice}");
}

#[test]
fn pictures_of_their_own_leave_the_test_to_the_end() {
    let scratch = small_experiment();
    scratch.picture("own/scene4.png", &scene(97, 130, 4));
    let own =
        "validation = { hr = \"own\", lr = { bicubic = { border = \"replicate\" } }, conversion = \"refuse\" }\ntest =";
    let all = validated("pictures = [\"scene3\", \"scene2\"]\n", "").replacen("test =", own, 1);
    train(&scratch, &all, "run").ok();
    let manifest = json_file(&scratch, "run/manifest.json");
    assert_eq!(manifest["validation"]["pictures"], 1);
    assert!(!scratch.abbe("inspect run/checkpoints/srgan_best.pth").ok().contains("chosen by"));
    scratch.alexnet();
    let by_lpips = all.replacen("\"psnr\", \"gmsd\"", "\"lpips\"", 1).replacen("gmsd_rgb", "lpips_alex_v0.1", 1);
    train(&scratch, &by_lpips, "lpips").ok();
    let notice = scratch.abbe("inspect lpips/checkpoints/srgan_best.pth").ok();
    assert!(notice.contains("chosen by lpips_alex_v0.1: lpips-alex: "), "{notice}");
    train(&scratch, &all.replacen("hr = \"own\"", "hr = \"train\"", 1), "again")
        .fails_with(&["data.validation: `scene0`", "also a training picture"]);
    let unused = EXPERIMENT.replacen("test =", own, 1);
    train(&scratch, &unused, "again").fails_with(&["data.validation", "[validation]"]);
}

#[test]
fn what_cannot_be_validated_is_said_before_the_first_step() {
    let scratch = small_experiment();
    let cases: [(&str, &str, &[&str]); 15] = [
        ("every = { steps = 4 }", "every = { steps = 0 }", &["validation: every", "expected 1", "found 0"]),
        ("every = { steps = 4 }", "every = 4", &["every"]),
        ("every = { steps = 4 }", "evry = { steps = 4 }", &["evry", "every"]),
        ("\"psnr\", \"gmsd\"", "\"psnr\", \"pnsr\"", &["validation.metrics", "`pnsr`", "psnr, ssim"]),
        ("\"psnr\", \"gmsd\"", "", &["validation: metrics", "at least one"]),
        ("\"psnr\", \"gmsd\"", "\"gmsd\", \"gmsd\"", &["validation: metrics", "`gmsd` is given twice"]),
        ("\"psnr\", \"gmsd\"", "\"lpips\", \"lpips_alex\"", &["validation.metrics", "lpips_alex: given twice"]),
        ("\"y-crop4\", \"rgb\"", "\"y4\"", &["validation.protocols", "`y4`", "y-grey"]),
        ("\"y-crop4\", \"rgb\"", "", &["validation: protocols", "at least one"]),
        ("\"gmsd_rgb\"", "\"ssim_rgb\"", &["validation.best: `ssim_rgb`", "psnr_y_crop4, gmsd_y_crop4, psnr_rgb"]),
        ("\"y-crop4\", \"rgb\"", "\"rgb-crop60\", \"rgb\"", &["validation: `scene3`", "96x128", "at least 121x121"]),
        ("\"scene3\", \"scene2\"", "\"scene9\"", &["validation.pictures", "`scene9`", "scene2, scene3"]),
        ("\"scene3\", \"scene2\"", "", &["validation: pictures", "at least one"]),
        ("\"scene3\", \"scene2\"", "\"scene3\", \"scene3\"", &["validation: pictures", "`scene3` is given twice"]),
        ("show = 1", "show = -1", &["show", "-1"]),
    ];
    for (from, to, parts) in cases {
        train(&scratch, &validated(from, to), "run").fails_with(parts);
        assert!(!scratch.path("run").exists(), "a run was begun with {to}");
    }
    std::fs::create_dir(scratch.path("empty")).unwrap();
    let empty = "validation = { hr = \"empty\", lr = { folder = \"empty\" }, conversion = \"refuse\" }\ntest =";
    train(&scratch, &validated("test =", empty), "run").fails_with(&["data.validation", "empty"]);
    assert!(!scratch.path("run").exists());
}

#[test]
fn sr_that_is_not_finite_is_an_error_with_its_picture_and_step() {
    let scratch = small_experiment();
    // After the first step every weight is about 1e30, and three layers of them leave the range of float32.
    let text = validated("lr = 1e-3, betas", "lr = 1e30, betas").replacen("{ steps = 4 }", "{ steps = 1 }", 1);
    train(&scratch, &text, "run").fails_with(&[
        "phase `srcnn`",
        "the validation after step 0",
        "scene3",
        "expected finite numbers",
    ]);
    assert!(!scratch.path("run/checkpoints/srcnn_best.pth").exists());
}

/// TensorBoard's own reader finds the numbers of the log and the pictures, also in a file that breaks off.
#[test]
fn tensorboard_reads_what_the_log_says() {
    let scratch = small_experiment();
    train(&scratch, &validated("", ""), "run").ok();
    let found = scratch.python(READER).ok();
    if found.contains("no tensorboard") {
        println!("skipped: TensorBoard cannot be imported; `cargo xtask test` installs it");
        return;
    }
    let found: Value = serde_json::from_str(found.lines().last().unwrap()).unwrap();
    for phase in ["srcnn", "warm-up", "srgan"] {
        let rows: Vec<Value> = rows(&scratch, "run").into_iter().filter(|row| row["phase"] == phase).collect();
        let mut expected: BTreeMap<String, Vec<(u64, f32)>> = BTreeMap::new();
        for row in &rows {
            let mut add = |tag: String, value: &Value| {
                let point = (row["step"].as_u64().unwrap(), value.as_f64().unwrap() as f32);
                expected.entry(tag).or_default().push(point);
            };
            add("learning_rate".into(), &row["lr"]);
            let kinds = [
                ("loss", "terms"),
                ("discriminator", "discriminator"),
                ("validation", "validation"),
                ("health", "health"),
            ];
            for (kind, key) in kinds {
                let numbers = row.get(key).and_then(Value::as_object);
                numbers.into_iter().flatten().for_each(|(name, value)| add(format!("{kind}/{name}"), value));
            }
        }
        let scalars: BTreeMap<_, _> = serde_json::from_value(found[phase]["scalars"].clone()).unwrap();
        assert_eq!(scalars, expected, "{phase}");
        let last = if phase == "srgan" { 7 } else { 5 };
        let of = |version: &str| found[phase]["images"][format!("scene3/{version}")].clone();
        // The one picture that is shown, 97x130 cut to multiples of 4.
        assert_eq!([of("lr"), of("hr")], [json!([[0, 24, 32]]), json!([[0, 96, 128]])]);
        assert_eq!(of("sr"), json!([[3, 96, 128], [last, 96, 128]]));
        assert_eq!(found[phase]["images"].as_object().unwrap().len(), 3);
        assert_eq!(found[phase]["cut"], json!(rows.len() - 1), "{phase}");
    }
}

/// Prints the scalars and the sizes of the pictures of each phase, and how many steps are left when the file breaks off in the
/// middle of the last one.
const READER: &str = r#"
import glob, io, json, os, shutil
try:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
except ImportError as error:
    print("no tensorboard:", error)
    raise SystemExit
from PIL import Image

def read(folder):
    run = EventAccumulator(folder, size_guidance={"scalars": 0, "images": 0})
    run.Reload()
    return run

found = {}
for folder in glob.glob("run/tensorboard/*"):
    run = read(folder)
    scalars = {tag: [[e.step, e.value] for e in run.Scalars(tag)] for tag in run.Tags()["scalars"]}
    images = {}
    for tag in run.Tags()["images"]:
        for event in run.Images(tag):
            height, width = event.height, event.width
            assert Image.open(io.BytesIO(event.encoded_image_string)).size == (width, height)
            images.setdefault(tag, []).append([event.step, height, width])
    [path] = glob.glob(folder + "/*")
    # 16 bytes of a record are not its event; the last records are a step's numbers, then the picture of its validation
    last = [16 + len(event) for event in RawEventFileLoader(path).Load()][-2:]
    os.makedirs("cut", exist_ok=True)
    shutil.copy(path, "cut")
    with open("cut/" + os.path.basename(path), "r+b") as file:
        file.truncate(os.path.getsize(path) - sum(last) + 20)
    cut = len(read("cut").Scalars("learning_rate"))
    shutil.rmtree("cut")
    found[os.path.basename(folder)] = {"scalars": scalars, "images": images, "cut": cut}
print(json.dumps(found))
"#;
