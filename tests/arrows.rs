//! Arrows between crates point one way, as the README's map says.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// Each crate with those of ours that it may use.
const PLAN: [(&str, &[&str]); 14] = [
    ("abbe-torch", &[]),
    ("abbe-checkpoint", &[]),
    ("abbe-data", &[]),
    ("abbe-hub", &[]),
    ("abbe-run", &[]),
    ("abbe-models", &["abbe-torch", "abbe-checkpoint", "abbe-data", "abbe-run"]),
    ("abbe-infer", &["abbe-torch", "abbe-checkpoint", "abbe-data", "abbe-run", "abbe-models"]),
    ("abbe-eval", &["abbe-torch", "abbe-checkpoint", "abbe-data", "abbe-run", "abbe-models", "abbe-infer"]),
    (
        "abbe-train",
        &["abbe-torch", "abbe-checkpoint", "abbe-data", "abbe-hub", "abbe-run", "abbe-models", "abbe-infer"],
    ),
    ("abbe-export", &["abbe-torch", "abbe-models"]),
    ("abbe-viz", &["abbe-checkpoint", "abbe-run", "abbe-eval", "abbe-data"]),
    (
        "abbe-selfcheck",
        &["abbe-torch", "abbe-checkpoint", "abbe-data", "abbe-models", "abbe-infer", "abbe-eval", "abbe-train"],
    ),
    (
        "abbe",
        &[
            "abbe-torch",
            "abbe-checkpoint",
            "abbe-data",
            "abbe-hub",
            "abbe-run",
            "abbe-models",
            "abbe-infer",
            "abbe-eval",
            "abbe-export",
            "abbe-train",
            "abbe-viz",
            "abbe-selfcheck",
        ],
    ),
    ("xtask", &[]),
];

/// What only some crates may use: libtorch where tensors are, pictures' formats, figures' drawing and the
/// network in one crate each.
const RESERVED: [(&str, &[&str]); 7] = [
    ("tch", &["abbe-torch", "abbe-models", "abbe-infer", "abbe-export", "abbe-train", "abbe-selfcheck", "abbe"]),
    ("torch-sys", &["abbe-torch"]),
    ("image", &["abbe-data"]),
    ("png", &["abbe-data"]),
    ("tiff", &["abbe-data"]),
    ("plotters", &["abbe-viz"]),
    ("ureq", &["abbe-hub"]),
];

/// Each crate of the workspace with what it uses outside of its tests.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml");
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1", "--manifest-path", manifest])
        .output()
        .unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let name = |value: &serde_json::Value| value["name"].as_str().unwrap().to_owned();
    let used = |package: &serde_json::Value| {
        let all = package["dependencies"].as_array().unwrap().iter();
        all.filter(|dependency| dependency["kind"].is_null()).map(name).collect()
    };
    metadata["packages"].as_array().unwrap().iter().map(|package| (name(package), used(package))).collect()
}

#[test]
fn every_crate_uses_only_what_the_plan_lets_it() {
    let dependencies = dependencies();
    assert_eq!(dependencies.len(), PLAN.len(), "a crate is not in the plan: {:?}", dependencies.keys());
    for (name, allowed) in PLAN {
        for used in dependencies[name].iter().filter(|used| used.starts_with("abbe")) {
            assert!(allowed.contains(&used.as_str()), "{name} uses {used}, against the plan");
        }
    }
    for (external, allowed) in RESERVED {
        for (name, _) in dependencies.iter().filter(|(_, used)| used.contains(external)) {
            assert!(allowed.contains(&name.as_str()), "{name} uses {external}, which is not for it");
        }
    }
}
