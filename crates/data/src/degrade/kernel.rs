//! Blur kernels as formulas, with the conventions of BasicSR, whose code trained Real-ESRGAN (arXiv 2107.10833).

use std::f64::consts::PI;

use serde::Serialize;

/// The weights of a convolution; they add up to 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Kernel {
    /// Rows, an odd number.
    pub height: usize,
    /// Columns, an odd number.
    pub width: usize,
    /// `height * width` weights, row after row.
    pub weights: Vec<f64>,
}

/// Twice this share of a blur's weights, once for rows and once for columns, may be left out: a thousandth of an 8-bit
/// level.
const NEGLIGIBLE: f64 = 1e-6;

/// How many of `length` sums can be left out at either end.
fn negligible(length: usize, sum: impl Fn(usize) -> f64) -> usize {
    let mut outer = 0.0;
    let adds = |i: &usize| {
        outer += sum(*i) + sum(length - 1 - i);
        outer < NEGLIGIBLE
    };
    (0..length / 2).take_while(adds).count()
}

/// Where a kernel has fallen off: an ellipse about its centre.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Ellipse {
    /// Standard deviations along its two axes in pixels, above 0.
    pub sigma: [f64; 2],
    /// How far the axes are turned from the columns' towards the rows' direction, in radians.
    pub angle: f64,
}

impl Ellipse {
    /// The squared Mahalanobis distance of column `x` and row `y` from the centre.
    fn distance(&self, x: f64, y: f64) -> f64 {
        let (sine, cosine) = libm::sincos(self.angle);
        let along = (cosine * x + sine * y) / self.sigma[0];
        let across = (cosine * y - sine * x) / self.sigma[1];
        along * along + across * across
    }
}

impl Kernel {
    /// A kernel of `height` x `width`, both odd, with weights in proportion to `weight` of the column and row counted
    /// from the centre.
    pub(super) fn new(height: usize, width: usize, weight: impl Fn(f64, f64) -> f64) -> Self {
        let from_centre = |at: usize, length: usize| at as f64 - (length / 2) as f64;
        let row = |y| (0..width).map(move |x| (from_centre(x, width), from_centre(y, height)));
        let weights: Vec<f64> = (0..height).flat_map(row).map(|(x, y)| weight(x, y)).collect();
        let sum: f64 = weights.iter().sum();
        Self { height, width, weights: weights.into_iter().map(|weight| weight / sum).collect() }
    }

    /// The kernel without outer rows and columns, as many on both sides, whose weights are [`NEGLIGIBLE`].
    pub(super) fn trimmed(&self) -> Self {
        let row_sum = |y: usize| (0..self.width).map(|x| self.weights[y * self.width + x].abs()).sum();
        let column_sum = |x: usize| (0..self.height).map(|y| self.weights[y * self.width + x].abs()).sum();
        let (rows, columns) = (negligible(self.height, row_sum), negligible(self.width, column_sum));
        let kept = self.weights.chunks_exact(self.width).skip(rows).take(self.height - 2 * rows);
        let weights = kept.flat_map(|row| &row[columns..self.width - columns]).copied().collect();
        Self { height: self.height - 2 * rows, width: self.width - 2 * columns, weights }
    }

    /// A bell along rows (`width` 1) or columns (`height` 1) or both, its centre shifted by `shift` to later ones.
    pub(super) fn bell(height: usize, width: usize, sigma: f64, shift: f64) -> Self {
        let bell = |t: f64| libm::exp(-0.5 * (t / sigma) * (t / sigma));
        let along = |length, t: f64| if length == 1 { 1.0 } else { bell(t - shift) };
        Self::new(height, width, |x, y| along(width, x) * along(height, y))
    }
}

