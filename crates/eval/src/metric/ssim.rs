//! Structural similarity after Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment: from error visibility to
//! structural similarity", IEEE Transactions on Image Processing 13(4), 2004.

use rayon::prelude::*;

use super::{PEAK, Plane};

/// Side of the square Gaussian window, in pixels.
pub(crate) const WINDOW: usize = 11;
/// Standard deviation of the window, in pixels.
pub(crate) const SIGMA: f64 = 1.5;
/// The constants that steady the two quotients, relative to the peak.
pub(crate) const K: (f64, f64) = (0.01, 0.03);

/// Weighted means under a window: of a, b, a², b² and ab.
type Moments = [f64; 5];

/// Mean SSIM of two planes over every position where the window lies wholly inside them ("valid"), with weighted
/// population variances and no downsampling beforehand. In [-1, 1]; 1 for equal planes.
///
/// `a` and `b` have the same size, at least [`WINDOW`] in both directions.
pub(crate) fn ssim(a: &Plane, b: &Plane) -> f64 {
    let window = gaussian();
    let (rows, columns) = (a.height - WINDOW + 1, a.width - WINDOW + 1);
    // The rows are summed in order afterwards, so that the number of threads cannot change the result.
    let sums: Vec<f64> = (0..rows).into_par_iter().map(|y| row_sum(a, b, y, &window)).collect();
    sums.iter().sum::<f64>() / (rows * columns) as f64
}

/// The one-dimensional window; its outer product with itself is the window of the paper.
fn gaussian() -> [f64; WINDOW] {
    let centre = (WINDOW / 2) as f64;
    let taps: [f64; WINDOW] = std::array::from_fn(|i| (-(i as f64 - centre).powi(2) / (2.0 * SIGMA * SIGMA)).exp());
    let sum: f64 = taps.iter().sum();
    taps.map(|tap| tap / sum)
}

/// Sum of the index over the windows whose top row is `y`: the columns are filtered first, then along the row.
fn row_sum(a: &Plane, b: &Plane, y: usize, window: &[f64; WINDOW]) -> f64 {
    let mut columns: Vec<Moments> = vec![[0.0; 5]; a.width];
    for (dy, weight) in window.iter().enumerate() {
        for ((moments, &a), &b) in columns.iter_mut().zip(a.row(y + dy)).zip(b.row(y + dy)) {
            add(moments, *weight, &[a, b, a * a, b * b, a * b]);
        }
    }
    columns.windows(WINDOW).map(|columns| index(&weighted(columns, window))).sum()
}

fn weighted(columns: &[Moments], window: &[f64; WINDOW]) -> Moments {
    let mut sum = [0.0; 5];
    for (moments, weight) in columns.iter().zip(window) {
        add(&mut sum, *weight, moments);
    }
    sum
}

fn add(sum: &mut Moments, weight: f64, moments: &Moments) {
    for (sum, moment) in sum.iter_mut().zip(moments) {
        *sum += weight * moment;
    }
}

/// Equation 13 of the paper.
fn index(&[a, b, aa, bb, ab]: &Moments) -> f64 {
    let (c1, c2) = ((K.0 * PEAK).powi(2), (K.1 * PEAK).powi(2));
    let (var_a, var_b, covariance) = (aa - a * a, bb - b * b, ab - a * b);
    (2.0 * a * b + c1) * (2.0 * covariance + c2) / ((a * a + b * b + c1) * (var_a + var_b + c2))
}

#[cfg(test)]
mod tests {
    use super::super::tests::plane;
    use super::*;

    #[test]
    fn equal_planes_give_exactly_one() {
        let a = plane(13, 17, |y, x| ((y * 31 + x * 17) % 256) as f64);
        assert_eq!(ssim(&a, &a), 1.0);
    }

    #[test]
    fn constant_planes_leave_the_luminance_term() {
        // Without variance the second quotient is c2/c2 = 1; with means 100 and 110, c1 = 2.55² = 6.5025:
        // (2·100·110 + 6.5025) / (100² + 110² + 6.5025) = 22006.5025 / 22106.5025 = 0.99547644
        let (a, b) = (plane(11, 12, |_, _| 100.0), plane(11, 12, |_, _| 110.0));
        assert!((ssim(&a, &b) - 22_006.502_5 / 22_106.502_5).abs() < 1e-9);
    }

    #[test]
    fn reversed_contrast_is_negative() {
        // b = 255 - a has the covariance -var(a). On a checkerboard of 0 and 255 the mean is close to 127.5 and the
        // variance to 127.5² = 16256.25; c2 = 7.65² = 58.5225:
        // (-2·16256.25 + 58.5225) / (2·16256.25 + 58.5225) = -0.996406. The Gaussian's alternating sum is below 1e-4.
        let a = plane(20, 20, |y, x| if (x + y) % 2 == 0 { 0.0 } else { 255.0 });
        let b = plane(20, 20, |y, x| 255.0 - a.row(y)[x]);
        assert!((ssim(&a, &b) + 0.996_406).abs() < 1e-4);
    }

    #[test]
    fn separable_passes_equal_the_plain_window() {
        let a = plane(12, 13, |y, x| ((y * 37 + x * 91) % 251) as f64);
        let b = plane(12, 13, |y, x| ((y * 53 + x * 29) % 241) as f64);
        let g = gaussian();
        let mut sum = 0.0;
        for (y, x) in (0..2).flat_map(|y| (0..3).map(move |x| (y, x))) {
            let mut moments = [0.0; 5];
            for (i, j) in (0..WINDOW).flat_map(|i| (0..WINDOW).map(move |j| (i, j))) {
                let (p, q) = (a.row(y + i)[x + j], b.row(y + i)[x + j]);
                add(&mut moments, g[i] * g[j], &[p, q, p * p, q * q, p * q]);
            }
            sum += index(&moments);
        }
        assert!((ssim(&a, &b) - sum / 6.0).abs() < 1e-12);
    }
}
