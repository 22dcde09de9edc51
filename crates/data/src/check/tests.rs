//! Sets of pictures with every fault, and the known case of leakage.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::*;
use crate::image::Conversion;
use crate::pair::Lr;
use crate::resample::Border;

fn split(name: &str, hr: impl Into<PathBuf>, training: bool) -> Split {
    let source =
        Source { hr: hr.into(), lr: Lr::Bicubic { border: Border::Replicate }, conversion: Conversion::Refuse };
    Split { name: name.into(), source, training }
}

fn run(splits: Vec<Split>) -> Report {
    let settings = Settings { scale: 4, patch: None, batch: 4, workers: 1 };
    Check::new(splits, settings).unwrap().run(&|| ControlFlow::Continue(())).unwrap().unwrap()
}

#[test]
fn set5s_woman_is_the_only_copy_among_the_berkeley_pictures() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    if !data.exists() {
        return println!("skipped: {} is absent", data.display());
    }
    let t = std::time::Instant::now();
    let report = run(vec![
        split("train", data.join("bsds500/train"), true),
        split("leakage", data.join("leakage"), true),
        split("test", data.join("bsds500/test"), false),
        split("Set5", data.join("Set5/HR_x4"), false),
    ]);
    println!("{:?}", t.elapsed());
    println!("{report:#?}");
}
