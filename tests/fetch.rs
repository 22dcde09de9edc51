//! Data sets by name, from the catalogue to a run; the network itself is tested in `crates/hub`.

use std::io::Write;

use abbe_data::image::encode_png;
use serde_json::Value;

use crate::support::{EXPERIMENT, Scratch, scene};

/// A catalogue whose archives cannot be fetched: nobody listens at that address.
const OWN: &str = r#"
[[dataset]]
name = "mine"
what = "three scenes"
pictures = 3
licence = "ours"
hr = "mine/HR"
lr = { x4 = "mine/LR" }
[[dataset.part]]
name = "all"
source = { url = "http://127.0.0.1:9/mine.zip" }
form = { zip = "mine" }
"#;

/// Scratch with the catalogue, and its archive put there by hand.
fn scratch() -> Scratch {
    let scratch = Scratch::new();
    scratch.write("own.toml", OWN);
    let archive = std::fs::File::create(scratch.write("data/mine.zip", "")).unwrap();
    let mut zip = zip::ZipWriter::new(archive);
    for kind in 0..3 {
        let hr = scene(64, 64, kind);
        let lr = abbe_data::resample::bicubic(&hr, 16, 16, abbe_data::resample::Border::Mirror);
        for (folder, picture) in [("HR", &hr), ("LR", &lr)] {
            zip.start_file(format!("top/{folder}/s{kind}.png"), zip::write::SimpleFileOptions::default()).unwrap();
            zip.write_all(&encode_png(picture).unwrap()).unwrap();
        }
    }
    zip.finish().unwrap();
    scratch
}

#[test]
fn what_was_fetched_by_name_is_judged_and_trained_on_by_name() {
    let scratch = scratch();
    let run = |arguments: &str| scratch.abbe_with(arguments, &[("ABBE_CATALOGUE", "own.toml")]);
    run("eval --model bicubic --data mine").fails_with(&["mine/HR", "abbe fetch mine"]);
    let printed = run("fetch mine").ok();
    assert!(
        printed.contains("mine/all: data/mine\n") && printed.contains("train = { source = \"mine\", conv"),
        "{printed}"
    );
    assert!(run("fetch mine").ok().contains("(was there)"));
    let by_name = run("eval --model bicubic --data mine").ok();
    assert_eq!(by_name, run("eval --model bicubic --hr data/mine/HR --lr data/mine/LR").ok());
    assert_ne!(by_name, run("eval --model bicubic --hr data/mine/HR").ok()); // the LR pictures are the data set's own
    let experiment = EXPERIMENT
        .replacen("hr = \"train\", lr = { bicubic = { border = \"replicate\" } }", "source = \"mine\"", 1)
        .replacen("hr = \"test\"", "source = \"mine\"", 1);
    scratch.write("named.toml", &experiment);
    // The same pictures in both are refused, which is said of the folders that the names became.
    run("train named.toml --out run").fails_with(&["data.test: `s0` is also a training picture"]);
    scratch.write("named.toml", experiment.replace("scale = 4\n", "scale = 2\n"));
    run("train named.toml --out run").fails_with(&["data.train", "abbe fetch mine/x2", "bicubic"]);
    scratch.write("named.toml", experiment.replace("\"mine\"", "\"set5\""));
    run("train named.toml --out run").fails_with(&["data.train.source", "abbe fetch set5"]);
}

#[test]
fn the_list_has_every_row_and_names_are_checked_before_anything_is_fetched() {
    let scratch = scratch();
    let listed = scratch.abbe("fetch --list --catalogue own.toml").ok();
    for part in ["name", "div2k ", "hr x2 x3 x4", "800", "academic research only", "vgg19", "three scenes; ours"] {
        assert!(listed.contains(part), "`{part}` is not in:\n{listed}");
    }
    let json: Value = serde_json::from_str(&scratch.abbe("fetch --list --json set5 vgg19").ok()).unwrap();
    assert_eq!((json[0]["pictures"].as_u64(), json[1]["parts"][0]["here"].as_bool()), (Some(5), Some(false)));
    scratch.abbe("fetch mine div3k --catalogue own.toml").fails_with(&["`div3k`", "div2k-valid"]);
    assert!(!scratch.path("data/mine").exists());
    scratch.abbe("fetch mine/x9 --catalogue own.toml").fails_with(&["`mine/x9`", "which has: all"]);
    scratch.abbe("fetch --catalogue none.toml --list").fails_with(&["none.toml"]);
    scratch.write("own.toml", OWN.replace("zip =", "rar ="));
    scratch.abbe("fetch mine --catalogue own.toml").fails_with(&["own.toml", "rar"]);
}
