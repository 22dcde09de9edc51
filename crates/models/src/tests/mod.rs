//! What every network of [`NETWORKS`] must do. Weights and pictures are hashed: libtorch's generator belongs to all threads.

mod forward;
mod layouts;
mod radius;
mod ranges;

use abbe_checkpoint::{StateDict, Tensor as Saved};
use tch::{Device, Tensor};

use crate::layer::without_first_values;
use crate::*;

fn samples() -> impl Iterator<Item = Config> {
    NETWORKS.iter().flat_map(|network| (network.samples)())
}

/// A network with hashed weights.
fn built(config: &Config) -> Built {
    weighted(config, 0)
}

/// The same with other weights for each seed.
fn weighted(config: &Config, seed: u32) -> Built {
    let built = without_first_values(|| config.build(Device::Cpu)).unwrap();
    let state = built.network().store().state_dict();
    let weights =
        state.iter().zip(1 + 10_000 * seed..).map(|((name, first), salt)| (name.clone(), weight(first, salt)));
    built.network().store().load(&weights.collect::<StateDict>()).unwrap();
    built
}

/// Kernels and matrices are as large as PyTorch's first values. Vectors lie within 0.1 and 0.6: variances are positive, and
/// biases open rectifiers and put pictures in the middle of [0, 1].
fn weight(first: &Saved, salt: u32) -> Saved {
    let numbers = hashed(first.numel(), salt);
    let values: Vec<f32> = match *first.shape() {
        [] => return first.clone(), // a counter
        [_] => numbers.map(|h| 0.1 + h / 2.0).collect(),
        ref shape => {
            let bound = 1.0 / (shape[1..].iter().product::<usize>() as f32).sqrt();
            numbers.map(|h| (2.0 * h - 1.0) * bound).collect()
        }
    };
    Saved::from_f32(first.shape(), &values)
}

/// Numbers in [0, 1) without any regularity.
fn hashed(count: usize, salt: u32) -> impl Iterator<Item = f32> {
    let hash = move |i: u32| {
        let h = (i ^ salt.wrapping_mul(0x9e37_79b9)).wrapping_mul(0x85eb_ca6b);
        let h = (h ^ (h >> 13)).wrapping_mul(0xc2b2_ae35);
        h ^ (h >> 16)
    };
    (0..count as u32).map(move |i| (hash(i) >> 8) as f32 / (1 << 24) as f32)
}

/// Networks that enlarge pictures, with their configurations.
fn sr_models() -> impl Iterator<Item = (Config, Box<dyn SrModel>)> {
    samples().filter_map(|config| match built(&config) {
        Built::Sr(model) => Some((config, model)),
        Built::Other(_) => None,
    })
}

/// A batch of two of the network's usual inputs; smaller ones for networks that enlarge pictures.
fn input(config: &Config) -> Tensor {
    let [channels, height, width] = config.input();
    let [height, width] = if config.scale().is_some() { [6, 5] } else { [height, width] };
    noise(&[2, channels, height, width])
}

fn noise(shape: &[i64]) -> Tensor {
    let values: Vec<f32> = hashed(shape.iter().product::<i64>() as usize, 0).collect();
    Tensor::from_slice(&values).view(shape)
}
