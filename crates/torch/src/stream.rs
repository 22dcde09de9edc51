//! Streams of a GPU, lists of work that go on side by side, and marks in them to wait for. A CPU has none: what it is given is
//! done when the call returns, and all here is then without effect.

mod ffi;

use tch::{Device, TchError, Tensor};

/// A stream of a GPU beside the one in use; for copies that go on while that computes.
pub struct Stream(Option<ffi::Stream>);

impl Stream {
    /// Of this device.
    ///
    /// # Errors
    /// What CUDA says.
    pub fn beside(device: Device) -> Result<Self, TchError> {
        gpu(device).map(ffi::Stream::new).transpose().map(Stream)
    }

    /// Does `work`, what it gives the GPU going to this stream.
    ///
    /// # Errors
    /// Those of `work`; what CUDA says.
    pub fn run<T>(&self, work: impl FnOnce() -> Result<T, TchError>) -> Result<T, TchError> {
        let _inside = self.0.as_ref().map(Inside::enter).transpose()?;
        work()
    }
}

/// While it lives, this thread's stream is another.
struct Inside<'a>(&'a ffi::Stream);

impl<'a> Inside<'a> {
    fn enter(stream: &'a ffi::Stream) -> Result<Self, TchError> {
        stream.exchange().map(|()| Inside(stream))
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        let _ = self.0.exchange(); // it changed places before; what fails on the GPU fails again where it is next used
    }
}

/// A place in the work of a stream.
pub struct Mark(Option<(ffi::Event, usize)>);

impl Mark {
    /// After all that the stream in use was given so far.
    ///
    /// # Errors
    /// What CUDA says.
    pub fn set(device: Device) -> Result<Self, TchError> {
        Ok(Mark(gpu(device).map(|gpu| Ok::<_, TchError>((ffi::Event::record(gpu)?, gpu))).transpose()?))
    }

    /// All that the stream in use is given from here on comes after the mark.
    ///
    /// # Errors
    /// What CUDA says.
    pub fn hold(&self) -> Result<(), TchError> {
        self.0.as_ref().map_or(Ok(()), |(event, gpu)| event.block(*gpu))
    }

    /// Waits until all before the mark is done.
    ///
    /// # Errors
    /// What CUDA says, also of the work before it.
    pub fn wait(&self) -> Result<(), TchError> {
        self.0.as_ref().map_or(Ok(()), |(event, _)| event.wait())
    }
}

/// A tensor like `like` on the CPU, its numbers undefined, from and to which a GPU copies by itself; where `like` is on a CPU, in
/// plain memory.
///
/// # Errors
/// Too little memory; what CUDA says.
pub fn host_like(like: &Tensor) -> Result<Tensor, TchError> {
    if like.device().is_cuda() { ffi::pinned(like) } else { like.f_empty_like() }
}

/// Copies the numbers of `from` into `to`, of the same shape, in the stream in use. Between a GPU and memory of [`host_like`] it
/// does not wait: that memory is then to be left alone until a [`Mark`] after the copy is reached.
///
/// # Errors
/// What libtorch says.
pub fn copy(to: &Tensor, from: &Tensor) -> Result<(), TchError> {
    tch::no_grad(|| ffi::copy(to, from))
}

fn gpu(device: Device) -> Option<usize> {
    match device {
        Device::Cuda(index) => Some(index),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use tch::Kind;

    use super::*;

    #[test]
    fn a_cpu_does_all_in_order() {
        let (device, from) = (Device::Cpu, Tensor::from_slice(&[1f32, 2.0]));
        let (stream, to) = (Stream::beside(device).unwrap(), host_like(&from).unwrap());
        let mark = stream.run(|| copy(&to, &from).and_then(|()| Mark::set(device))).unwrap();
        mark.hold().and_then(|()| mark.wait()).unwrap();
        assert_eq!(to, from);
        assert!(copy(&to, &Tensor::zeros([3], (Kind::Float, device))).is_err());
    }

    #[test]
    fn a_gpu_copies_beside_what_it_computes() {
        let Ok(device) = crate::parse_device("cuda") else {
            println!("skipped: there is no GPU");
            return;
        };
        let there = Tensor::zeros([1000], (Kind::Float, device));
        let host = host_like(&there).unwrap();
        let _ = host.shallow_clone().fill_(3.0);
        let stream = Stream::beside(device).unwrap();
        let zeroed = Mark::set(device).unwrap();
        let copied = stream.run(|| {
            zeroed.hold()?;
            copy(&there, &host)?;
            Mark::set(device)
        });
        copied.unwrap().hold().unwrap();
        assert_eq!((there * 2.0).sum(Kind::Float).double_value(&[]), 6000.0);
    }
}
