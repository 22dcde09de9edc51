//! Every metric but LPIPS, which has a file of its own, on two pictures of a formula, by two protocols and in two sizes, against the libraries that it follows.

use std::collections::BTreeMap;

use abbe_data::image::Rgb8;
use abbe_data::resample::{Border, bicubic};
use abbe_eval::{METRICS, Metric, Protocol, Versions, measure};
use anyhow::{Context, Result};

use crate::check::{Check, Unit, largest};

/// By size, protocol and metric: of `tests/golden/metrics/peers.py`.
const PEERS: &str = include_str!("../../../tests/golden/metrics/peers.json");

pub fn checks() -> Vec<Check> {
    let check = |metric: &'static Metric| {
        let limit = if metric.name == "ssim_pyiqa" { 1e-8 } else { 1e-9 }; // pyiqa's window is float32
        Check::new("metrics", metric.name, reference(metric.name), Unit::Relative, || largest_difference(metric))
            .within(limit)
    };
    METRICS.iter().filter(|metric| metric.net().is_none()).map(check).collect()
}

/// Who computed the stored values of a metric; peers.py says how.
fn reference(metric: &str) -> &'static str {
    match metric {
        "psnr" => "scikit-image 0.26.0",
        "ssim_torchmetrics" => "torchmetrics 1.9.0",
        "ssim_skimage" => "scikit-image 0.26.0",
        "ssim_pyiqa" => "pyiqa 0.1.16",
        "niqe" => "pyiqa 0.1.16, with flat areas at 0",
        "ssim_matlab" => "numpy: SSIM with a replicated border",
        "lr_psnr" => "numpy: bicubic in 8-bit passes, and PSNR",
        _ => "piq 0.8.0",
    }
}

fn largest_difference(metric: &Metric) -> Result<f64> {
    let peers: BTreeMap<String, BTreeMap<String, BTreeMap<String, f64>>> = serde_json::from_str(PEERS)?;
    let values = peers.iter().flat_map(|(size, protocols)| {
        protocols.iter().filter_map(move |(protocol, metrics)| Some((size, protocol, *metrics.get(metric.name)?)))
    });
    largest(values.map(|(size, protocol, expected)| Ok((of(metric, protocol, size)? / expected - 1.0).abs())))
}

fn of(metric: &Metric, protocol: &str, size: &str) -> Result<f64> {
    let (height, width) = size.split_once('x').context("a size is stored that is none")?;
    let [sr, hr] = pictures(height.parse()?, width.parse()?)?;
    let lr = bicubic(&hr, hr.height / 3, hr.width / 3, Border::Replicate);
    let protocol = Protocol::named(protocol, 3)?;
    Ok(measure(&Versions { sr: &sr, hr: &hr, lr: Some(&lr) }, &protocol, &[metric])?[0])
}

/// The pictures of peers.py.
fn pictures(height: usize, width: usize) -> Result<[Rgb8; 2]> {
    let hr = |y: usize, x: usize, c: usize| (3 * y * y + 2 * x * x + 7 * x * y + 40 * c * x) / 64 % 256;
    let sr = |y: usize, x: usize, c: usize| (3 * hr(y, x, c) + hr(y, x + 1, c)) / 4;
    let picture = |value: &dyn Fn(usize, usize, usize) -> usize| {
        let at = |i: usize| value(i / 3 / width, i / 3 % width, i % 3) as u8;
        Rgb8::new(height, width, (0..3 * height * width).map(at).collect())
    };
    Ok([picture(&sr)?, picture(&hr)?])
}
