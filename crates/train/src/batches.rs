//! The batches of a phase as tensors on the device: made by the loader's threads, or gathered on the device from pictures
//! that lie there.

use std::ops::Range;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{Builder, JoinHandle};

use abbe_data::loader::{self, Loader};
use abbe_data::patches::Sampler;
use abbe_data::square::{Square, Strides};
use anyhow::{Context, Result};
use tch::{Device, Kind, Tensor};

use crate::session::Setup;

/// Bytes that go to the device at a time: on their way they are in memory twice.
const PIECE: usize = 1 << 28;

/// The training pictures, where patches are cut.
pub(crate) struct Pictures {
    sampler: Arc<Sampler>,
    device: Device,
    /// All bytes of the sampler's store, when patches are cut on the device.
    resident: Option<Tensor>,
}

/// The patches of a step on the device: f32 in [0, 1], channels last.
#[derive(Debug, PartialEq)]
pub struct Batch {
    /// `[N, 3, h, w]`
    pub lr: Tensor,
    /// What SR should be, `[N, 3, H, W]`: sharpened where the degradation of the training pictures sharpens.
    pub hr: Tensor,
    /// What the discriminator is shown as real, `[N, 3, H, W]`: HR before it was sharpened, as in Real-ESRGAN; the same
    /// tensor as `hr` where nothing is sharpened.
    pub real: Tensor,
}

impl Batch {
    /// A batch whose HR is what the discriminator is shown too.
    pub fn new(lr: Tensor, hr: Tensor) -> Self {
        let real = hr.shallow_clone();
        Batch { lr, hr, real }
    }

    /// Its first patches.
    pub(crate) fn first(&self, count: usize) -> Batch {
        let [lr, hr, real] = [&self.lr, &self.hr, &self.real].map(|patches| patches.narrow(0, 0, count as i64));
        Batch { lr, hr, real }
    }

    /// The batch in parts of equal size, which divides its own.
    pub(crate) fn parts(&self, count: usize) -> Vec<Batch> {
        let [lr, hr, real] = [&self.lr, &self.hr, &self.real].map(|patches| patches.chunk(count as i64, 0));
        let parts = lr.into_iter().zip(hr).zip(real);
        parts.map(|((lr, hr), real)| Batch { lr, hr, real }).collect()
    }
}

/// What gives the batches of a phase, in order.
pub(crate) enum Batches {
    Loaded { ahead: Ahead, device: Device },
    Gathered { pictures: Pictures, steps: Range<u64>, indices: Range<u64> },
}

impl Pictures {
    /// # Errors
    /// When the pictures are to lie on the device, and its memory is too small.
    pub(crate) fn new(setup: &Setup) -> Result<Self> {
        let (sampler, device) = (Arc::clone(&setup.sampler), setup.device);
        let resident =
            setup.experiment.data.on_device.then(|| resident(sampler.store().bytes(), device)).transpose()?;
        Ok(Self { sampler, device, resident })
    }

    /// The batches of `steps`, each of the step's patches with these indices, made by `workers` threads.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub(crate) fn batches(&self, steps: Range<u64>, indices: Range<u64>, workers: usize) -> Result<Batches> {
        let (sampler, device) = (Arc::clone(&self.sampler), self.device);
        Ok(match &self.resident {
            None => {
                Batches::Loaded { ahead: Ahead::new(Loader::new(sampler, indices, steps, workers)?, device)?, device }
            }
            Some(bytes) => {
                let pictures = Self { sampler, device, resident: Some(bytes.shallow_clone()) };
                Batches::Gathered { pictures, steps, indices }
            }
        })
    }

    /// The patches of one step with these indices.
    ///
    /// # Errors
    /// A degradation that fails.
    pub(crate) fn batch(&self, step: u64, indices: Range<u64>) -> Result<Batch> {
        match &self.resident {
            None => {
                let batch = loader::Batch::of(&self.sampler, step, indices)?;
                Ok(Pixels::of(&batch, self.device).moved(self.device))
            }
            Some(bytes) => self.gathered(bytes, step, indices),
        }
    }

    /// Without LR pictures nothing is cut here, so nothing is sharpened.
    fn gathered(&self, bytes: &Tensor, step: u64, indices: Range<u64>) -> Result<Batch> {
        let squares = indices.map(|index| self.sampler.squares(step, index));
        let (hr, lr): (Vec<_>, Vec<_>) = squares.unzip();
        let lr: Option<Vec<_>> = lr.into_iter().collect();
        let lr = lr.context("data.on_device: there are no LR pictures")?;
        Ok(Batch::new(gather(bytes, &lr, self.sampler.lr_side()), gather(bytes, &hr, self.sampler.hr_side())))
    }
}

