//! Layers with PyTorch's arithmetic, parameter names and default initialisation.
//!
//! First values are drawn on the CPU from libtorch's generator, so `tch::manual_seed` decides them on every device, and
//! they are those of a PyTorch module built after the same `torch.manual_seed`. Every call tells the running
//! [`summary`](crate::summary()), if there is one, what it did.

mod activation;
mod batch_norm;
mod conv;
mod linear;
mod nearest;
mod pad;

use std::cell::Cell;

use tch::{Device, Kind, Tensor};

pub use activation::{PRelu, leaky_relu, max_pool, pixel_shuffle, relu};
pub use batch_norm::BatchNorm2d;
pub use conv::{Conv2d, ConvConfig};
pub use linear::Linear;
pub use nearest::nearest;
pub use pad::pad_to_multiple;

thread_local! {
    static IS_DRAWN: Cell<bool> = const { Cell::new(true) };
}

/// Builds a network whose tensors have any values at all, because all of them will be loaded. Memory that nobody has written
/// costs nothing, so a file that only claims to be of a huge network is found out before any is used; and the generator
/// stays as it is.
pub(crate) fn without_first_values<T>(build: impl FnOnce() -> T) -> T {
    IS_DRAWN.set(false);
    let built = build();
    IS_DRAWN.set(true);
    built
}

/// PyTorch's start for weights and biases alike: uniform within 1 / sqrt(fan_in). For the weight this is its
/// `kaiming_uniform_` with a = sqrt(5), where gain * sqrt(3 / fan_in) = sqrt(2 / 6) * sqrt(3 / fan_in).
fn uniform(shape: &[i64], fan_in: i64) -> Tensor {
    let bound = 1.0 / (fan_in as f64).sqrt();
    let mut values = Tensor::empty(shape, (Kind::Float, Device::Cpu));
    if IS_DRAWN.get() { values.uniform_(-bound, bound) } else { values }
}
