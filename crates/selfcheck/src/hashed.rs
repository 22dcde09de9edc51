//! Numbers without regularity that every language can make: those of `golden/make.py`.

use abbe_checkpoint::{StateDict, Tensor as Saved};
use abbe_models::Store;
use anyhow::Result;
use tch::{Device, Tensor};

/// Salts of inputs begin here; those of weights are their places in the state dict.
pub const INPUT: u32 = 1000;

/// A float32 tensor of numbers in [-width / 2, width / 2) that depend on `salt` and on their place.
pub fn hashed(shape: &[i64], salt: u32, width: f64, device: Device) -> Tensor {
    let count = shape.iter().product::<i64>() as usize;
    Tensor::from_slice(&numbers(count, salt, width, 0.0)).view(shape).to_device(device)
}

fn numbers(count: usize, salt: u32, width: f64, centre: f32) -> Vec<f32> {
    let number = |place: u32| {
        let h = place.wrapping_mul(2_654_435_761).wrapping_add(salt.wrapping_mul(40503));
        let h = h.wrapping_mul(h % 65521 + 1);
        ((f64::from(h) / 4_294_967_296.0 - 0.5) * width) as f32 + centre
    };
    (0..count as u32).map(number).collect()
}

/// Fills a network: kernels and matrices have the variance 1 / fan_in, slopes and scales are about 1/2, variances about 1, the
/// rest about 0.
pub fn fill(store: &Store) -> Result<()> {
    let weights = store.state_dict().into_iter().zip(0..);
    store.load(
        &weights.map(|((name, first), salt)| (name.clone(), weight(&name, first, salt))).collect::<StateDict>(),
    )?;
    Ok(())
}

fn weight(name: &str, first: Saved, salt: u32) -> Saved {
    let (width, centre) = match *first.shape() {
        [] => return first, // a counter
        [outputs, _, ..] => ((12.0 / (first.numel() / outputs) as f64).sqrt(), 0.0),
        _ if name.ends_with("running_var") => (0.5, 1.0),
        _ if name.ends_with("weight") => (0.5, 0.5),
        _ => (0.1, 0.0),
    };
    Saved::from_f32(first.shape(), &numbers(first.numel(), salt, width, centre))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_formula() {
        // Place 0 and salt 1: h = 40503, times 40504 is 1640533512 < 2^32: 1640533512 / 2^32 - 1/2 = -0.118033...
        let expected = (1_640_533_512.0 / 4_294_967_296.0 - 0.5) * 4.0;
        assert_eq!(numbers(1, 1, 4.0, 0.0), [expected as f32]);
    }
}
