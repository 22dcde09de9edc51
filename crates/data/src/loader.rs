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

/// Patches of one training step: all of them, or the share that one of several processes trains on.
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
    /// `[N, hr_side, hr_side, 3]`, RGB in [0, 1]; sharpened where the degradation sharpens.
    pub hr: Vec<f32>,
    /// What `hr` was before the degradation sharpened it; none where no degradation does.
    pub unsharpened: Option<Vec<f32>>,
}

impl Batch {
    /// The patches of `step` with these indices, each as in any other batch that has it; errors as those of
    /// [`Sampler::write`].
    pub fn of(sampler: &Sampler, step: u64, indices: Range<u64>) -> Result<Self, Error> {
        let mut batch = Self::room(sampler, count(&indices));
        batch.fill(sampler, step, indices)?;
        Ok(batch)
    }

    fn room(sampler: &Sampler, count: usize) -> Self {
        let (lr_side, hr_side) = (sampler.lr_side(), sampler.hr_side());
        let zeros = |side: usize| vec![0.0; 3 * count * side * side];
        let unsharpened = sampler.sharpens().then(|| zeros(hr_side));
        Self { step: 0, count, lr_side, hr_side, lr: zeros(lr_side), hr: zeros(hr_side), unsharpened }
    }

    fn fill(&mut self, sampler: &Sampler, step: u64, indices: Range<u64>) -> Result<(), Error> {
        self.step = step;
        let [lr_length, hr_length] = [self.lr_side, self.hr_side].map(|side| 3 * side * side);
        let lr = self.lr.chunks_exact_mut(lr_length);
        let hr = self.hr.chunks_exact_mut(hr_length);
        let mut unsharpened = self.unsharpened.as_mut().map(|values| values.chunks_exact_mut(hr_length));
        indices.zip(lr.zip(hr)).try_for_each(|(index, (lr, hr))| {
            let unsharpened = unsharpened.as_mut().and_then(Iterator::next);
            sampler.write(step, index, lr, hr, unsharpened)
        })
    }
}

fn count(indices: &Range<u64>) -> usize {
    indices.end.saturating_sub(indices.start) as usize
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
    /// Starts `workers` threads that make, for each of `steps`, a batch of the patches with these `indices`.
    ///
    /// Errors: [`Error::Setting`] for a batch without patches or `workers` of 0, [`Error::Worker`] if the system refuses a
    /// thread.
    pub fn new(sampler: Arc<Sampler>, indices: Range<u64>, steps: Range<u64>, workers: usize) -> Result<Self, Error> {
        for (key, value) in [("batch", count(&indices)), ("workers", workers)] {
            if value == 0 {
                return Err(Error::Setting { key, expected: "at least 1".into(), found: value });
            }
        }
        let mut loader = Self { steps: steps.clone(), workers: VecDeque::new(), batch: None };
        for worker in 0..workers {
            let steps = steps.clone().skip(worker).step_by(workers);
            let started = Worker::start(Arc::clone(&sampler), indices.clone(), steps, format!("loader {worker}"));
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
        indices: Range<u64>,
        steps: impl Iterator<Item = u64> + Send + 'static,
        name: String,
    ) -> std::io::Result<Self> {
        let (sender, finished) = sync_channel(QUEUE);
        let (used, returned) = channel();
        let make = move |step| {
            let mut batch: Batch = returned.try_recv().unwrap_or_else(|_| Batch::room(&sampler, count(&indices)));
            batch.fill(&sampler, step, indices.clone()).map(|()| batch)
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
    use crate::degrade::preset;
    use crate::image::Rgb8;
    use crate::pair::Pair;
    use crate::patches::Settings;
    use crate::resample::nearest;
    use crate::store::Store;

    fn sampler() -> Arc<Sampler> {
        let lr = Rgb8::new(8, 8, (0..192).collect()).unwrap();
        let pair = Pair { name: "a".into(), hr: nearest(&lr, 4), lr };
        Arc::new(Sampler::new(Arc::new(vec![pair].into()), Settings::new(4, 16, 5, true)).unwrap())
    }

    fn batches(workers: usize, steps: Range<u64>) -> Vec<Batch> {
        let mut loader = Loader::new(sampler(), 0..3, steps, workers).unwrap();
        std::iter::from_fn(|| Some(loader.next()?.unwrap().clone())).collect()
    }

    #[test]
    fn a_batch_holds_its_patches_one_after_the_other() {
        let batch = Batch::of(&sampler(), 7, 0..3).unwrap();
        assert_eq!((batch.step, batch.count, batch.lr_side, batch.hr_side), (7, 3, 4, 16));
        assert_eq!((batch.lr.len(), batch.hr.len()), (3 * 3 * 4 * 4, 3 * 3 * 16 * 16));
        let (mut lr, mut hr) = ([0.0; 48], [0.0; 768]);
        sampler().write(7, 2, &mut lr, &mut hr, None).unwrap();
        assert_eq!((&batch.lr[2 * 48..], &batch.hr[2 * 768..]), (&lr[..], &hr[..]));
    }

    #[test]
    fn a_share_of_a_batch_is_a_piece_of_the_whole() {
        let lr = Rgb8::new(8, 8, (0..192).collect()).unwrap();
        let store: Store = vec![Pair { name: "a".into(), hr: nearest(&lr, 4), lr }].into();
        let degrade = Some(toml::from_str(preset("real-esrgan", 4).unwrap()).unwrap());
        let settings = Settings { degrade, ..Settings::new(4, 16, 5, true) };
        let degrading = Arc::new(Sampler::new(Arc::new(store.without_lr()), settings).unwrap());
        for sampler in [sampler(), degrading] {
            let whole = Batch::of(&sampler, 9, 0..8).unwrap();
            assert_eq!(whole.unsharpened.is_some(), sampler.sharpens());
            let mut loader = Loader::new(Arc::clone(&sampler), 3..5, 9..10, 2).unwrap();
            let share = loader.next().unwrap().unwrap();
            assert!(share == &Batch::of(&sampler, 9, 3..5).unwrap());
            assert_eq!((share.count, &share.lr[..]), (2, &whole.lr[3 * 48..5 * 48]));
            assert_eq!(&share.hr[..], &whole.hr[3 * 768..5 * 768]);
            let piece = |values: &Vec<f32>| values[3 * 768..5 * 768].to_vec();
            assert_eq!(share.unsharpened, whole.unsharpened.as_ref().map(piece));
        }
    }

    #[test]
    fn batches_are_the_same_with_any_number_of_workers() {
        let expected: Vec<_> = (10..31).map(|step| Batch::of(&sampler(), step, 0..3).unwrap()).collect();
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
            let mut loader = Loader::new(Arc::clone(&sampler), 0..2, 0..u64::MAX, 4).unwrap();
            (0..taken).for_each(|step| assert_eq!(loader.next().unwrap().unwrap().step, step));
            drop(loader);
            // Each thread held one reference.
            assert_eq!(Arc::strong_count(&sampler), 1);
        }
    }

    #[test]
    fn nothing_to_do_or_nobody_to_do_it_is_an_error() {
        for (batch, workers, key) in [(0, 1, "batch"), (1, 0, "workers")] {
            let error = Loader::new(sampler(), 4..4 + batch, 0..1, workers).unwrap_err().to_string();
            assert_eq!(error, format!("{key}: expected at least 1, found 0"));
        }
    }
}
