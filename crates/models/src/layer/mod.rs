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

use tch::{Device, Kind, Tensor};

pub use activation::{PRelu, leaky_relu, max_pool, pixel_shuffle, relu};
pub use batch_norm::BatchNorm2d;
pub use conv::{Conv2d, ConvConfig};
pub use linear::Linear;
pub use nearest::nearest;
pub use pad::pad_to_multiple;

/// PyTorch's start for weights and biases alike: uniform within 1 / sqrt(fan_in). For the weight this is its
/// `kaiming_uniform_` with a = sqrt(5), where gain * sqrt(3 / fan_in) = sqrt(2 / 6) * sqrt(3 / fan_in).
fn uniform(shape: &[i64], fan_in: i64) -> Tensor {
    let bound = 1.0 / (fan_in as f64).sqrt();
    Tensor::empty(shape, (Kind::Float, Device::Cpu)).uniform_(-bound, bound)
}
