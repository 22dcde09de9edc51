//! Phase congruency after Kovesi, "Image features from phase congruency", Videre 1(3), 1999, with the settings of FSIM.

use std::f64::consts::PI;

use rayon::prelude::*;
use rustfft::num_complex::Complex64;

use super::Plane;
use super::fourier::{Spectrum, signed};

const SCALES: usize = 4;
const ORIENTATIONS: usize = 4;
/// Wavelength of the finest filter in pixels; each next one has twice the wavelength.
const SHORTEST: f64 = 6.0;
/// Width of a filter's logarithmic Gaussian, relative to its frequency.
const WIDTH: f64 = 0.55;
/// Angle between orientations over the standard deviation of a filter's angular Gaussian.
const ANGLES: f64 = 1.2;
/// Cut-off and order of the low-pass filter that keeps the corners of the spectrum out.
const CUTOFF: f64 = 0.45;
const ORDER: i32 = 15;
/// Standard deviations of the noise's energy above its mean that are taken for noise, and the factor that this is divided by.
const NOISE: (f64, f64) = (2.0, 1.7);

/// The filters of one orientation in the frequency domain, the finest first.
type Orientation = [Vec<f64>; SCALES];

/// The filters for planes of one size.
pub(crate) struct Filters {
    orientations: Vec<Orientation>,
    height: usize,
    width: usize,
}

impl Filters {
    /// Log-Gabor filters for planes of this size, at least 2 in each direction.
    pub(crate) fn new(height: usize, width: usize) -> Self {
        let frequencies =
            Vec::from_iter((0..height * width).map(|i| frequency([i / width, i % width], [height, width])));
        let radial: [Vec<f64>; SCALES] = std::array::from_fn(|scale| {
            let wavelength = SHORTEST * f64::from(1 << scale as u32);
            frequencies.iter().map(|&[radius, _]| log_gabor(radius, wavelength)).collect()
        });
        let orientation = |orientation: usize| {
            let angle = orientation as f64 * PI / ORIENTATIONS as f64;
            let spread = Vec::from_iter(frequencies.iter().map(|&[_, theta]| angular(theta, angle)));
            radial.each_ref().map(|radial| radial.iter().zip(&spread).map(|(r, s)| r * s).collect())
        };
        Self { orientations: (0..ORIENTATIONS).map(orientation).collect(), height, width }
    }

    /// Phase congruency of each sample, 0 to 1: how much of the amplitude of all filters is in one phase, beyond noise.
    pub(crate) fn phase_congruency(&self, plane: &Plane) -> Plane {
        let spectrum = Spectrum::of(plane);
        let parts = self.orientations.par_iter().map(|filters| self.energy(&spectrum, filters)).collect::<Vec<_>>();
        let mut sum = vec![[f64::EPSILON; 2]; plane.values.len()];
        for part in &parts {
            sum.iter_mut().zip(part).for_each(|(sum, part)| *sum = [sum[0] + part[0], sum[1] + part[1]]);
        }
        Plane { values: sum.iter().map(|[energy, amplitude]| energy / amplitude).collect(), ..*plane }
    }

    /// For each sample the energy of one orientation beyond noise, and the amplitudes summed over scales.
    fn energy(&self, spectrum: &Spectrum, filters: &Orientation) -> Vec<[f64; 2]> {
        let responses = filters.each_ref().map(|filter| {
            let values = spectrum.values.iter().zip(filter).map(|(value, filter)| value * filter).collect();
            Spectrum { values, ..*spectrum }.inverse().values
        });
        let threshold = self.threshold(filters, &responses[0]);
        let at = |i: usize| {
            let responses = responses.each_ref().map(|response| response[i]);
            let sum: Complex64 = responses.iter().sum();
            let mean = sum / (sum.norm() + f64::EPSILON);
            let energy = |response: &Complex64| {
                let turned = response * mean.conj();
                turned.re - turned.im.abs()
            };
            let amplitude = responses.iter().map(|response| response.norm()).sum();
            [(responses.iter().map(energy).sum::<f64>() - threshold).max(0.0), amplitude]
        };
        (0..spectrum.values.len()).map(at).collect()
    }

