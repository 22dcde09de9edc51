//! How many patches a second the loader makes.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::Settings;
use crate::Error;
use crate::image::{Conversion, read};
use crate::pair::Pair;
use crate::patches::{self, Sampler};
use crate::resample::{Border, Method, Resampler};
use crate::throughput::patches_per_second;

/// The side of HR patches where none is asked for: it fits every usual scale.
const PATCH: usize = 96;

/// Bytes of pixels that are held for the measurement.
const HELD: usize = 1 << 28;

/// How long is measured.
const TIME: Duration = Duration::from_millis(500);

/// What the loader does with the first training pictures, without a trainer, jitter and noise.
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

/// Measures for half a second, with the first of these pictures, of which the sizes are known; none where none holds a patch.
///
/// Errors: those of [`Sampler::new`] and [`patches_per_second`].
pub(super) fn measure<'a>(
    pictures: impl Iterator<Item = (&'a Path, (usize, usize))>,
    settings: &Settings,
) -> Result<Option<Throughput>, Error> {
    let Settings { scale, batch, workers, .. } = *settings;
    let patch = settings.patch.unwrap_or((PATCH / scale).max(1) * scale);
    let mut left = HELD;
    let pairs: Vec<Pair> = pictures
        .filter(|(_, (height, width))| height.min(width) / scale * scale >= patch)
        .filter(|(_, (height, width))| {
            let bytes = 3 * height * width;
            let fits = bytes <= left;
            left -= if fits { bytes } else { 0 };
            fits
        })
        .filter_map(|(path, _)| pair(path, scale))
        .collect();
    if pairs.is_empty() {
        return Ok(None);
    }
    let sampler = Arc::new(Sampler::new(Arc::new(pairs.into()), patches::Settings::new(scale, patch, 0, true))?);
    let pictures = sampler.pictures();
    let patches_per_second = patches_per_second(&sampler, batch, workers, TIME)?;
    Ok(Some(Throughput { patches_per_second, patch, batch, workers, pictures }))
}

/// A picture with LR made from it: the loader's speed does not depend on where the pixels of LR come from. None if it can no
/// longer be read.
fn pair(path: &Path, scale: usize) -> Option<Pair> {
    let whole = read(path, Conversion::Convert).ok()?;
    let (height, width) = (whole.height / scale, whole.width / scale);
    let hr = whole.crop(0, 0, height * scale, width * scale).ok()?;
    let resampler = Resampler::to_size(hr.size(), (height, width), &Method::bicubic(Border::Replicate)).ok()?;
    let lr = resampler.rgb8(&hr).ok()?;
    Some(Pair { name: String::new(), hr, lr })
}
