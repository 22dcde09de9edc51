//! Choices, normal and Poisson draws, made from [`Draws`].
//!
//! Not with rand_distr: its last bits depend on the platform's functions, and its draws on its version. These are the
//! same everywhere, for the functions of `libm` are.

use std::collections::VecDeque;
use std::f64::consts::PI;
use std::sync::LazyLock;

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

    /// A draw of the normal distribution with mean 0 and standard deviation 1, by the ziggurat of Marsaglia and Tsang,
    /// 2000, with 256 layers.
    pub fn normal(&mut self) -> f64 {
        let ziggurat = &*ZIGGURAT;
        loop {
            let place = LAYERS as f64 * self.unit();
            let layer = place as usize;
            let side = 2.0 * (place - layer as f64) - 1.0;
            let x = side * ziggurat[layer];
            if x.abs() < ziggurat[layer + 1] {
                return x;
            }
            if layer == 0 {
                return self.normal_tail().copysign(side);
            }
            let [outer, inner] = [ziggurat[layer], ziggurat[layer + 1]].map(bell);
            if outer + self.unit() * (inner - outer) < bell(x) {
                return x;
            }
        }
    }

    /// A draw of the normal distribution among those above [`TAIL`] (Marsaglia, 1964).
    fn normal_tail(&mut self) -> f64 {
        loop {
            let [x, y] = [(); 2].map(|()| -libm::log(1.0 - self.unit())); // 1 - unit is never 0
            let beyond = x / TAIL;
            if 2.0 * y > beyond * beyond {
                return TAIL + beyond;
            }
        }
    }
}

/// Layers of the ziggurat, all of the same area.
const LAYERS: usize = 256;
/// Where its lowest layer, which reaches to infinity, is no rectangle any more: with 256 layers.
const TAIL: f64 = 3.654_152_885_361_009;

/// Half the width of each layer from the lowest up; the first as if it were a rectangle, after the last 0.
static ZIGGURAT: LazyLock<[f64; LAYERS + 1]> = LazyLock::new(|| {
    let beyond = (PI / 2.0).sqrt() * libm::erfc(TAIL / 2f64.sqrt());
    let area = TAIL * bell(TAIL) + beyond;
    let mut widths = [0.0; LAYERS + 1];
    [widths[0], widths[1]] = [area / bell(TAIL), TAIL];
    for layer in 2..LAYERS {
        let width = widths[layer - 1];
        widths[layer] = (-2.0 * libm::log(bell(width) + area / width)).sqrt();
    }
    widths
});

fn bell(x: f64) -> f64 {
    libm::exp(-0.5 * x * x)
}

/// The Poisson distribution of one mean, for many draws: by inversion, with a table of where to begin to look (Chen and
/// Asau, 1974).
pub struct Poisson {
    /// The least number that is drawn.
    least: usize,
    /// The probabilities of that number or less, of the next one or less, and so on, up to 1.
    cumulative: Vec<f64>,
    /// For each part of [0, 1) the first number whose cumulative probability is above its beginning.
    starts: [u16; PARTS],
}

const PARTS: usize = 64;
/// Numbers that are less likely than this are not drawn; a unit draw has no finer steps.
const UNLIKELY: f64 = f64::EPSILON / 2.0;

impl Poisson {
    /// The distribution with that mean, 0 to a million.
    pub fn new(mean: f64) -> Self {
        let (least, probabilities) = likely(mean);
        let total: f64 = probabilities.iter().sum();
        let mut sum = 0.0;
        let add = |probability| {
            sum += probability;
            sum / total
        };
        let cumulative: Vec<f64> = probabilities.iter().map(add).collect();
        let start = |part| cumulative.partition_point(|&share| share <= part as f64 / PARTS as f64) as u16;
        Self { least, starts: std::array::from_fn(start), cumulative }
    }

    /// One number.
    pub fn draw(&self, draws: &mut Draws) -> f64 {
        let unit = draws.unit();
        let start = usize::from(self.starts[(unit * PARTS as f64) as usize]);
        let further = self.cumulative[start..].iter().take_while(|&&share| share <= unit).count();
        (self.least + start + further) as f64
    }
}

