//! Means, their spread, and whether one method beats another.

use abbe_data::random::{Draws, Purpose};

/// How often the pictures are drawn anew for an interval.
pub const RESAMPLES: usize = 10_000;
/// The seed of those draws.
pub const SEED: u64 = 0;

/// The mean; NaN of nothing.
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The sample standard deviation (n - 1): how much pictures differ. NaN of fewer than two values, and of infinite ones.
pub fn deviation(values: &[f64]) -> f64 {
    let mean = mean(values);
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    if values.len() < 2 { f64::NAN } else { (squares / (values.len() - 1) as f64).sqrt() }
}

/// By how much one method's values lie above another's on the same pictures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// The mean over pictures.
    pub mean: f64,
    /// The ends of its 95 % interval.
    pub interval: [f64; 2],
}

impl Difference {
    /// The difference `a - b`, picture by picture, with the percentile interval of the bootstrap (Efron, "Bootstrap methods:
    /// another look at the jackknife", Annals of Statistics 7(1), 1979): [`RESAMPLES`] times as many pictures are drawn with
    /// replacement as there are, and the mean difference taken; 2.5 % of these means lie below the interval and 2.5 % above.
    ///
    /// `None` without pictures, and where a difference is not finite.
    pub fn between(a: &[f64], b: &[f64]) -> Option<Self> {
        let differences = Vec::from_iter(a.iter().zip(b).map(|(a, b)| a - b));
        let count = u32::try_from(differences.len()).ok().filter(|&count| count > 0)?;
        if !differences.iter().all(|difference| difference.is_finite()) {
            return None;
        }
        let resample = |index: usize| {
            let mut draws = Draws::new(SEED, Purpose::Bootstrap, 0, index as u64);
            (0..count).map(|_| differences[draws.below(count) as usize]).sum::<f64>() / f64::from(count)
        };
        let mut means = Vec::from_iter((0..RESAMPLES).map(resample));
        means.sort_by(f64::total_cmp);
        let beyond = RESAMPLES / 40; // 2.5 %
        Some(Self { mean: mean(&differences), interval: [means[beyond], means[RESAMPLES - 1 - beyond]] })
    }

    /// Whether the interval leaves 0 out, so that one method is better than the other beyond the chance of the pictures.
    pub fn is_clear(&self) -> bool {
        self.interval[0] > 0.0 || self.interval[1] < 0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mean_and_deviation_of_four_values() {
        // 2, 4, 4, 6: mean 4, squares 4 + 0 + 0 + 4 = 8, over 3.
        let values = [2.0, 4.0, 4.0, 6.0];
        assert_eq!((mean(&values), deviation(&values)), (4.0, (8.0f64 / 3.0).sqrt()));
        assert!(deviation(&[1.0]).is_nan() && mean(&[]).is_nan());
    }

    #[test]
    fn a_constant_difference_has_no_spread() {
        let found = Difference::between(&[2.5, 3.5, 9.5], &[2.0, 3.0, 9.0]).unwrap();
        assert_eq!(found, Difference { mean: 0.5, interval: [0.5; 2] });
        assert!(found.is_clear());
    }

    #[test]
    fn the_interval_of_one_picture_among_ten_that_differs() {
        // Drawn ten times from ten, the one comes up k times with binomial probability: 0 in 0.9^10 = 34.9 %, at most 2 in
        // 93.0 %, at most 3 in 98.7 %. So 2.5 % is 0 and 97.5 % is 3 of 10. Ten thousand draws miss by at most 0.5 %.
        let a: [f64; 10] = std::array::from_fn(|i| f64::from(i == 4));
        let found = Difference::between(&a, &[0.0; 10]).unwrap();
        assert_eq!((found.mean, found.interval), (0.1, [0.0, 0.3]));
        assert!(!found.is_clear());
    }

    #[test]
    fn what_has_no_difference() {
        assert_eq!(Difference::between(&[], &[]), None);
        assert_eq!(Difference::between(&[f64::INFINITY], &[f64::INFINITY]), None);
    }
}
