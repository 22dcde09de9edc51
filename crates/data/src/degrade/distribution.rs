//! Choices, normal and Poisson draws, made from [`Draws`].
//!
//! Not with rand_distr: its last bits depend on the platform's functions, and its draws on its version. These are the
//! same everywhere, for the functions of `libm` are.

use std::f64::consts::TAU;

use crate::random::Draws;

impl Draws {
    /// The position of one of several probabilities, which add up to 1.
    pub(super) fn choose(&mut self, probabilities: impl IntoIterator<Item = f64>) -> usize {
        let (mut left, mut choice) = (self.unit(), 0);
        for (position, probability) in probabilities.into_iter().enumerate().filter(|(_, share)| *share > 0.0) {
            choice = position; // the last one also has what rounding leaves
            if left < probability {
                break;
            }
            left -= probability;
        }
        choice
    }

    /// A draw of the normal distribution with mean 0 and standard deviation 1 (Box and Muller, 1958).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * libm::log(1.0 - self.unit())).sqrt(); // 1 - unit is never 0
        radius * libm::cos(TAU * self.unit())
    }

    /// A draw of the Poisson distribution with the given mean, finite and 0 or more.
    pub fn poisson(&mut self, mean: f64) -> f64 {
        if mean < 10.0 { self.poisson_by_products(mean) } else { self.poisson_by_rejection(mean) }
    }

    /// How many uniform numbers can be multiplied before the product falls to exp(-mean) (Knuth, "The art of computer
    /// programming", 3.4.1).
    fn poisson_by_products(&mut self, mean: f64) -> f64 {
        let end = libm::exp(-mean);
        let (mut count, mut product) = (0.0, self.unit());
        while product > end {
            count += 1.0;
            product *= self.unit();
        }
        count
    }

    /// Algorithm PTRS of Hörmann, "The transformed rejection method for generating Poisson random variables", 1993;
    /// the mean is at least 10.
    fn poisson_by_rejection(&mut self, mean: f64) -> f64 {
        let b = 0.931 + 2.53 * mean.sqrt();
        let a = -0.059 + 0.02483 * b;
        let inverse_alpha = 1.1239 + 1.1328 / (b - 3.4);
        loop {
            let (u, v) = (self.unit() - 0.5, self.unit());
            let tail = 0.5 - u.abs();
            let k = ((2.0 * a / tail + b) * u + mean + 0.43).floor();
            if tail >= 0.07 && v <= 0.9277 - 3.6224 / (b - 2.0) {
                return k;
            }
            if k < 0.0 || (tail < 0.013 && v > tail) {
                continue;
            }
            let hat = libm::log(v * inverse_alpha / (a / (tail * tail) + b));
            if hat <= k * libm::log(mean) - mean - libm::lgamma(k + 1.0) {
                return k;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::random::{Draws, Purpose};

    const COUNT: usize = 100_000;

    /// The central moments 1 to 4 of many draws, the first about 0.
    fn moments(draw: impl Fn(&mut Draws) -> f64) -> [f64; 4] {
        let mut draws = Draws::new(1, Purpose::Degradation, 0, 0);
        let values: Vec<f64> = (0..COUNT).map(|_| draw(&mut draws)).collect();
        let average = |power, about| values.iter().map(|x| f64::powi(x - about, power)).sum::<f64>() / COUNT as f64;
        let mean = average(1, 0.0);
        [mean, average(2, mean), average(3, mean), average(4, mean)]
    }

    /// Six standard errors of the mean of values with the given variance.
    fn margin(variance: f64) -> f64 {
        6.0 * (variance / COUNT as f64).sqrt()
    }

    #[test]
    fn choices_come_as_often_as_their_probabilities() {
        for (position, p) in [0.25, 0.0, 0.6, 0.15, 0.0].into_iter().enumerate() {
            let [share, ..] = moments(|draws| f64::from(draws.choose([0.25, 0.0, 0.6, 0.15, 0.0]) == position));
            assert!((share - p).abs() <= margin(p * (1.0 - p)), "{position}: {share}");
        }
    }

    #[test]
    fn normal_draws_have_the_moments_of_the_normal_distribution() {
        // Mean 0, variance 1, third moment 0, fourth 3; x^2 has variance 3 - 1, x^3 15, x^4 105 - 9.
        let [mean, variance, third, fourth] = moments(Draws::normal);
        assert!(mean.abs() < margin(1.0) && (variance - 1.0).abs() < margin(2.0), "{mean} {variance}");
        assert!(third.abs() < margin(15.0) && (fourth - 3.0).abs() < margin(96.0), "{third} {fourth}");
    }

    #[test]
    fn poisson_draws_have_the_moments_of_the_poisson_distribution() {
        // Mean, variance and third central moment are all the mean m, the fourth is m + 3 m^2, the sixth
        // m + 25 m^2 + 15 m^3. So (x - m)^2 has the variance m + 2 m^2 and (x - m)^3 has m + 24 m^2 + 15 m^3.
        for m in [0.3, 4.0, 9.9, 10.0, 30.0, 200.0] {
            let [mean, variance, third, _] = moments(|draws| draws.poisson(m));
            assert!((mean - m).abs() < margin(m), "mean {mean} for {m}");
            assert!((variance - m).abs() < margin(m + 2.0 * m * m), "variance {variance} for {m}");
            assert!((third - m).abs() < margin(m + 24.0 * m * m + 15.0 * m.powi(3)), "third {third} for {m}");
        }
        assert_eq!(Draws::new(1, Purpose::Degradation, 0, 0).poisson(0.0), 0.0);
    }

    #[test]
    fn poisson_draws_have_the_probabilities_of_the_poisson_distribution() {
        // P(k) = m^k exp(-m) / k!, checked at the mode of both algorithms: 3 of 3.5, 12 of 12.5.
        for (m, k) in [(3.5_f64, 3), (12.5, 12)] {
            let p = (1..=k).fold((-m).exp(), |p, i| p * m / f64::from(i));
            let [share, ..] = moments(|draws| f64::from(draws.poisson(m) == f64::from(k)));
            assert!((share - p).abs() < margin(p * (1.0 - p)), "{share} against {p}");
        }
    }
}
