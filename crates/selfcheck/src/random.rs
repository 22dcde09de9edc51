//! Which patches a training step sees: the same on every machine.

use std::sync::Arc;

use abbe_data::image::Rgb8;
use abbe_data::pair::Pair;
use abbe_data::patches::{Sampler, Settings};
use abbe_data::store::Store;
use anyhow::{Context, Result};
use tch::Kind;

use crate::check::{Check, Unit};
use crate::golden::golden;

/// Sizes of the LR pictures in make.py.
const SIZES: [(usize, usize); 3] = [(20, 31), (40, 25), (33, 33)];
const LR_SIDE: usize = 12;

pub fn checks() -> Vec<Check> {
    let reference = "ChaCha8 and Lemire's method in Python: 64 draws";
    vec![Check::new("random", "patches", reference, Unit::Count, differing)]
}

/// How many of the patches are others than those stored: picture, top and left.
fn differing() -> Result<f64> {
    let expected = golden("random.patches", Kind::Int64)?;
    let expected = Vec::<Vec<i64>>::try_from(&expected)?;
    let sampler = sampler()?;
    let entries = sampler.store().entries();
    let mut count = 0;
    for (index, patch) in (0..).zip(&expected) {
        let [picture, top, left] = patch[..] else { continue };
        let (_, square) = sampler.squares((1 << 33) + index / 8, index % 8);
        let area = entries.get(picture as usize).and_then(|entry| entry.lr).context("a picture that is not there")?;
        let start = area.start + 3 * (top as usize * area.width + left as usize);
        count += usize::from(square.is_none_or(|square| square.strides().start != start));
    }
    Ok(count as f64)
}

fn sampler() -> Result<Sampler> {
    let black = |height, width| Rgb8::new(height, width, vec![0; 3 * height * width]);
    let pair = |(name, (height, width)): (&str, (usize, usize))| {
        Ok(Pair { name: name.into(), hr: black(4 * height, 4 * width)?, lr: black(height, width)? })
    };
    let pairs = ["a", "b", "c"].into_iter().zip(SIZES).map(pair).collect::<Result<Vec<_>>>()?;
    let settings = Settings::new(4, 4 * LR_SIDE, (1 << 40) + 7, false);
    Ok(Sampler::new(Arc::new(Store::from(pairs)), settings)?)
}
