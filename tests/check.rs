//! Pictures looked at before they are used: what `abbe data check` prints, and its exit status.

use abbe_data::resample::{Border, bicubic};
use serde_json::Value;

use crate::support::{Scratch, scene, small_experiment};

/// Two pairs of pictures, `hr` and `lr`, reduced by 4.
fn pairs() -> Scratch {
    let scratch = Scratch::new();
    for kind in 0..2 {
        let hr = scene(96, 120, kind);
        scratch.picture(&format!("lr/{kind}x4.png"), &bicubic(&hr, 24, 30, Border::Replicate));
        scratch.picture(&format!("hr/{kind}.png"), &hr);
    }
    scratch
}

#[test]
fn sound_pairs_are_summed_up() {
    let scratch = pairs();
    let printed = scratch.abbe("data check --hr hr --lr lr --strict --patch 48").ok();
    assert!(printed.starts_with("train: 2 pictures in hr, 96x120 to 96x120 (height x width): 0 errors, 0 warnings\n"));
    let kernel = "2 LR pictures: bicubic (a = -0.5), antialiased, replicate border, 8-bit passes, rows first (100.00 %";
    assert!(printed.contains(kernel), "{printed}");
    assert!(printed.contains("patches/s of 48x48"), "{printed}");
}

#[test]
fn errors_end_with_status_1_and_name_the_file_without_its_control_characters() {
    let scratch = pairs();
    scratch.write("hr/te\x1bxt.png", "no picture");
    let ended = scratch.abbe("data check --hr hr");
    assert!(ended.stdout.contains("error: train: hr/te\\u{1b}xt.png: expected a whole picture"), "{}", ended.stdout);
    assert_eq!(ended.status, Some(1));
    ended.fails_with(&["1 finding would break training or evaluation"]);
    let ended = scratch.abbe("data check --hr hr --json");
    let json: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((&json["findings"][0]["kind"], &json["splits"][0]["readable"]), (&"unreadable".into(), &2.into()));
    assert_eq!(ended.status, Some(1));
}

#[test]
fn leakage_is_a_warning_unless_the_check_is_strict() {
    let scratch = pairs();
    scratch.picture("set/woman.png", &bicubic(&scene(96, 120, 1), 69, 86, Border::Replicate));
    let printed = scratch.abbe("data check --hr hr --against set").ok();
    assert!(
        printed.contains("warning: train: hr/1.png: shows what set/woman.png (set) shows: 1.39 pixels"),
        "{printed}"
    );
    scratch.abbe("data check --hr hr --against set --strict").fails_with(&["1 warning, and --strict allows none"]);
}

#[test]
fn pictures_too_small_to_be_judged_are_errors() {
    let scratch = pairs();
    // SSIM takes 11 pixels, and a border of 4 is cut first: 19. Of 22 rows 20 are left at scale 4, of 19 only 16.
    scratch.picture("set/enough.png", &scene(22, 40, 2));
    scratch.picture("set/small.png", &scene(19, 40, 3));
    let ended = scratch.abbe("data check --hr hr --against set");
    let said = |part| ended.stdout.contains(part);
    assert!(said("error: set: set/small.png: (16, 40) (height, width)") && said("takes 19x19"), "{}", ended.stdout);
    assert!(!said("enough.png"), "{}", ended.stdout);
    ended.fails_with(&["1 finding would break training or evaluation"]);
    // Training stops there, too.
    let scratch = small_experiment();
    scratch.picture("test/small.png", &scene(19, 40, 2));
    let ended = scratch.abbe("data check small.toml");
    assert!(ended.stdout.contains("error: test: test/small.png: (16, 40)"), "{}", ended.stdout);
    scratch.abbe("train small.toml --out run").fails_with(&["`small`", "16x40", "at least 19x19"]);
}

#[test]
fn only_the_first_findings_of_a_kind_are_shown() {
    let scratch = pairs();
    (0..25).for_each(|i| drop(scratch.write(&format!("hr/text{i}.png"), "no picture")));
    let printed = scratch.abbe("data check --hr hr").stdout;
    assert_eq!(printed.matches("error: ").count(), 10, "{printed}");
    assert!(printed.contains("... and 15 more of \"unreadable\": see --json"), "{printed}");
}

#[test]
fn an_experiment_is_checked_with_its_own_settings() {
    let scratch = small_experiment();
    let printed = scratch.abbe("data check small.toml").stdout;
    assert!(printed.contains("train: ") && printed.contains("test: ") && printed.contains("patches/s"), "{printed}");
    scratch.abbe("data check").fails_with(&["--hr"]);
    scratch.abbe("data check small.toml --scale 2").fails_with(&["--scale"]);
    scratch.abbe("data check --hr absent").fails_with(&["1 finding would break"]);
}
