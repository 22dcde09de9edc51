//! `abbe data degrade`: what it writes, and that a printed preset is the preset.

use abbe_data::image::{Conversion, Rgb8, read};
use serde_json::Value;

use crate::support::Scratch;

/// One picture, in the folder `in`.
fn with_picture() -> Scratch {
    let scratch = Scratch::new();
    let pixels = (0..3 * 50 * 61).map(|i| (i * i % 251) as u8).collect();
    scratch.picture("in/a.png", &Rgb8::new(50, 61, pixels).unwrap());
    scratch
}

#[test]
fn a_sheet_a_target_lr_pictures_and_their_trace() {
    let scratch = with_picture();
    let printed: Value = serde_json::from_str(&scratch.abbe("data degrade in -o out --count 2 --json").ok()).unwrap();
    let files = ["out/a.png", "out/a/lr_0.png", "out/a/lr_1.png", "out/a/target.png", "out/a/trace.json"];
    assert_eq!(scratch.files("out"), files);
    let size = |name: &str| read(&scratch.path(name), Conversion::Refuse).unwrap().size();
    assert_eq!((size(files[1]), size(files[3])), ((12, 15), (48, 60))); // cropped to whole LR pixels
    let trace: Value = serde_json::from_slice(&std::fs::read(scratch.path(files[4])).unwrap()).unwrap();
    assert_eq!(printed, Value::from(vec![trace.clone()]));
    for example in trace["examples"].as_array().unwrap() {
        let applied = example["applied"].as_array().unwrap();
        assert!(applied.iter().any(|step| (30..=95).contains(&step["jpeg"]["quality"].as_u64().unwrap_or(0))));
    }
    assert_eq!(trace["config"]["sharpen"]["radius"], 50);
}

#[test]
fn a_printed_preset_degrades_alike_and_another_seed_does_not() {
    let scratch = with_picture();
    scratch.write("mine.toml", scratch.abbe("data degrade --print bsrgan").ok());
    for (folder, options) in [("a", "--preset bsrgan"), ("b", "--preset mine.toml"), ("c", "--preset bsrgan --seed 1")]
    {
        scratch.abbe(&format!("data degrade in -o {folder} --count 1 {options}")).ok();
    }
    let [a, b, c] = ["a", "b", "c"].map(|folder| std::fs::read(scratch.path(&format!("{folder}/a/lr_0.png"))).unwrap());
    assert!(a == b && a != c);
}

#[test]
fn what_cannot_be_degraded_is_told() {
    let scratch = with_picture();
    scratch.picture("small/b.png", &Rgb8::new(3, 9, vec![0; 81]).unwrap());
    scratch.write("mine.toml", "steps = [{ jpeg = { quality = [30, 101] } }]");
    scratch.write("misspelt.toml", "steps = [{ jpeg = { qualty = [30, 95] } }]");
    let degrade = |arguments: &str| scratch.abbe(&format!("data degrade {arguments} -o out"));
    degrade("in --preset mine.toml").fails_with(&["mine.toml", "steps[0].jpeg.quality", "101"]);
    degrade("in --preset misspelt.toml").fails_with(&["misspelt.toml", "qualty", "quality"]);
    degrade("in --preset absent").fails_with(&["absent", "real-esrgan", "bsrgan"]);
    degrade("small").fails_with(&["b.png", "(3, 9)", "--scale"]);
    scratch.write("out/a/lr_3.png", "mine");
    degrade("in").fails_with(&["lr_3.png", "--overwrite"]);
    degrade("in --overwrite").ok();
}
