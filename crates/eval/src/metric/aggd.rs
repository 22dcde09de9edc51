//! Asymmetric generalised Gaussian distributions, fitted to samples by their moments: Lasmar, Stitou and Berthoumieu,
//! "Multiscale skewed heavy tailed model for texture analysis", ICIP 2009.

use std::sync::LazyLock;

use libm::tgamma;

/// Shapes that are tried, 0.2 to 10 in steps of 0.001, each with the square of E|x| over E x² of a symmetric distribution,
/// which grows with the shape.
static SHAPES: LazyLock<Vec<(f64, f64)>> = LazyLock::new(|| {
    let ratio = |shape: f64| tgamma(2.0 / shape).powi(2) / (tgamma(1.0 / shape) * tgamma(3.0 / shape));
    (0..=9800).map(|step| 0.2 + 0.001 * f64::from(step)).map(|shape| (shape, ratio(shape))).collect()
});

/// A fitted distribution.
pub(crate) struct Aggd {
    /// Its shape: 2 for a normal distribution, smaller for heavier tails.
    pub shape: f64,
    /// Its widths below and above 0; NaN where there are no such samples.
    pub scales: [f64; 2],
}

impl Aggd {
    /// Fits the distribution.
    pub(crate) fn fit(samples: impl Iterator<Item = f64>) -> Self {
        let (mut sides, mut magnitudes, mut count) = ([(0.0, 0.0); 2], 0.0, 0.0);
        for sample in samples {
            magnitudes += sample.abs();
            count += 1.0;
            if sample != 0.0 {
                let (squares, number) = &mut sides[usize::from(sample > 0.0)];
                *squares += sample * sample;
                *number += 1.0;
            }
        }
        let [left, right] = sides.map(|(squares, number): (f64, f64)| (squares / number).sqrt());
        let skew = left / right;
        let ratio = (magnitudes / count).powi(2) / ((sides[0].0 + sides[1].0) / count);
        let symmetric = ratio * (skew.powi(3) + 1.0) * (skew + 1.0) / (skew * skew + 1.0).powi(2);
        let shape = nearest(symmetric);
        let width = (tgamma(1.0 / shape) / tgamma(3.0 / shape)).sqrt();
        Self { shape, scales: [left * width, right * width] }
    }

    /// Its mean.
    pub(crate) fn mean(&self) -> f64 {
        (self.scales[1] - self.scales[0]) * tgamma(2.0 / self.shape) / tgamma(1.0 / self.shape)
    }
}

/// The shape whose ratio is nearest; the first for NaN.
fn nearest(ratio: f64) -> f64 {
    let above = SHAPES.partition_point(|&(_, of_shape)| of_shape < ratio);
    let around = &SHAPES[above.saturating_sub(1)..(above + 1).min(SHAPES.len())];
    let distance = |&&(_, of_shape): &&(f64, f64)| (of_shape - ratio).abs();
    around.iter().min_by(|a, b| distance(a).total_cmp(&distance(b))).map_or(f64::NAN, |&(shape, _)| shape)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_of_known_distributions() {
        // E|x|² / E x² of a normal distribution is 2/π, of a Laplace distribution 1/2 (E|x| = b, E x² = 2 b²); of a
        // uniform one, the limit of large shapes, 3/4.
        for (ratio, shape) in [(2.0 / std::f64::consts::PI, 2.0), (0.5, 1.0), (0.75, 10.0), (0.0, 0.2), (f64::NAN, 0.2)]
        {
            assert!((nearest(ratio) - shape).abs() < 1e-9, "{ratio}: {}", nearest(ratio));
        }
    }

    #[test]
    fn four_samples_by_hand() {
        // -1, -1, 3, 0: the left deviation is sqrt(2/2) = 1, the right one 3, so the skew is 1/3. (5/4)² over 11/4 is
        // 0.568182; times (1/27 + 1)(1/3 + 1) / (1/9 + 1)² = (112/81) (81/100) = 1.12 it is 0.636364, next to 2/π = 0.63662:
        // a shape of nearly 2, where the widths are sqrt(2) times the deviations, and the mean (b - a) / sqrt(π).
        let found = Aggd::fit([-1.0, -1.0, 3.0, 0.0].into_iter());
        assert!((found.shape - 2.0).abs() < 5e-3, "{}", found.shape);
        let [left, right] = found.scales;
        assert!((left - 2f64.sqrt()).abs() < 5e-3 && (right / left - 3.0).abs() < 1e-12, "{left} {right}");
        assert!((found.mean() - 2.0 * 2f64.sqrt() / std::f64::consts::PI.sqrt()).abs() < 1e-2, "{}", found.mean());
    }

    #[test]
    fn without_samples_on_a_side_there_is_no_width() {
        let found = Aggd::fit([0.0, 2.0].into_iter());
        assert!(found.scales[0].is_nan() && !found.scales[1].is_nan());
    }
}