/// The least number that is not [`UNLIKELY`], and the probabilities from it up.
fn likely(mean: f64) -> (usize, VecDeque<f64>) {
    let mode = mean.floor();
    let logarithm = if mode > 0.0 { mode * libm::log(mean) - libm::lgamma(mode + 1.0) } else { 0.0 };
    let peak = libm::exp(logarithm - mean);
    let mut probabilities = VecDeque::from([peak]);
    let (mut least, mut probability) = (mode, peak);
    while least > 0.0 && probability > UNLIKELY {
        probability *= least / mean;
        least -= 1.0;
        probabilities.push_front(probability);
    }
    let (mut most, mut probability) = (mode, peak);
    while probability > UNLIKELY {
        most += 1.0;
        probability *= mean / most;
        probabilities.push_back(probability);
    }
    (least as usize, probabilities)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Purpose;

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
    fn normal_draws_have_the_shares_of_the_normal_distribution() {
        // P(|x| > 1) = 0.317311, P(|x| > 2) = 0.0455003, P(|x| > TAIL) = 0.000258032, P(|x| < 0.1) = 0.0796557; half are
        // negative. The first three test the edges of layers and the tail.
        for (least, most, p) in
            [(1.0, 99.0, 0.317311), (2.0, 99.0, 0.0455003), (TAIL, 99.0, 0.000258032), (0.0, 0.1, 0.0796557)]
        {
            let [share, ..] = moments(|draws| f64::from((least..most).contains(&draws.normal().abs())));
            assert!((share - p).abs() < margin(p * (1.0 - p)), "{least} {most}: {share}");
        }
        let [negative, ..] = moments(|draws| f64::from(draws.normal() < 0.0));
        assert!((negative - 0.5).abs() < margin(0.25), "{negative}");
    }

    #[test]
    fn layers_of_the_ziggurat_have_one_area() {
        // The uppermost layer ends at the peak of the bell, 1: that holds only for the right area.
        let (last, below) = (ZIGGURAT[LAYERS - 1], ZIGGURAT[LAYERS - 2]);
        let area = ZIGGURAT[0] * bell(TAIL);
        assert!((last * (1.0 - bell(last)) - area).abs() < 1e-12, "{last}");
        assert!((below * (bell(last) - bell(below)) - area).abs() < 1e-15);
        assert!(ZIGGURAT.is_sorted_by(|a, b| a > b));
    }

    #[test]
    fn poisson_draws_have_the_moments_of_the_poisson_distribution() {
        // Mean, variance and third central moment are all the mean m, the fourth is m + 3 m^2, the sixth
        // m + 25 m^2 + 15 m^3. So (x - m)^2 has the variance m + 2 m^2 and (x - m)^3 has m + 24 m^2 + 15 m^3.
        for m in [0.3, 4.0, 9.9, 10.0, 30.0, 200.0] {
            let poisson = Poisson::new(m);
            let [mean, variance, third, _] = moments(|draws| poisson.draw(draws));
            assert!((mean - m).abs() < margin(m), "mean {mean} for {m}");
            assert!((variance - m).abs() < margin(m + 2.0 * m * m), "variance {variance} for {m}");
            assert!((third - m).abs() < margin(m + 24.0 * m * m + 15.0 * m.powi(3)), "third {third} for {m}");
        }
        assert_eq!(Poisson::new(0.0).draw(&mut Draws::new(1, Purpose::Degradation, 0, 0)), 0.0);
    }

    #[test]
    fn poisson_draws_have_the_probabilities_of_the_poisson_distribution() {
        // P(k) = m^k exp(-m) / k!, at the mode and beside it.
        for (m, k) in [(3.5_f64, 3), (3.5, 0), (12.5, 12), (12.5, 17)] {
            let poisson = Poisson::new(m);
            let p = (1..=k).fold((-m).exp(), |p, i| p * m / f64::from(i));
            let [share, ..] = moments(|draws| f64::from(poisson.draw(draws) == f64::from(k)));
            assert!((share - p).abs() < margin(p * (1.0 - p)), "{share} against {p}");
        }
    }
}
