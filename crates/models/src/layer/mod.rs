//! Layers with PyTorch's arithmetic, parameter names and default initialisation.
//!
//! First values are drawn on the CPU from libtorch's generator, so `tch::manual_seed` decides them on every device, and
//! they are those of a PyTorch module built after the same `torch.manual_seed`, unless another distribution is asked for.
//! Every call tells the running [`summary`](crate::summary()), if there is one, what it did.

mod activation;
mod arithmetic;
mod attention;
mod batch_norm;
mod conv;
mod conv_norm;
mod conv_transpose;
mod dropout;
mod fire;
mod init;
mod interpolate;
mod linear;
mod mean_shift;
mod pad;
mod pool;
mod residual;
mod sequential;
mod spectral_norm;
mod sub_pixel;
mod sync_batch_norm;
mod upsample;

use std::cell::Cell;

use tch::{Device, Kind, Tensor};

pub use activation::{PRelu, leaky_relu, relu, tanh};
pub use arithmetic::{add, clamped, concatenated, cropped, scaled};
pub use attention::ChannelAttention;
pub use batch_norm::BatchNorm2d;
pub use conv::{Conv2d, ConvConfig};
pub use conv_norm::ConvNorm;
pub use conv_transpose::{ConvTranspose2d, ConvTransposeConfig};
pub use dropout::dropout;
pub use fire::Fire;
pub use interpolate::{bilinear, nearest};
pub use linear::Linear;
pub use mean_shift::{centred, mean_shift_constants, uncentred};
pub use pad::{continue_to_multiple, pad_to_multiple};
pub use pool::{Rim, adaptive_avg_pool, avg_pool, max_pool, max_pool_3x3};
pub use residual::ResidualBlock;
pub use sequential::{Sequential, Step};
pub use spectral_norm::SpectralConv2d;
pub use sub_pixel::{SubPixelConv2d, pixel_unshuffle};
pub use upsample::Upsample;

thread_local! {
    static IS_DRAWN: Cell<bool> = const { Cell::new(true) };
}

/// Builds a network whose tensors have a shape but no memory, because all of them will be loaded: a file that only claims
/// to be of a huge network is found out before any is taken, and libtorch's generator stays as it is.
pub(crate) fn without_first_values<T>(build: impl FnOnce() -> T) -> T {
    IS_DRAWN.set(false);
    let built = build();
    IS_DRAWN.set(true);
    built
}

/// Whether tensors are made with first values.
pub(crate) fn is_drawn() -> bool {
    IS_DRAWN.get()
}

/// A float32 tensor on the CPU with the first values that `fill` gives; all tensors but counters are made here. One without
/// first values is a single number that stands in all places.
fn filled(shape: &[i64], fill: impl FnOnce(&mut Tensor) -> Tensor) -> Tensor {
    let options = (Kind::Float, Device::Cpu);
    match is_drawn() {
        true => fill(&mut Tensor::empty(shape, options)),
        false => Tensor::empty_strided(shape, vec![0; shape.len()], options),
    }
}

/// PyTorch's start for weights and biases alike: uniform within 1 / sqrt(fan_in). For the weight this is its
/// `kaiming_uniform_` with a = sqrt(5), where gain * sqrt(3 / fan_in) = sqrt(2 / 6) * sqrt(3 / fan_in).
fn uniform(shape: &[i64], fan_in: i64) -> Tensor {
    let bound = 1.0 / (fan_in as f64).sqrt();
    filled(shape, |values| values.uniform_(-bound, bound))
}
