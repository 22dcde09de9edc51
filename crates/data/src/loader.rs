//! Batches made by threads ahead of the trainer, in the order of the steps.

use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{Builder, JoinHandle};

use crate::Error;
use crate::patches::Sampler;

/// Finished batches that each worker may hold back until they are asked for.
const QUEUE: usize = 2;

/// The patches of one training step.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// The step.
    pub step: u64,
    /// Patches in the batch: N.
    pub count: usize,
    /// Side of the LR patches in pixels.
    pub lr_side: usize,
    /// Side of the HR patches in pixels.
    pub hr_side: usize,
    /// `[N, 3, lr_side, lr_side]`, RGB in [0, 1].
    pub lr: Vec<f32>,
    /// `[N, 3, hr_side, hr_side]`, RGB in [0, 1].
    pub hr: Vec<f32>,
}

impl Batch {
    /// The first `count` patches of `step`.
    pub fn of(sampler: &Sampler, step: u64, count: usize) -> Self {
        let (lr_side, hr_side) = (sampler.lr_side(), sampler.hr_side());
        let (mut lr, mut hr) = (Vec::new(), Vec::new());
        for index in 0..count as u64 {
            let patch = sampler.patch(step, index);
            lr.extend(patch.0);
            hr.extend(patch.1);
        }
        Self { step, count, lr_side, hr_side, lr, hr }
    }
}

/// The batches of a range of steps, in order; the same with any number of workers.
///
/// Worker `w` of `n` makes every `n`-th batch and hands it over in a queue of its own, which the iterator visits in
/// turn. When the loader is dropped, the workers end after the batch they are making.
#[derive(Debug)]
pub struct Loader {
    steps: Range<u64>,
    /// The queue of the next step comes first; empty once the loader is dropped.
    queues: std::collections::VecDeque<Receiver<Batch>>,
    workers: Vec<JoinHandle<()>>,
}

impl Loader {
    /// Starts `workers` threads that make batches of `batch` patches for `steps`.
    ///
    /// Errors: [`Error::Setting`] for a `batch` or `workers` of 0, [`Error::Worker`] if the system refuses a thread.
    pub fn new(sampler: Arc<Sampler>, batch: usize, steps: Range<u64>, workers: usize) -> Result<Self, Error> {
        for (key, value) in [("batch", batch), ("workers", workers)] {
            if value == 0 {
                return Err(Error::Setting { key, expected: "at least 1".into(), found: value });
            }
        }
        let mut loader = Self { steps: steps.clone(), queues: Default::default(), workers: Vec::new() };
        for worker in 0..workers {
            let (sender, queue) = sync_channel(QUEUE);
            let (sampler, steps) = (Arc::clone(&sampler), steps.clone().skip(worker).step_by(workers));
            let make = move || {
                // Sending fails once the loader is gone.
                let _ = steps.map(|step| Batch::of(&sampler, step, batch)).try_for_each(|batch| sender.send(batch));
            };
            let thread = Builder::new().name(format!("loader {worker}")).spawn(make);
            loader.workers.push(thread.map_err(|source| Error::Worker { worker, source })?);
            loader.queues.push_back(queue);
        }
        Ok(loader)
    }
}

impl Iterator for Loader {
    type Item = Batch;

    fn next(&mut self) -> Option<Batch> {
        self.steps.next()?;
        let batch = self.queues[0].recv().expect("a worker ends only after its last step");
        self.queues.rotate_left(1);
        Some(batch)
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        self.queues.clear(); // a worker that waits for room in its queue wakes up
        for worker in self.workers.drain(..) {
            let _ = worker.join(); // its panic has been reported by the iterator
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Rgb8;
    use crate::pair::Pair;
    use crate::resample::nearest;

    fn sampler() -> Arc<Sampler> {
        let lr = Rgb8::new(8, 8, (0..192).collect()).unwrap();
        let pair = Pair { name: "a".into(), hr: nearest(&lr, 4), lr };
        Arc::new(Sampler::new(Arc::new(vec![pair]), 4, 16, 5, true).unwrap())
    }

    fn batches(workers: usize, steps: Range<u64>) -> Vec<Batch> {
        Loader::new(sampler(), 3, steps, workers).unwrap().collect()
    }

    #[test]
    fn a_batch_holds_its_patches_one_after_the_other() {
        let batch = Batch::of(&sampler(), 7, 3);
        assert_eq!((batch.step, batch.count, batch.lr_side, batch.hr_side), (7, 3, 4, 16));
        assert_eq!((batch.lr.len(), batch.hr.len()), (3 * 3 * 4 * 4, 3 * 3 * 16 * 16));
        let (lr, hr) = sampler().patch(7, 2);
        assert_eq!((&batch.lr[2 * 48..], &batch.hr[2 * 768..]), (&lr[..], &hr[..]));
    }

    #[test]
    fn batches_are_the_same_with_any_number_of_workers() {
        let expected: Vec<_> = (10..31).map(|step| Batch::of(&sampler(), step, 3)).collect();
        for workers in [1, 2, 16, 40] {
            assert!(batches(workers, 10..31) == expected, "{workers} workers");
        }
    }

    #[test]
    fn a_resumed_range_continues_the_whole_one() {
        assert!(batches(3, 5..12) == batches(2, 0..12)[5..]);
        assert!(batches(2, 4..4).is_empty());
    }

    #[test]
    fn dropping_the_loader_early_ends_its_threads() {
        let sampler = sampler();
        for taken in [0, 1, 5] {
            let mut loader = Loader::new(Arc::clone(&sampler), 2, 0..u64::MAX, 4).unwrap();
            assert_eq!(loader.by_ref().take(taken).count(), taken);
            drop(loader);
            // Each thread held one reference.
            assert_eq!(Arc::strong_count(&sampler), 1);
        }
    }

    #[test]
    fn nothing_to_do_or_nobody_to_do_it_is_an_error() {
        for (batch, workers, key) in [(0, 1, "batch"), (1, 0, "workers")] {
            let error = Loader::new(sampler(), batch, 0..1, workers).unwrap_err().to_string();
            assert_eq!(error, format!("{key}: expected at least 1, found 0"));
        }
    }
}
