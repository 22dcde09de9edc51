//! How many patches a second the loader makes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::listing::Item;
use super::{Settings, Split};
use crate::Error;
use crate::image::{Conversion, Rgb8, read};
use crate::loader::Loader;
use crate::pair::Pair;
use crate::patches::Sampler;
use crate::resample::{Border, bicubic};

/// The side of HR patches where none is asked for: it fits every usual scale.
const PATCH: usize = 96;

/// Bytes of pixels that are held for the measurement.
const HELD: usize = 1 << 28;

/// How long is measured.
const TIME: Duration = Duration::from_millis(500);

/// What the loader does with the first training pictures, without a trainer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Throughput {
    /// Patches a second, both LR and HR.
    pub patches_per_second: f64,
    /// Side of the HR patches.
    pub patch: usize,
    /// Patches in a batch.
    pub batch: usize,
    /// Threads that make batches.
    pub workers: usize,
    /// Pictures that they are cut from.
    pub pictures: usize,
}

/// Measures for half a second; none where no training picture holds a patch.
///
/// Errors: those of [`Sampler::new`] and [`Loader::new`].
pub(super) fn measure(items: &[Item], splits: &[Split], settings: &Settings) -> Result<Option<Throughput>, Error> {
    let Settings { scale, batch, workers, .. } = *settings;
    let patch = settings.patch.unwrap_or(PATCH / scale * scale);
    let pairs = pairs(items.iter().filter(|item| splits[item.split].training), scale, patch);
    if pairs.is_empty() {
        return Ok(None);
    }
    let sampler = Arc::new(Sampler::new(Arc::new(pairs), scale, patch, 0, true)?);
    let pictures = sampler.pictures();
    let loader = Loader::new(sampler, batch, 0..u64::MAX, workers)?;
    let start = Instant::now();
    let patches: usize = loader.take_while(|_| start.elapsed() < TIME).map(|batch| batch.count).sum();
    let patches_per_second = patches as f64 / start.elapsed().as_secs_f64();
    Ok(Some(Throughput { patches_per_second, patch, batch, workers, pictures }))
}

/// The first pictures that hold a patch, with LR made from them: the loader's speed does not depend on where LR comes from.
fn pairs<'a>(items: impl Iterator<Item = &'a Item>, scale: usize, patch: usize) -> Vec<Pair> {
    let mut held = 0;
    let fits = |hr: &Rgb8| hr.height.min(hr.width) >= patch.max(scale);
    let crop = |hr: Rgb8| hr.crop(0, 0, hr.height / scale * scale, hr.width / scale * scale).ok();
    items
        .filter_map(|item| read(&item.hr, Conversion::Convert).ok().filter(fits).and_then(crop))
        .take_while(|hr| {
            held += hr.pixels.len();
            held <= HELD
        })
        .map(|hr| {
            let lr = bicubic(&hr, hr.height / scale, hr.width / scale, Border::Replicate);
            Pair { name: String::new(), hr, lr }
        })
        .collect()
}