impl Iterator for Batches {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Loaded { ahead, device } => Some(ahead.next()?.map(|batch| batch.moved(*device))),
            Self::Gathered { pictures, steps, indices } => Some(pictures.batch(steps.next()?, indices.clone())),
        }
    }
}

/// Turns the loader's batches into tensors on a thread of its own, so that the trainer only starts the copy to the device.
pub(crate) struct Ahead {
    receiver: Receiver<Result<Pixels>>,
    thread: Option<JoinHandle<()>>,
}

impl Ahead {
    /// One batch waits for the trainer while the next is made.
    fn new(mut loader: Loader, device: Device) -> Result<Self> {
        let (sender, receiver) = sync_channel(1);
        let work = move || {
            while let Some(batch) = loader.next() {
                let tensors = batch.map(|batch| Pixels::of(batch, device)).map_err(anyhow::Error::from);
                if sender.send(tensors).is_err() {
                    break; // the trainer is gone
                }
            }
        };
        let thread = Builder::new().name("batches".into()).spawn(work).context("the thread of the batches")?;
        Ok(Self { receiver, thread: Some(thread) })
    }

    fn next(&mut self) -> Option<Result<Pixels>> {
        self.receiver.recv().map(Some).unwrap_or_else(|_| {
            // A thread that panicked has not come to the end: its panic goes on here.
            self.thread.take()?.join().unwrap_or_else(|panic| resume_unwind(panic));
            None
        })
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.receiver = sync_channel(0).1; // a thread that waits for room in the queue wakes up when the queue is gone
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // its panic has been reported
        }
    }
}

/// A batch on its way, `[N, side, side, 3]`, in pinned memory for a GPU: from there it copies by itself, while the CPU goes
/// on.
struct Pixels {
    lr: Tensor,
    hr: Tensor,
    unsharpened: Option<Tensor>,
}

impl Pixels {
    fn of(batch: &loader::Batch, device: Device) -> Self {
        let tensor = |values: &[f32], side: usize| {
            let pixels = Tensor::from_slice(values).view([batch.count as i64, side as i64, side as i64, 3]);
            if device.is_cuda() { pixels.pin_memory(device) } else { pixels }
        };
        Pixels {
            lr: tensor(&batch.lr, batch.lr_side),
            hr: tensor(&batch.hr, batch.hr_side),
            unsharpened: batch.unsharpened.as_ref().map(|values| tensor(values, batch.hr_side)),
        }
    }

    fn moved(&self, device: Device) -> Batch {
        let moved = |pixels: &Tensor| pixels.to_device_(device, pixels.kind(), true, false).permute([0, 3, 1, 2]);
        let batch = Batch::new(moved(&self.lr), moved(&self.hr));
        match &self.unsharpened {
            Some(pixels) => Batch { real: moved(pixels), ..batch },
            None => batch,
        }
    }
}

/// Bytes as a tensor on the device, `[length]`.
fn resident(bytes: &[u8], device: Device) -> Result<Tensor> {
    let all = Tensor::f_empty([bytes.len() as i64], (Kind::Uint8, device));
    let all = all.with_context(|| format!("data.on_device: {} bytes of pictures do not fit there", bytes.len()))?;
    for (index, piece) in bytes.chunks(PIECE).enumerate() {
        all.narrow(0, (index * PIECE) as i64, piece.len() as i64).f_copy_(&Tensor::from_slice(piece))?;
    }
    Ok(all)
}

/// The squares as `[N, 3, side, side]`, equal to the last bit to what [`Sampler::write`] gives.
fn gather(bytes: &Tensor, squares: &[Square], side: usize) -> Tensor {
    let device = bytes.device();
    let strides: Vec<Strides> = squares.iter().map(Square::strides).collect();
    let of = |number: fn(&Strides) -> i64| {
        let numbers: Vec<i64> = strides.iter().map(number).collect();
        Tensor::from_slice(&numbers).to_device(device).view([-1, 1, 1, 1])
    };
    let count = |length: usize| Tensor::arange(length as i64, (Kind::Int64, device));
    let rows = count(side).view([1, -1, 1, 1]) * of(|strides| strides.down as i64);
    let columns = count(side).view([1, 1, -1, 1]) * of(|strides| strides.right as i64);
    let places = of(|strides| strides.start as i64) + rows + columns + count(3);
    let values = bytes.index_select(0, &places.view(-1)).view_as(&places).to_kind(Kind::Float);
    // Divided by a tensor: by a number a GPU would multiply with its reciprocal, which rounds differently.
    let most = Tensor::full([1], 255.0, (Kind::Float, device));
    (values / most).permute([0, 3, 1, 2])
}