    /// The energy that noise alone would have: noise is taken to be white, and its power is read from the median of the
    /// squared response of the finest filter.
    fn threshold(&self, filters: &Orientation, finest: &[Complex64]) -> f64 {
        let mut squares = Vec::from_iter(finest.iter().map(Complex64::norm_sqr));
        let middle = (squares.len() - 1) / 2;
        let (_, median, _) = squares.select_nth_unstable_by(middle, f64::total_cmp);
        let power = *median / 2f64.ln() / filters[0].iter().map(|filter| filter * filter).sum::<f64>();
        // What the filters' sum has of noise: by Parseval, the squares of its part that is even in frequency.
        let sum = Vec::from_iter((0..finest.len()).map(|i| filters.iter().map(|filter| filter[i]).sum::<f64>()));
        let even = (0..sum.len()).map(|i| (sum[i] + sum[self.opposite(i)]) / 2.0);
        let tau = (power * even.map(|even| even * even).sum::<f64>()).sqrt();
        tau * ((PI / 2.0).sqrt() + NOISE.0 * (2.0 - PI / 2.0).sqrt()) / NOISE.1
    }

    /// The index of the frequency with both signs changed.
    fn opposite(&self, i: usize) -> usize {
        let (y, x) = (i / self.width, i % self.width);
        (self.height - y) % self.height * self.width + (self.width - x) % self.width
    }
}

/// Length and angle of the frequency of an index, in cycles per sample. With an odd side the implementations divide by one
/// less, so that the highest frequency is a half.
fn frequency(index: [usize; 2], size: [usize; 2]) -> [f64; 2] {
    let [y, x] = [0, 1].map(|axis| signed(index[axis], size[axis]) / (size[axis] - size[axis] % 2) as f64);
    [y.hypot(x), (-x).atan2(y)]
}

fn log_gabor(radius: f64, wavelength: f64) -> f64 {
    if radius == 0.0 {
        return 0.0;
    }
    let low_pass = 1.0 / (1.0 + (radius / CUTOFF).powi(2 * ORDER));
    (-(radius * wavelength).ln().powi(2) / (2.0 * WIDTH.ln().powi(2))).exp() * low_pass
}

fn angular(theta: f64, angle: f64) -> f64 {
    let sigma = PI / (ORIENTATIONS as f64 * ANGLES);
    let distance = (theta - angle).sin().atan2((theta - angle).cos());
    (-distance * distance / (2.0 * sigma * sigma)).exp()
}

#[cfg(test)]
mod tests {
    use super::super::plane::tests::plane;
    use super::*;

    #[test]
    fn a_filter_passes_its_own_frequency_and_direction() {
        // At its wavelength the logarithm is 0; the low-pass has (1/6 / 0.45)^30 = 1e-13 there.
        assert!((log_gabor(1.0 / 6.0, 6.0) - 1.0).abs() < 1e-12);
        // At the frequency 0.55 times its own: exp(-1/2).
        assert!((log_gabor(0.55 / 12.0, 12.0) - (-0.5f64).exp()).abs() < 1e-12);
        // One standard deviation of angle, π / 4.8, on the other side of the cut at π.
        assert!((angular(-PI + 0.1, PI + 0.1 - PI / 4.8) - (-0.5f64).exp()).abs() < 1e-12);
        assert_eq!((log_gabor(0.0, 6.0), angular(1.0, 1.0)), (0.0, 1.0));
    }

    #[test]
    fn an_edge_is_congruent_and_flat_parts_are_not() {
        let step = plane(64, 64, |_, x| if (16..48).contains(&x) { 200.0 } else { 50.0 });
        let congruency = Filters::new(64, 64).phase_congruency(&step);
        // The middle of a bar is congruent too, because a bar is symmetric; half way from there to the edge nothing is.
        let at = |x: usize| congruency.row(32)[x];
        assert!(at(16) > 0.75 && at(15) > 0.75 && at(24) < 0.25, "{:?}", congruency.row(32));
        assert!(congruency.values.iter().all(|value| (0.0..=1.0 + 1e-12).contains(value)));
    }
}
