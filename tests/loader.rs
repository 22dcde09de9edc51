//! Training pictures from memory, from a packed cache and on the device: the same run.

use serde_json::Value;

use crate::support::{Scratch, scene};

/// A few steps of a small SRCNN; `keys` are added to [data].
fn experiment(lr: &str, keys: &str) -> String {
    format!(
        r#"
        name = "loader"
        seed = 7
        scale = 4
        networks = {{ srcnn = {{ srcnn = {{ scale = 4, kernels = [9, 1, 5], channels = [8, 4] }} }} }}
        [data]
        train = {{ hr = "train", lr = {lr}, conversion = "refuse" }}
        test = {{ hr = "test", lr = {{ bicubic = {{ border = "replicate" }} }}, conversion = "refuse" }}
        patch = 32
        batch = 2
        patches_per_picture = 3
        augment = true
        workers = 2
        {keys}
        [[phase]]
        name = "srcnn"
        network = "srcnn"
        length = {{ steps = 5 }}
        optimizer = {{ adam = {{ lr = 1e-3, betas = [0.9, 0.999], eps = 1e-8 }} }}
        schedule = "constant"
        clamp_output = false
        save_epochs = []
        loss = {{ pixel = {{ weight = 1.0, distance = "mse" }} }}
        "#
    )
}

const BICUBIC: &str = r#"{ bicubic = { border = "replicate" } }"#;

fn pictures() -> Scratch {
    let scratch = Scratch::new();
    for kind in 0..3 {
        let folder = if kind < 2 { "train" } else { "test" };
        scratch.picture(&format!("{folder}/scene{kind}.png"), &scene(97, 130, kind));
    }
    scratch
}

/// The losses of a run, the hash of its training pictures, and what it said.
fn trained(scratch: &Scratch, lr: &str, keys: &str) -> (Vec<Value>, Value, String) {
    scratch.write("experiment.toml", experiment(lr, keys));
    let ended = scratch.abbe("train experiment.toml --out run --overwrite");
    let said = ended.stderr.clone();
    ended.ok();
    let log = std::fs::read_to_string(scratch.path("run/log.jsonl")).unwrap();
    let losses = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["terms"].clone()).collect();
    let manifest: Value = serde_json::from_slice(&std::fs::read(scratch.path("run/manifest.json")).unwrap()).unwrap();
    (losses, manifest["train"]["sha256"].clone(), said)
}

#[test]
fn memory_cache_and_device_give_the_same_losses() {
    let scratch = pictures();
    let (losses, hash, _) = trained(&scratch, BICUBIC, "");
    assert_eq!(losses.len(), 5);
    let printed = scratch.abbe("data prepare --hr train --scale 4 --png -o cache").ok();
    assert!(printed.contains("train-x4-") && printed.contains(".abbepack"), "{printed}");
    assert_eq!(scratch.files("cache").len(), 3); // the cache file and two LR pictures
    let cached = trained(&scratch, BICUBIC, "memory_gib = 0.0\ncache = \"cache\"");
    assert!(cached.2.contains("are mapped from cache"), "{}", cached.2);
    assert_eq!((&cached.0, &cached.1), (&losses, &hash));
    let folder = trained(&scratch, "{ folder = \"cache/LR_x4\" }", "memory_gib = 0.0\ncache = \"own\"");
    assert!(folder.2.contains("are packed into own"), "{}", folder.2);
    assert_eq!((&folder.0, &folder.1), (&losses, &hash));
    let (gathered, ..) = trained(&scratch, BICUBIC, "on_device = true");
    assert_eq!(gathered, losses);
}

#[test]
fn changed_and_degraded_patches_are_trained_on() {
    let scratch = pictures();
    let (plain, ..) = trained(&scratch, BICUBIC, "");
    let keys = "noise = [1.0, 5.0]\njitter = { brightness = [0.8, 1.2], hue = [-0.1, 0.1] }";
    let (changed, ..) = trained(&scratch, BICUBIC, keys);
    let (degraded, ..) = trained(&scratch, "{ degrade = \"real-esrgan\" }", "");
    assert!(plain[0] != changed[0] && plain[0] != degraded[0]);
    assert_eq!(trained(&scratch, "{ degrade = \"real-esrgan\" }", "memory_gib = 0.0\ncache = \"c\"").0, degraded);
}

#[test]
fn the_bench_counts_patches_and_memory() {
    let printed = pictures().abbe("data bench train --patch 32 --workers 2 --seconds 1 --json").ok();
    let bench: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!((bench["pictures"].as_u64(), bench["loader"].as_array().unwrap().len()), (Some(2), 2));
    assert!(bench["loader"][1]["patches_per_second"].as_f64().unwrap() > 0.0);
    // Two pictures of 96x128 after the crop, and their LR pictures of 24x32.
    assert_eq!(bench["picture_bytes"].as_u64(), Some(2 * 3 * (96 * 128 + 24 * 32)));
    pictures().abbe("data bench train --patch 30").fails_with(&["patch: expected a multiple of the scale (4)"]);
}
