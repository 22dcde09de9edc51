//! The discrete Fourier transform of planes.

use rayon::prelude::*;
use rustfft::num_complex::Complex64;
use rustfft::{FftDirection, FftPlanner};

use super::Plane;

/// Complex samples, row by row.
#[derive(Clone, Debug)]
pub(crate) struct Spectrum {
    pub height: usize,
    pub width: usize,
    pub values: Vec<Complex64>,
}

impl Spectrum {
    /// The transform of a plane; frequency 0 comes first.
    pub(crate) fn of(plane: &Plane) -> Self {
        let values = plane.values.iter().map(|&value| value.into()).collect();
        Self { height: plane.height, width: plane.width, values }.transformed(FftDirection::Forward)
    }

    /// The inverse transform.
    pub(crate) fn inverse(self) -> Self {
        let area = self.values.len() as f64;
        let mut samples = self.transformed(FftDirection::Inverse);
        samples.values.iter_mut().for_each(|value| *value /= area);
        samples
    }

    fn transformed(self, direction: FftDirection) -> Self {
        self.rows(direction).turned().rows(direction).turned()
    }

    fn rows(mut self, direction: FftDirection) -> Self {
        let transform = FftPlanner::new().plan_fft(self.width, direction);
        self.values.par_chunks_mut(self.width).for_each(|row| transform.process(row));
        self
    }

    /// Rows as columns.
    fn turned(&self) -> Self {
        let at = |i: usize| self.values[i % self.height * self.width + i / self.height];
        Self { height: self.width, width: self.height, values: (0..self.values.len()).map(at).collect() }
    }
}

/// The frequency of index `i` of `side`, as a signed whole number from -side/2.
pub(crate) fn signed(i: usize, side: usize) -> f64 {
    if i < side.div_ceil(2) { i as f64 } else { i as f64 - side as f64 }
}

#[cfg(test)]
mod tests {
    use super::super::plane::tests::plane;
    use super::*;

    #[test]
    fn a_wave_has_two_frequencies_and_comes_back() {
        // cos(2π (y/3 + 2x/5)) is half of frequency (1, 2) and half of (-1, -2), which are (2, 3): 15/2 each.
        let wave = plane(3, 5, |y, x| (std::f64::consts::TAU * (y as f64 / 3.0 + 2.0 * x as f64 / 5.0)).cos());
        let spectrum = Spectrum::of(&wave);
        for (i, value) in spectrum.values.iter().enumerate() {
            let expected = if i == 5 + 2 || i == 2 * 5 + 3 { 7.5 } else { 0.0 };
            assert!((value - expected).norm() < 1e-12, "{i}: {value}");
        }
        let back = spectrum.inverse();
        assert!(back.values.iter().zip(&wave.values).all(|(found, value)| (found - value).norm() < 1e-12));
    }

    #[test]
    fn frequencies_beyond_the_middle_are_negative() {
        assert_eq!(Vec::from_iter((0..4).map(|i| signed(i, 4))), [0.0, 1.0, -2.0, -1.0]);
        assert_eq!(Vec::from_iter((0..5).map(|i| signed(i, 5))), [0.0, 1.0, 2.0, -2.0, -1.0]);
    }
}