/// The weights of a kernel of any size.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// [`delta`].
    Delta,
    /// [`sinc`].
    Sinc {
        /// Radians per pixel.
        cutoff: f64,
    },
    /// [`gaussian`].
    Gaussian(Ellipse),
    /// [`generalised_gaussian`].
    GeneralisedGaussian {
        /// Where it has fallen off.
        ellipse: Ellipse,
        /// Its exponent.
        beta: f64,
    },
    /// [`plateau`].
    Plateau {
        /// Where it has fallen off.
        ellipse: Ellipse,
        /// Its exponent.
        beta: f64,
    },
}

impl Shape {
    /// The kernel of this shape, `size` x `size`, an odd number; [`delta`] is always 1x1.
    pub fn kernel(&self, size: usize) -> Kernel {
        match self {
            Self::Delta => delta(),
            Self::Sinc { cutoff } => sinc(size, *cutoff),
            Self::Gaussian(ellipse) => gaussian(size, ellipse),
            Self::GeneralisedGaussian { ellipse, beta } => generalised_gaussian(size, ellipse, *beta),
            Self::Plateau { ellipse, beta } => plateau(size, ellipse, *beta),
        }
    }
}

/// The kernel that changes nothing.
pub fn delta() -> Kernel {
    Kernel { height: 1, width: 1, weights: vec![1.0] }
}

/// `size` x `size`, an odd number, in proportion to exp(-q / 2) for the squared Mahalanobis distance q: an isotropic or
/// anisotropic Gaussian.
pub fn gaussian(size: usize, ellipse: &Ellipse) -> Kernel {
    generalised_gaussian(size, ellipse, 1.0)
}

/// In proportion to exp(-q^beta / 2): more peaked than a Gaussian for `beta` below 1, flatter above.
pub fn generalised_gaussian(size: usize, ellipse: &Ellipse, beta: f64) -> Kernel {
    Kernel::new(size, size, |x, y| libm::exp(-0.5 * libm::pow(ellipse.distance(x, y), beta)))
}

/// In proportion to 1 / (1 + q^beta): a plateau with slopes, steeper for a larger `beta`.
pub fn plateau(size: usize, ellipse: &Ellipse, beta: f64) -> Kernel {
    Kernel::new(size, size, |x, y| 1.0 / (1.0 + libm::pow(ellipse.distance(x, y), beta)))
}

