//! `abbe selfcheck` as a user runs it. What comes of a reference that does not hold is tested in its own crate.

use serde_json::Value;

use crate::support::Scratch;

#[test]
fn every_part_is_in_the_json_and_holds() {
    let scratch = Scratch::new();
    let found: Value = serde_json::from_str(&scratch.abbe("selfcheck --json").ok()).unwrap();
    assert_eq!(found["machine"]["libtorch"], "2.11.0");
    let checks = found["checks"].as_array().unwrap();
    for part in ["resampling", "metrics", "networks", "lpips", "losses", "optimizers", "checkpoint", "random"] {
        let of_part = Vec::from_iter(checks.iter().filter(|check| check["part"] == part));
        assert!(!of_part.is_empty(), "{part}");
        for check in of_part {
            assert!(check["status"] == "ok" || check["unit"] == "decibel", "{check}");
        }
    }
    assert!(scratch.files("").is_empty());
}

#[test]
fn one_part_is_a_table_and_a_wrong_name_an_error() {
    let scratch = Scratch::new();
    let table = scratch.abbe("selfcheck --only checkpoint --only random/patches").ok();
    assert!(table.contains("read-legacy") && table.contains("all 7 references hold here"), "{table}");
    assert!(!table.contains("psnr"), "{table}");
    scratch.abbe("selfcheck --only psnr").fails_with(&["`psnr`", "metrics", "resampling/bicubic-replicate"]);
    scratch.abbe("selfcheck --device gpu").fails_with(&["`gpu`", "cuda:N"]);
}
