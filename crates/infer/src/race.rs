//! How long a network and its plans take for a picture.

use std::time::Instant;

use abbe_models::SrModel;
use tch::{Device, Kind, TchError, Tensor};

use crate::Executor;

/// One way of running a network.
#[derive(Debug, Clone, PartialEq)]
pub struct Lap {
    /// `plain` as the network itself has it, `plan`, or one of [`crate::race_gpu`].
    pub runtime: &'static str,
    /// Type of the arithmetic, `f32`, `bf16` or `f16`.
    pub precision: &'static str,
    /// Of each run, at least one, the shortest first.
    pub seconds: Vec<f64>,
    /// The largest difference from what the network itself gives in float32.
    pub largest_difference: f64,
    /// The same as PSNR in dB with peak 1; none where there is no difference.
    pub decibels: Option<f64>,
    /// Standard deviation of what the network itself gives.
    pub deviation: f64,
}

/// Runs `model`, on the CPU, on a random picture of `size` (height, width), in its ways by turns, `runs` times each after one
/// that does not count. Where there is no plan only the network itself runs.
///
/// # Errors
/// What libtorch says, most often that memory ran out.
pub fn race(model: &dyn SrModel, size: [i64; 2], runs: usize) -> Result<Vec<Lap>, TchError> {
    let picture = Tensor::f_rand([1, model.colors(), size[0], size[1]], (Kind::Float, Device::Cpu))?;
    let [f32, bf16] = [Executor::new(model, Kind::Float)?, Executor::new(model, Kind::BFloat16)?];
    let plain = || Ok(tch::no_grad(|| model.forward(&picture, false)));
    let expected = plain()?;
    let mut laps = vec![Lap::new("plain", "f32", &expected, &expected)];
    let mut ways: Vec<Box<dyn Fn() -> Result<Tensor, TchError>>> = vec![Box::new(plain)];
    for (executor, precision) in [(f32, "f32"), (bf16, "bf16")] {
        let Some(executor) = executor else { continue };
        laps.push(Lap::new("plan", precision, &executor.run(&picture)?, &expected));
        let picture = &picture;
        ways.push(Box::new(move || executor.run(picture)));
    }
    for _ in 0..runs.max(1) {
        for (lap, way) in laps.iter_mut().zip(&ways) {
            let start = Instant::now();
            let _ = way()?;
            lap.seconds.push(start.elapsed().as_secs_f64());
        }
    }
    laps.iter_mut().for_each(|lap| lap.seconds.sort_by(f64::total_cmp));
    Ok(laps)
}

impl Lap {
    pub(crate) fn new(runtime: &'static str, precision: &'static str, found: &Tensor, expected: &Tensor) -> Self {
        let difference = found - expected;
        let error = difference.square().mean(Kind::Double).double_value(&[]);
        Lap {
            runtime,
            precision,
            seconds: Vec::new(),
            largest_difference: difference.abs().max().double_value(&[]),
            decibels: (error > 0.0).then(|| -10.0 * error.log10()),
            deviation: expected.std(true).double_value(&[]),
        }
    }

    /// The middle of all runs, the shorter of two.
    pub fn median(&self) -> f64 {
        self.seconds[(self.seconds.len() - 1) / 2]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_told_as_the_largest_and_in_decibels() {
        // Off by 0.1 and 0.3: the mean square is 0.05, 10 log10(1 / 0.05) = 13.0103 dB.
        let tensor = |values: [f32; 2]| Tensor::from_slice(&values);
        let lap = Lap::new("plan", "bf16", &tensor([0.6, 0.5]), &tensor([0.5, 0.8]));
        assert!((lap.decibels.unwrap() - 13.0103).abs() < 1e-4 && (lap.largest_difference - 0.3).abs() < 1e-6);
        assert_eq!(Lap::new("plain", "f32", &tensor([0.5, 0.8]), &tensor([0.5, 0.8])).decibels, None);
        assert_eq!(Lap { seconds: vec![1.0, 2.0, 9.0, 9.5], ..lap }.median(), 2.0);
    }
}
