use multiversion::multiversion;

use super::kernel::Kernel;
use super::planes::Planes;

/// Columns that are added up together, in registers.
const BLOCK: usize = 64;

/// Each plane weighed with the kernel, which is not turned: the kernels of [`super::kernel`] are their own point
/// reflections.
///
/// Beyond its edges the picture is reflected without repeating the edge pixel (`c b | a b c`), as often as needed. Outer
/// weights that are a millionth of all together are left out.
pub fn convolve(picture: &Planes, kernel: &Kernel) -> Planes {
    let kernel = kernel.trimmed();
    let weights: Vec<f32> = kernel.weights.iter().map(|&weight| weight as f32).collect();
    let mut values = vec![0.0; picture.values.len()];
    for (plane, out) in picture.channels().zip(values.chunks_exact_mut(picture.height * picture.width)) {
        let (padded, stride) = pad(plane, picture.height, picture.width, &kernel);
        weigh(&padded, stride, &weights, kernel.width, out, picture.width);
    }
    Planes { values, ..*picture }
}

/// A Gaussian blur in two passes, by a kernel of `size` x `size`, its centre shifted by `shift` rows and columns.
pub fn gaussian_blur(picture: &Planes, size: usize, sigma: f64, shift: f64) -> Planes {
    let rows = convolve(picture, &Kernel::bell(size, 1, sigma, shift));
    convolve(&rows, &Kernel::bell(1, size, sigma, shift))
}

/// The plane with its reflections, as far as the kernel reaches and to the right of that up to whole blocks, and the
/// length of its rows.
fn pad(plane: &[f32], height: usize, width: usize, kernel: &Kernel) -> (Vec<f32>, usize) {
    let (before, stride) = (kernel.width / 2, width.next_multiple_of(BLOCK) + kernel.width - 1);
    let columns: Vec<usize> = (0..stride).map(|x| reflect(x, before, width)).collect();
    let mut padded = Vec::with_capacity((height + kernel.height - 1) * stride);
    for y in 0..height + kernel.height - 1 {
        let row = &plane[reflect(y, kernel.height / 2, height) * width..][..width];
        padded.extend(columns[..before].iter().map(|&x| row[x]));
        padded.extend_from_slice(row);
        padded.extend(columns[before + width..].iter().map(|&x| row[x]));
    }
    (padded, stride)
}

/// The position among `0..n` that stands for position `i - before`: `.. 2 1 | 0 1 2 .. n - 1 | n - 2 ..`.
fn reflect(i: usize, before: usize, n: usize) -> usize {
    let period = (2 * (n - 1)).max(1);
    let turn = (i as i64 - before as i64).rem_euclid(period as i64) as usize;
    turn.min(period - turn).min(n - 1)
}

/// Rows of `width` outputs; `padded` begins at the first weight of the first one. Every processor adds in the same order.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
fn weigh(padded: &[f32], stride: usize, weights: &[f32], kernel_width: usize, out: &mut [f32], width: usize) {
    for (y, row) in out.chunks_exact_mut(width).enumerate() {
        for (i, values) in row.chunks_mut(BLOCK).enumerate() {
            let mut sums = [0.0; BLOCK];
            let window = padded[y * stride + i * BLOCK..].chunks(stride);
            for (line, weights) in window.zip(weights.chunks_exact(kernel_width)) {
                for (beside, weight) in line.array_windows::<BLOCK>().zip(weights) {
                    sums.iter_mut().zip(beside).for_each(|(sum, value)| *sum += weight * value);
                }
            }
            values.copy_from_slice(&sums[..values.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::degrade::kernel::{Ellipse, gaussian};

    fn planes(height: usize, width: usize, value: impl Fn(usize) -> f32) -> Planes {
        Planes { height, width, values: (0..3 * height * width).map(value).collect() }
    }

    #[test]
    fn borders_are_reflected_without_the_edge_pixel() {
        let line = |n| (0..9).map(|i| reflect(i, 4, n)).collect::<Vec<_>>();
        assert_eq!(line(3), [0, 1, 2, 1, 0, 1, 2, 1, 0]);
        assert_eq!(line(2), [0, 1, 0, 1, 0, 1, 0, 1, 0]);
        assert_eq!(line(1), [0; 9]);
    }

    #[test]
    fn a_row_is_weighed_with_what_lies_beside() {
        // Weights 1/4, 1/2, 1/4 on 0, 4, 8: the edges see 4 on both sides: 0/2 + 8/4 = 2, 4, 8/2 + 8/4 = 6.
        let kernel = Kernel { height: 1, width: 3, weights: vec![0.25, 0.5, 0.25] };
        let row = planes(1, 3, |i| 4.0 * (i % 3) as f32);
        assert_eq!(convolve(&row, &kernel).values, [2.0, 4.0, 6.0].repeat(3));
    }

    #[test]
    fn two_passes_are_one_blur() {
        let picture = planes(20, 30, |i| (i * i % 31) as f32 / 31.0);
        let ellipse = Ellipse { sigma: [1.7; 2], angle: 0.0 };
        let (once, twice) = (convolve(&picture, &gaussian(11, &ellipse)), gaussian_blur(&picture, 11, 1.7, 0.0));
        assert!(once.values.iter().zip(&twice.values).all(|(a, b)| (a - b).abs() < 1e-5));
    }

    #[test]
    fn the_same_as_the_sum_written_out_at_every_size() {
        for (height, width, rows, columns) in
            [(1, 1, 7, 7), (5, 40, 3, 9), (33, 17, 21, 5), (2, 64, 1, 1), (3, 130, 5, 7)]
        {
            let kernel = Kernel::new(rows, columns, |x, y| (3.0 * x + y).cos() + 2.0);
            let picture = planes(height, width, |i| (i * i % 31) as f32 / 31.0);
            let blurred = convolve(&picture, &kernel);
            for (i, value) in blurred.values.iter().enumerate() {
                let (channel, y, x) = (i / (height * width), i / width % height, i % width);
                let sum: f64 = (0..rows * columns)
                    .map(|k| {
                        let row = reflect(y + k / columns, rows / 2, height);
                        let column = reflect(x + k % columns, columns / 2, width);
                        let at = (channel * height + row) * width + column;
                        kernel.weights[k] * f64::from(picture.values[at])
                    })
                    .sum();
                assert!((f64::from(*value) - sum).abs() < 1e-5, "{height}x{width} at {i}: {value} against {sum}");
            }
        }
    }
}
