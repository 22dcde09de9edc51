//! Separable filters, and the gradient made of two of them.

use multiversion::multiversion;
use rayon::prelude::*;

use super::plane::{Edge, Plane};

/// Samples that are summed at a time, in registers.
const CHUNK: usize = 16;

/// The normalised Gaussian window of `size` samples (odd) with the standard deviation `sigma`.
pub(crate) fn gaussian(size: usize, sigma: f64) -> Vec<f64> {
    let centre = (size / 2) as f64;
    let taps = Vec::from_iter((0..size).map(|i| (-(i as f64 - centre).powi(2) / (2.0 * sigma * sigma)).exp()));
    let sum: f64 = taps.iter().sum();
    taps.into_iter().map(|tap| tap / sum).collect()
}

/// The correlation of a plane with the outer product of `vertical` and `horizontal`, wherever that lies wholly inside.
///
/// The plane is at least as high and wide as these are long.
pub(crate) fn separable(plane: &Plane, vertical: &[f64], horizontal: &[f64]) -> Plane {
    let (height, width) = (plane.height - vertical.len() + 1, plane.width - horizontal.len() + 1);
    let mut values = vec![0.0; height * width];
    values.par_chunks_mut(width).enumerate().for_each_init(
        || vec![0.0; plane.width],
        |line, (y, out)| {
            let rows = Vec::from_iter((0..vertical.len()).map(|dy| plane.row(y + dy)));
            weighted_sum(&rows, vertical, line);
            slide(line, horizontal, out);
        },
    );
    Plane { height, width, values }
}

/// The correlation of a line with `taps`, wherever they lie wholly inside: `out` is shorter by their number less 1.
pub(crate) fn slide(line: &[f64], taps: &[f64], out: &mut [f64]) {
    let shifted = Vec::from_iter((0..taps.len()).map(|dx| &line[dx..dx + out.len()]));
    weighted_sum(&shifted, taps, out);
}

/// The sum of the lines, each as long as `out` or longer, times their taps. Of symmetric taps each pair is one product.
pub(crate) fn weighted_sum(lines: &[&[f64]], taps: &[f64], out: &mut [f64]) {
    let half = taps.len() / 2;
    let is_symmetric = taps.len() % 2 == 1 && (0..half).all(|i| taps[i] == taps[taps.len() - 1 - i]);
    if is_symmetric { symmetric_sum(lines, taps, out) } else { any_sum(lines, taps, out) }
}

#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
fn symmetric_sum(lines: &[&[f64]], taps: &[f64], out: &mut [f64]) {
    let (half, whole) = (lines.len() / 2, out.len() / CHUNK * CHUNK);
    for start in (0..whole).step_by(CHUNK) {
        let chunk = |line: usize| lines[line][start..].first_chunk::<CHUNK>();
        let Some(mut sums) = chunk(half).copied() else { continue };
        sums.iter_mut().for_each(|sum| *sum *= taps[half]);
        for (i, tap) in taps[..half].iter().enumerate() {
            let (Some(a), Some(b)) = (chunk(i), chunk(lines.len() - 1 - i)) else { continue };
            sums.iter_mut().zip(a.iter().zip(b)).for_each(|(sum, (a, b))| *sum += tap * (a + b));
        }
        out[start..start + CHUNK].copy_from_slice(&sums);
    }
    for at in whole..out.len() {
        let pair = |i: usize| taps[i] * (lines[i][at] + lines[lines.len() - 1 - i][at]);
        out[at] = (0..half).map(pair).fold(taps[half] * lines[half][at], |sum, term| sum + term);
    }
}

#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
fn any_sum(lines: &[&[f64]], taps: &[f64], out: &mut [f64]) {
    let whole = out.len() / CHUNK * CHUNK;
    for start in (0..whole).step_by(CHUNK) {
        let mut sums = [0.0; CHUNK];
        for (line, tap) in lines.iter().zip(taps) {
            let Some(samples) = line[start..].first_chunk::<CHUNK>() else { continue };
            sums.iter_mut().zip(samples).for_each(|(sum, sample)| *sum += tap * sample);
        }
        out[start..start + CHUNK].copy_from_slice(&sums);
    }
    for at in whole..out.len() {
        out[at] = lines.iter().zip(taps).map(|(line, tap)| tap * line[at]).fold(0.0, |sum, term| sum + term);
    }
}

/// A 3x3 operator's smoothing across the gradient; along it stands (-1, 0, 1).
pub(crate) const PREWITT: [f64; 3] = [1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0];
/// Scharr's.
pub(crate) const SCHARR: [f64; 3] = [3.0 / 16.0, 10.0 / 16.0, 3.0 / 16.0];

/// The length of the gradient at each sample, zeros beyond the edges.
pub(crate) fn gradient(plane: &Plane, smoothing: &[f64; 3]) -> Plane {
    let padded = plane.padded(1, 1, Edge::Zero);
    let difference = [-1.0, 0.0, 1.0];
    let (down, right) = (separable(&padded, &difference, smoothing), separable(&padded, smoothing, &difference));
    down.zip(&right, |down, right| (down * down + right * right).sqrt())
}

#[cfg(test)]
mod tests {
    use super::super::plane::tests::plane;
    use super::*;

    #[test]
    fn a_window_sums_to_one_and_is_symmetric() {
        // exp(-1/2) = 0.60653 beside 1: 1 / (1 + 2 * 0.60653) = 0.45186 in the middle.
        let taps = gaussian(3, 1.0);
        assert!((taps.iter().sum::<f64>() - 1.0).abs() < 1e-15 && taps[0] == taps[2]);
        assert!((taps[1] - 0.451_862_76).abs() < 1e-8);
    }

    #[test]
    fn passes_equal_the_plain_sum_over_the_window() {
        let a = plane(5, 40, |y, x| ((y * 37 + x * 91) % 251) as f64);
        let (vertical, horizontal) = ([0.25, -1.0, 2.0], [1.0, 3.0]);
        let filtered = separable(&a, &vertical, &horizontal);
        assert_eq!((filtered.height, filtered.width), (3, 39));
        for (y, x) in [(0, 0), (2, 38), (1, 17), (2, 32)] {
            let term = |i: usize, j: usize| vertical[i] * horizontal[j] * a.row(y + i)[x + j];
            let sum: f64 = (0..3).flat_map(|i| (0..2).map(move |j| (i, j))).map(|(i, j)| term(i, j)).sum();
            assert!((filtered.row(y)[x] - sum).abs() < 1e-10);
        }
    }

    #[test]
    fn the_gradient_of_a_ramp() {
        // 3 more per column, 4 more per row: inside, the difference over two samples is 6 and 8, the length 10.
        let ramp = plane(5, 5, |y, x| (4 * y + 3 * x) as f64);
        for operator in [PREWITT, SCHARR] {
            assert!((gradient(&ramp, &operator).row(2)[2] - 10.0).abs() < 1e-12);
        }
        // At the upper left corner zeros lie beyond: Prewitt has (3 + 7) / 3 along the row and (4 + 7) / 3 down.
        let corner = (100.0f64 + 121.0).sqrt() / 3.0;
        assert!((gradient(&ramp, &PREWITT).row(0)[0] - corner).abs() < 1e-12);
    }
}
