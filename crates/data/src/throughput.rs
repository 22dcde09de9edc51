//! How fast a loader is.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::Error;
use crate::loader::{BATCHES_PER_WORKER, Loader};
use crate::patches::Sampler;

/// Patches per second that `workers` threads make in batches of `batch`, when nothing else is done with them than to take
/// them; counted for at least `time`, after the batches that the threads make ahead.
///
/// Errors: those of [`Loader::new`] and [`Sampler::write`].
pub fn patches_per_second(sampler: &Arc<Sampler>, batch: usize, workers: usize, time: Duration) -> Result<f64, Error> {
    let mut loader = Loader::new(Arc::clone(sampler), 0..batch as u64, 0..u64::MAX, workers)?;
    let mut take = || loader.next().map_or(Ok(0), |made| made.map(|made| made.count));
    for _ in 0..workers * BATCHES_PER_WORKER {
        take()?;
    }
    let (start, mut patches) = (Instant::now(), 0);
    while start.elapsed() < time {
        patches += take()?;
    }
    Ok(patches as f64 / start.elapsed().as_secs_f64())
}

/// Bytes of the batches that are in memory at most at the same time.
pub fn batch_memory(sampler: &Sampler, batch: usize, workers: usize) -> usize {
    let hr = if sampler.sharpens() { 2 } else { 1 }; // before and after
    let values = 3 * (sampler.lr_side().pow(2) + hr * sampler.hr_side().pow(2));
    size_of::<f32>() * values * batch * workers * BATCHES_PER_WORKER
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Rgb8;
    use crate::pair::Pair;
    use crate::patches::Settings;
    use crate::store::Store;

    #[test]
    fn a_loader_makes_patches_and_its_memory_is_counted() {
        let picture = Rgb8::new(8, 8, vec![1; 192]).unwrap();
        let pair = Pair { name: "a".into(), hr: picture.clone(), lr: picture };
        let sampler =
            Arc::new(Sampler::new(Arc::new(vec![pair.clone()].into()), Settings::new(1, 4, 0, true)).unwrap());
        assert!(patches_per_second(&sampler, 2, 2, Duration::from_millis(1)).unwrap() > 0.0);
        // 4x4 pixels of 3 floats for LR and for HR: 384 bytes a patch; 2 patches a batch, 4 batches for each of 3 workers.
        assert_eq!(batch_memory(&sampler, 2, 3), 384 * 2 * 12);
        assert!(patches_per_second(&sampler, 2, 0, Duration::ZERO).is_err());
        // With HR before and after it is sharpened 576.
        let degrade =
            Some(toml::from_str("steps = []\nsharpen = { weight = 0.5, radius = 3, threshold = 0.0 }").unwrap());
        let settings = Settings { degrade, ..sampler.settings().clone() };
        let sharpening = Sampler::new(Arc::new(Store::from(vec![pair]).without_lr()), settings).unwrap();
        assert_eq!(batch_memory(&sharpening, 1, 1), 576 * 4);
    }
}
