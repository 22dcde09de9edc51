//! Batches made by threads ahead of the trainer, in the order of the steps.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::thread::{Builder, JoinHandle};

use crate::Error;
use crate::patches::Sampler;

/// Finished batches that each worker may hold back until they are asked for.
const QUEUE: usize = 2;
/// Batches of a worker that are there at most: those of the queue, one that is being made or waits for room there, and
/// one with the trainer.
pub const BATCHES_PER_WORKER: usize = QUEUE + 2;

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
    /// `[N, lr_side, lr_side, 3]`, RGB in [0, 1]: the channels come last, as convolutions are fastest with.
    pub lr: Vec<f32>,
    /// `[N, hr_side, hr_side, 3]`, RGB in [0, 1].
    pub hr: Vec<f32>,
}

impl Batch {
    /// The first `count` patches of `step`; errors as those of [`Sampler::write`].
    pub fn of(sampler: &Sampler, step: u64, count: usize) -> Result<Self, Error> {
        let mut batch = Self::room(sampler, count);
        batch.fill(sampler, step)?;
        Ok(batch)
    }

    fn room(sampler: &Sampler, count: usize) -> Self {
        let (lr_side, hr_side) = (sampler.lr_side(), sampler.hr_side());
        let zeros = |side: usize| vec![0.0; 3 * count * side * side];
        Self { step: 0, count, lr_side, hr_side, lr: zeros(lr_side), hr: zeros(hr_side) }
    }

    fn fill(&mut self, sampler: &Sampler, step: u64) -> Result<(), Error> {
        self.step = step;
        let lr = self.lr.chunks_exact_mut(3 * self.lr_side * self.lr_side);
        let hr = self.hr.chunks_exact_mut(3 * self.hr_side * self.hr_side);
        (0..).zip(lr.zip(hr)).try_for_each(|(index, (lr, hr))| sampler.write(step, index, lr, hr))
    }
}

/// The batches of a range of steps, in order; the same with any number of workers.
///
/// Worker `w` of `n` makes every `n`-th batch and hands it over in a queue of its own; the queues are visited in turn.
/// A batch that the trainer is done with goes back to its worker, whose memory it is: there are never more than
/// [`BATCHES_PER_WORKER`] of each. When the loader is dropped, the workers end after the batch they are making.
#[derive(Debug)]
pub struct Loader {
    steps: Range<u64>,
    /// The worker of the next step comes first.
    workers: VecDeque<Worker>,
    /// The batch that was handed out last.
    batch: Option<Batch>,
}

#[derive(Debug)]
struct Worker {
    finished: Receiver<Result<Batch, Error>>,
    used: Sender<Batch>,
    thread: JoinHandle<()>,
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
        let mut loader = Self { steps: steps.clone(), workers: VecDeque::new(), batch: None };
        for worker in 0..workers {
            let steps = steps.clone().skip(worker).step_by(workers);
            let started = Worker::start(Arc::clone(&sampler), batch, steps, format!("loader {worker}"));
            loader.workers.push_back(started.map_err(|source| Error::Worker { worker, source })?);
        }
        Ok(loader)
    }

    /// The batch of the next step; none after the last. Errors: those of [`Sampler::write`].
    #[allow(clippy::should_implement_trait)] // an iterator could not take its batches back
    pub fn next(&mut self) -> Option<Result<&Batch, Error>> {
        if let (Some(batch), Some(worker)) = (self.batch.take(), self.workers.back()) {
            let _ = worker.used.send(batch); // a worker that has ended needs it no more
        }
        self.steps.next()?;
        let finished = self.workers[0].finished.recv().expect("a worker ends only after its last step");
        self.workers.rotate_left(1);
        Some(finished.map(|batch| &*self.batch.insert(batch)))
    }
}

impl Worker {
    fn start(
        sampler: Arc<Sampler>,
        count: usize,
        steps: impl Iterator<Item = u64> + Send + 'static,
        name: String,
    ) -> std::io::Result<Self> {
        let (sender, finished) = sync_channel(QUEUE);
        let (used, returned) = channel();
        let make = move |step| {
            let mut batch: Batch = returned.try_recv().unwrap_or_else(|_| Batch::room(&sampler, count));
            batch.fill(&sampler, step).map(|()| batch)
        };
        // Sending fails once the loader is gone.
        let work = move || drop(steps.map(make).try_for_each(|batch| sender.send(batch)));
        Ok(Self { finished, used, thread: Builder::new().name(name).spawn(work)? })
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        // A worker that waits for room in its queue wakes up when the queue is gone.
        let threads: Vec<_> = self.workers.drain(..).map(|worker| worker.thread).collect();
        for thread in threads {
            let _ = thread.join(); // its panic has been reported by `next`
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Rgb8;
    use crate::pair::Pair;
    use crate::patches::Settings;
    use crate::resample::nearest;

    fn sampler() -> Arc<Sampler> {
        let lr = Rgb8::new(8, 8, (0..192).collect()).unwrap();
        let pair = Pair { name: "a".into(), hr: nearest(&lr, 4), lr };
        Arc::new(Sampler::new(Arc::new(vec![pair].into()), Settings::new(4, 16, 5, true)).unwrap())
    }

    fn batches(workers: usize, steps: Range<u64>) -> Vec<Batch> {
        let mut loader = Loader::new(sampler(), 3, steps, workers).unwrap();
        std::iter::from_fn(|| Some(loader.next()?.unwrap().clone())).collect()
    }

    #[test]
    fn a_batch_holds_its_patches_one_after_the_other() {
        let batch = Batch::of(&sampler(), 7, 3).unwrap();
        assert_eq!((batch.step, batch.count, batch.lr_side, batch.hr_side), (7, 3, 4, 16));
        assert_eq!((batch.lr.len(), batch.hr.len()), (3 * 3 * 4 * 4, 3 * 3 * 16 * 16));
        let (mut lr, mut hr) = ([0.0; 48], [0.0; 768]);
        sampler().write(7, 2, &mut lr, &mut hr).unwrap();
        assert_eq!((&batch.lr[2 * 48..], &batch.hr[2 * 768..]), (&lr[..], &hr[..]));
    }

    #[test]
    fn batches_are_the_same_with_any_number_of_workers() {
        let expected: Vec<_> = (10..31).map(|step| Batch::of(&sampler(), step, 3).unwrap()).collect();
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
            (0..taken).for_each(|step| assert_eq!(loader.next().unwrap().unwrap().step, step));
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
