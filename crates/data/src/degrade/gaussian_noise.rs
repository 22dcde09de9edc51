use serde::{Deserialize, Serialize};

use super::check::{probabilities, range};
use super::planes::Planes;
use super::trace::{Applied, GaussianKind};
use crate::Error;
use crate::random::Draws;

/// Additive Gaussian noise, the same everywhere; the result is clamped to [0, 1].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GaussianNoise {
    /// Range of the standard deviation in 8-bit levels, in [0, 255], uniformly drawn.
    pub sigma: [f64; 2],
    /// Probabilities of the three kinds, which add up to 1.
    pub kinds: Kinds,
}

/// How often the channels' noise is of which kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kinds {
    /// Each channel has its own.
    pub colour: f64,
    /// One for all channels.
    pub grey: f64,
    /// Channels with a random covariance, s^2 U diag(d) U^T: U is a random rotation, d uniform in [0, 1], and s the
    /// upper end of `sigma` (BSRGAN, arXiv 2103.14006, section 3.3).
    pub correlated: f64,
}

impl GaussianNoise {
    pub(super) fn check(&self, key: &str) -> Result<(), Error> {
        range(format!("{key}.sigma"), self.sigma, 0.0, 255.0)?;
        probabilities(format!("{key}.kinds"), &self.kinds.shares())
    }

    pub(super) fn apply(&self, picture: Planes, draws: &mut Draws) -> (Planes, Applied) {
        let sigma = draws.between(self.sigma);
        let kind = match draws.choose(self.kinds.shares()) {
            0 => GaussianKind::Colour { sigma },
            1 => GaussianKind::Grey { sigma },
            _ => GaussianKind::Correlated { mixture: correlated(self.sigma[1], draws) },
        };
        (add(picture, mixture(&kind), draws), Applied::GaussianNoise(kind))
    }
}

impl Kinds {
    fn shares(&self) -> [f64; 3] {
        [self.colour, self.grey, self.correlated]
    }
}

/// What three independent normal draws are multiplied by; a row for each channel.
fn mixture(kind: &GaussianKind) -> [[f64; 3]; 3] {
    match *kind {
        GaussianKind::Colour { sigma } => [[sigma, 0.0, 0.0], [0.0, sigma, 0.0], [0.0, 0.0, sigma]],
        GaussianKind::Grey { sigma } => [[sigma, 0.0, 0.0]; 3],
        GaussianKind::Correlated { mixture } => mixture,
    }
}

/// A random rotation with its columns scaled: `sigma` U diag(sqrt(d)).
fn correlated(sigma: f64, draws: &mut Draws) -> [[f64; 3]; 3] {
    let rotation = rotation([(); 4].map(|()| draws.normal()));
    let scales = [(); 3].map(|()| sigma * draws.unit().sqrt());
    rotation.map(|row| [row[0] * scales[0], row[1] * scales[1], row[2] * scales[2]])
}

/// The rotation of a quaternion of any length; four normal draws make every rotation equally likely.
fn rotation(quaternion: [f64; 4]) -> [[f64; 3]; 3] {
    let norm = quaternion.iter().map(|x| x * x).sum::<f64>().sqrt();
    let [w, x, y, z] = quaternion.map(|component| component / norm);
    [
        [1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y - w * z), 2.0 * (x * z + w * y)],
        [2.0 * (x * y + w * z), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z - w * x)],
        [2.0 * (x * z - w * y), 2.0 * (y * z + w * x), 1.0 - 2.0 * (x * x + y * y)],
    ]
}

/// Adds `mixture` times three independent normal draws to each pixel, in 8-bit levels.
fn add(mut picture: Planes, mixture: [[f64; 3]; 3], draws: &mut Draws) -> Planes {
    let area = picture.height * picture.width;
    let single = mixture.iter().all(|row| row[1..] == [0.0; 2]);
    for pixel in 0..area {
        let normal = if single { [draws.normal(), 0.0, 0.0] } else { [(); 3].map(|()| draws.normal()) };
        for (channel, weights) in mixture.iter().enumerate() {
            let noise: f64 = weights.iter().zip(normal).map(|(weight, normal)| weight * normal).sum();
            let value = &mut picture.values[channel * area + pixel];
            *value = (*value + (noise / 255.0) as f32).clamp(0.0, 1.0);
        }
    }
    picture
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Purpose;

    /// The noise on a grey picture of 200x200, channel after channel, in 8-bit levels.
    fn noise(kinds: [f64; 3], index: u64) -> Vec<Vec<f64>> {
        let [colour, grey, correlated] = kinds;
        let degradation = GaussianNoise { sigma: [10.0, 10.0], kinds: Kinds { colour, grey, correlated } };
        let picture = Planes { height: 200, width: 200, values: vec![0.5; 3 * 200 * 200] };
        let (noisy, _) = degradation.apply(picture, &mut Draws::new(5, Purpose::Degradation, 0, index));
        noisy.channels().map(|plane| plane.iter().map(|value| 255.0 * (f64::from(*value) - 0.5)).collect()).collect()
    }

    fn covariance(a: &[f64], b: &[f64]) -> f64 {
        a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>() / a.len() as f64
    }

    #[test]
    fn colour_noise_has_its_variance_and_independent_channels() {
        // 40 000 draws: a variance of 100 is known to 100 sqrt(2 / 40 000) = 0.71, a covariance of 0 to 0.5; 6 of each.
        let noise = noise([1.0, 0.0, 0.0], 0);
        for (a, b) in (0..3).flat_map(|a| (0..3).map(move |b| (a, b))) {
            let expected = if a == b { 100.0 } else { 0.0 };
            assert!((covariance(&noise[a], &noise[b]) - expected).abs() < 4.3, "{a} {b}");
        }
    }

    #[test]
    fn grey_noise_is_equal_in_all_channels() {
        let noise = noise([0.0, 1.0, 0.0], 0);
        assert!(noise[0] == noise[1] && noise[1] == noise[2]);
        assert!((covariance(&noise[0], &noise[0]) - 100.0).abs() < 4.3);
    }

    #[test]
    fn correlated_noise_has_the_mean_variance_of_its_eigenvalues() {
        // E[U diag(d) U^T] is E[d] I = I / 2, so variances average 50 and covariances 0 over many pictures.
        let mut sums = [0.0; 2];
        let mut largest: f64 = 0.0;
        for index in 0..40 {
            let noise = noise([0.0, 0.0, 1.0], index);
            sums[0] += (0..3).map(|c| covariance(&noise[c], &noise[c])).sum::<f64>() / 3.0;
            sums[1] += covariance(&noise[0], &noise[1]);
            largest = largest.max(covariance(&noise[0], &noise[1]).abs());
        }
        // The mean of three uniform numbers has the deviation 100 / 6, that of 40 such means 2.6; a covariance below
        // 20.
        assert!((sums[0] / 40.0 - 50.0).abs() < 16.0 && (sums[1] / 40.0).abs() < 20.0, "{sums:?}");
        assert!(largest > 10.0, "{largest}");
    }

    #[test]
    fn a_quarter_turn_about_the_third_axis() {
        // The quaternion (cos 45, 0, 0, sin 45), here of length sqrt 2, takes the first axis to the second.
        let turn = rotation([1.0, 0.0, 0.0, 1.0]);
        let expected = [[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]];
        assert!(turn.iter().flatten().zip(expected.iter().flatten()).all(|(a, b)| (a - b).abs() < 1e-15));
    }
}
