use serde::{Deserialize, Serialize};

use super::check::range;
use super::distribution::Poisson;
use super::planes::{Planes, to_u8};
use super::trace::Applied;
use crate::Error;
use crate::random::Draws;

/// Shot noise: its variance grows with the intensity; the result is clamped to [0, 1].
///
/// For an 8-bit value v in [0, 1] the noise is `scale * (Poisson(v n) / n - v)`, where n is the least power of two that
/// is not below the number of different 8-bit values in the picture, as BasicSR defines it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoissonNoise {
    /// Range of the scale, in [0, 100], uniformly drawn.
    pub scale: [f64; 2],
    /// Probability, in [0, 1], that all channels get the noise of the picture's luma instead of each its own.
    pub grey: f64,
}

/// Weights of red, green and blue in the luma (ITU-R BT.601).
const LUMA: [f32; 3] = [0.299, 0.587, 0.114];

impl PoissonNoise {
    pub(super) fn check(&self, key: &str) -> Result<(), Error> {
        range(format!("{key}.scale"), self.scale, 0.0, 100.0)?;
        range(format!("{key}.grey"), [self.grey; 2], 0.0, 1.0)
    }

    pub(super) fn apply(&self, mut picture: Planes, draws: &mut Draws) -> (Planes, Applied) {
        let scale = draws.between(self.scale);
        let grey = draws.unit() < self.grey;
        let noise = if grey { noise(&luma(&picture), draws).repeat(3) } else { noise(&picture.values, draws) };
        for (value, noise) in picture.values.iter_mut().zip(noise) {
            *value = (*value + (scale * noise) as f32).clamp(0.0, 1.0);
        }
        (picture, Applied::PoissonNoise { scale, grey })
    }
}

fn luma(picture: &Planes) -> Vec<f32> {
    let mut sum = vec![0.0; picture.height * picture.width];
    for (plane, weight) in picture.channels().zip(LUMA) {
        sum.iter_mut().zip(plane).for_each(|(sum, value)| *sum += weight * value);
    }
    sum
}

/// The noise at scale 1 of values in [0, 1], which are first rounded to 8 bits.
fn noise(values: &[f32], draws: &mut Draws) -> Vec<f64> {
    let levels: Vec<u8> = values.iter().map(|&value| to_u8(value)).collect();
    let mut occurs = [false; 256];
    levels.iter().for_each(|&level| occurs[usize::from(level)] = true);
    let n = occurs.iter().filter(|occurs| **occurs).count().next_power_of_two() as f64;
    let mut distributions = [const { None }; 256];
    let noise = |level: u8| {
        let value = f64::from(level) / 255.0;
        let poisson = distributions[usize::from(level)].get_or_insert_with(|| Poisson::new(value * n));
        poisson.draw(draws) / n - value
    };
    levels.into_iter().map(noise).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Purpose;

    /// The noise of 100x400 pixels of which the left half is 51/255 = 0.2 and the right half 204/255 = 0.8.
    fn halves(grey: f64) -> [[Vec<f64>; 2]; 3] {
        let clean = |i: usize| if i % 400 < 200 { 0.2 } else { 0.8 };
        let picture = Planes { height: 100, width: 400, values: (0..3 * 40_000).map(clean).collect() };
        let degradation = PoissonNoise { scale: [0.1, 0.1], grey };
        let (noisy, _) = degradation.apply(picture, &mut Draws::new(3, Purpose::Degradation, 0, 0));
        let plane = |c: usize| &noisy.values[c * 40_000..(c + 1) * 40_000];
        let half = |c, right| {
            let at = move |i: &usize| (i % 400 >= 200) == right;
            (0..40_000).filter(at).map(|i| f64::from(plane(c)[i] - clean(i))).collect()
        };
        [0, 1, 2].map(|c| [half(c, false), half(c, true)])
    }

    fn variance(noise: &[f64]) -> f64 {
        noise.iter().map(|x| x * x).sum::<f64>() / noise.len() as f64
    }

    #[test]
    fn variance_is_proportional_to_intensity() {
        // Two values, so n = 2: variance v n / n^2 * scale^2 = v / 200, 0.001 and 0.004. A Poisson variance m of 20 000
        // draws has the relative deviation sqrt((1/m + 2) / 20 000), m = 0.4: 0.015; six of them are 0.09.
        for [dark, bright] in halves(0.0) {
            assert!((variance(&dark) / 0.001 - 1.0).abs() < 0.09, "{}", variance(&dark));
            assert!((variance(&bright) / 0.004 - 1.0).abs() < 0.09, "{}", variance(&bright));
        }
    }

    #[test]
    fn grey_noise_is_that_of_the_luma_in_every_channel() {
        let [red, green, blue] = halves(1.0);
        let equal = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-6);
        assert!((0..2).all(|half| equal(&red[half], &green[half]) && equal(&green[half], &blue[half])));
        assert!((variance(&red[1]) / 0.004 - 1.0).abs() < 0.09);
        let [red, green, _] = halves(0.0);
        assert!(!equal(&red[0], &green[0]));
    }

    #[test]
    fn n_is_a_power_of_two_not_below_the_number_of_values() {
        // Three values 0, 0.2, 1 make n = 4, so noise plus value is a multiple of 1/4.
        let noise = noise(&[0.0, 0.2, 1.0, 1.0], &mut Draws::new(0, Purpose::Degradation, 0, 0));
        let quarters: Vec<f64> =
            noise.iter().zip([0.0, 0.2, 1.0, 1.0]).map(|(noise, value)| 4.0 * (noise + value)).collect();
        assert!(quarters.iter().all(|x| (x - x.round()).abs() < 1e-12) && quarters[0] == 0.0, "{quarters:?}");
    }
}