/// The circular low-pass filter, which rings as sharpened and compressed pictures do: w J1(w r) / (2 pi r) with J1 the
/// Bessel function, r the distance from the centre, and w the `cutoff` in radians per pixel, above 0, at most pi.
pub fn sinc(size: usize, cutoff: f64) -> Kernel {
    let centre = cutoff * cutoff / (4.0 * PI);
    Kernel::new(size, size, |x, y| match (x * x + y * y).sqrt() {
        0.0 => centre,
        r => cutoff * libm::j1(cutoff * r) / (2.0 * PI * r),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gaussian_of_three_columns() {
        // sigma 1/sqrt(2 ln 2) makes exp(-r^2 / (2 sigma^2)) = 2^-r^2: 1 at the centre, 1/2 beside it, 1/4 in corners.
        // The sum is 1 + 4/2 + 4/4 = 4.
        let sigma = [(2.0 * 2f64.ln()).sqrt().recip(); 2];
        let kernel = gaussian(3, &Ellipse { sigma, angle: 1.0 });
        let expected = [1.0, 2.0, 1.0, 2.0, 4.0, 2.0, 1.0, 2.0, 1.0].map(|weight| weight / 16.0);
        assert!(kernel.weights.iter().zip(expected).all(|(weight, expected)| (weight - expected).abs() < 1e-15));
    }

    #[test]
    fn a_plateau_of_three_columns() {
        // q = r^2 for sigma 1; beta 2: 1 / (1 + r^4) is 1, 1/2 beside the centre, 1/5 in corners; the sum is 3.8.
        let kernel = plateau(3, &Ellipse { sigma: [1.0; 2], angle: 0.0 }, 2.0);
        let expected = [0.2, 0.5, 0.2, 0.5, 1.0, 0.5, 0.2, 0.5, 0.2].map(|weight| weight / 3.8);
        assert!(kernel.weights.iter().zip(expected).all(|(weight, expected)| (weight - expected).abs() < 1e-15));
    }

    #[test]
    fn the_angle_turns_the_long_axis_from_columns_to_rows() {
        // A quarter turn exchanges rows and columns; an eighth of a turn makes the falling diagonal the long one.
        let turned = |angle| gaussian(5, &Ellipse { sigma: [2.0, 0.5], angle }).weights;
        let (flat, upright, diagonal) = (turned(0.0), turned(PI / 2.0), turned(PI / 4.0));
        assert!(flat[2 * 5] > 10.0 * flat[2]);
        assert!((0..25).all(|i| (flat[i] - upright[i % 5 * 5 + i / 5]).abs() < 1e-15));
        assert!(diagonal[0] > 10.0 * diagonal[4] && (diagonal[0] - diagonal[24]).abs() < 1e-15);
    }

    #[test]
    fn every_kernel_adds_up_to_1_and_is_its_own_point_reflection() {
        let ellipse = Ellipse { sigma: [0.01, 3.0], angle: 0.7 };
        for size in (7..=25).step_by(2) {
            let shapes = [gaussian(size, &ellipse), plateau(size, &ellipse, 0.5), sinc(size, 0.9), sinc(size, PI)];
            for kernel in shapes.into_iter().chain([generalised_gaussian(size, &ellipse, 4.0)]) {
                assert!((kernel.weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
                let backward = kernel.weights.iter().rev();
                assert!(kernel.weights.iter().zip(backward).all(|(a, b)| (a - b).abs() < 1e-15));
            }
        }
    }

    #[test]
    fn what_is_negligible_is_trimmed_on_both_sides_alike() {
        // sigma 0.2 along columns: exp(-12.5) = 3.7e-6 beside the centre is kept, exp(-50) further out is not. Along rows
        // sigma 100 keeps all.
        let kernel = gaussian(7, &Ellipse { sigma: [0.2, 100.0], angle: 0.0 });
        let trimmed = kernel.trimmed();
        assert_eq!((trimmed.height, trimmed.width), (7, 3));
        assert_eq!(trimmed.weights[..3], kernel.weights[2..5]);
        assert!((trimmed.weights.iter().sum::<f64>() - 1.0).abs() < 2.0 * NEGLIGIBLE);
        assert_eq!(Kernel::bell(1, 25, 0.2, 1.5).trimmed().width, 5); // -2 to 2: 3 has exp(-28)
        let ringing = sinc(21, 1.0);
        assert_eq!(ringing.trimmed(), ringing);
    }

    #[test]
    fn a_shifted_bell_has_its_mean_at_the_shift() {
        let kernel = Kernel::bell(1, 25, 1.2, 1.5);
        let mean: f64 = kernel.weights.iter().zip(-12..).map(|(weight, x)| weight * f64::from(x)).sum();
        assert!((mean - 1.5).abs() < 1e-9, "{mean}");
    }

    #[test]
    fn numpy_gives_the_same_kernels() {
        let golden = include_str!("../../tests/golden/degrade/kernels.txt");
        for line in golden.lines() {
            let (name, numbers) = line.split_once(' ').unwrap();
            let numbers: Vec<f64> = numbers.split(' ').map(|number| number.parse().unwrap()).collect();
            let [size, first, second, angle, beta] = numbers[..5] else { panic!("{line}") };
            let ellipse = Ellipse { sigma: [first, second], angle };
            let kernel = match name {
                "gaussian" => gaussian(size as usize, &ellipse),
                "generalised_gaussian" => generalised_gaussian(size as usize, &ellipse, beta),
                "plateau" => plateau(size as usize, &ellipse, beta),
                _ => sinc(size as usize, first),
            };
            assert_eq!(kernel.weights.len(), numbers.len() - 5);
            let error = kernel.weights.iter().zip(&numbers[5..]).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(error < 1e-6, "{name} {size}: {error}");
        }
        assert!(golden.lines().count() >= 10);
    }
}