#[cfg(test)]
mod tests {
    use super::*;
    use abbe_data::image::Rgb8;
    use abbe_data::pair::Pair;
    use abbe_data::patches::Settings;
    use abbe_data::resample::{Border, bicubic};
    use abbe_torch::channels_last;

    const COUNT: u64 = 24;

    fn pictures() -> Pictures {
        let pair = |width: usize| {
            let pixels = (0..3 * 16 * width).map(|i| (i * i + width) as u8).collect();
            let hr = Rgb8::new(16, width, pixels).unwrap();
            Pair { name: String::new(), lr: bicubic(&hr, 8, width / 2, Border::Replicate), hr }
        };
        let sampler = Sampler::new(Arc::new(vec![pair(14), pair(32)].into()), Settings::new(2, 12, 3, true)).unwrap();
        Pictures { sampler: Arc::new(sampler), device: Device::Cpu, resident: None }
    }

    #[test]
    fn gathered_batches_equal_loaded_ones_to_the_last_bit() {
        let loaded = pictures();
        let bytes = resident(loaded.sampler.store().bytes(), Device::Cpu).unwrap();
        let gathered = Pictures { resident: Some(bytes), ..pictures() };
        for step in 0..4 {
            let (a, b) = (loaded.batch(step, 0..COUNT).unwrap(), gathered.batch(step, 0..COUNT).unwrap());
            assert_eq!(a.hr.size(), [COUNT as i64, 3, 12, 12]);
            assert!(a == b, "step {step}");
            assert_eq!(a.hr.stride(), b.hr.stride());
        }
    }

    #[test]
    fn batches_come_ahead_in_order_and_the_threads_end_early_or_late() {
        let pictures = pictures();
        for taken in [1, 7] {
            let batches = pictures.batches(3..10, 0..COUNT, 2).unwrap();
            for (step, batch) in (3..).zip(batches.take(taken)) {
                assert!(batch.unwrap() == pictures.batch(step, 0..COUNT).unwrap(), "step {step}");
            }
            assert_eq!(Arc::strong_count(&pictures.sampler), 1);
        }
        assert_eq!(pictures.batches(3..10, 0..COUNT, 1).unwrap().count(), 7);
    }

    #[test]
    fn a_batch_is_channels_last_and_says_what_the_patches_say() {
        let pictures = pictures();
        let Batch { lr, .. } = pictures.batch(5, 0..COUNT).unwrap();
        assert_eq!(lr.stride(), channels_last(&lr.contiguous()).stride());
        let (mut small, mut large) = (vec![0.0; 108], vec![0.0; 432]);
        pictures.sampler.write(5, 1, &mut small, &mut large, None).unwrap();
        // Channel 2 at row 3, column 4 of a patch 6 pixels wide.
        assert_eq!(lr.double_value(&[1, 2, 3, 4]) as f32, small[3 * (3 * 6 + 4) + 2]);
    }

    #[test]
    fn a_share_and_the_parts_of_a_batch_are_pieces_of_it() {
        let pictures = pictures();
        let whole = pictures.batch(2, 0..COUNT).unwrap();
        let parts = whole.parts(3);
        assert_eq!(parts.len(), 3);
        for (part, start) in parts.iter().zip([0, 8, 16]) {
            assert_eq!(part.lr.size()[0], 8);
            assert!(*part == pictures.batch(2, start..start + 8).unwrap());
        }
    }

    #[test]
    fn the_discriminator_is_shown_what_was_not_sharpened() {
        let pixels = |value: f32| vec![value; 12];
        let batch = |unsharpened| loader::Batch {
            step: 0,
            count: 1,
            lr_side: 1,
            hr_side: 2,
            lr: vec![0.0; 3],
            hr: pixels(0.5),
            unsharpened,
        };
        let moved = |unsharpened| Pixels::of(&batch(unsharpened), Device::Cpu).moved(Device::Cpu);
        let sharpened = moved(Some(pixels(0.25)));
        assert_eq!([&sharpened.hr, &sharpened.real].map(|hr| hr.double_value(&[0, 2, 1, 1])), [0.5, 0.25]);
        let plain = moved(None);
        assert_eq!(plain.real.data_ptr(), plain.hr.data_ptr());
    }
}
