use super::kernel::Kernel;
use super::planes::Planes;

/// Columns that are added up together, in registers.
const BLOCK: usize = 16;

/// Each plane weighed with the kernel, which is not turned: the kernels of [`super::kernel`] are their own point
/// reflections.
///
/// Beyond its edges the picture is reflected without repeating the edge pixel (`c b | a b c`), as often as needed.
pub fn convolve(picture: &Planes, kernel: &Kernel) -> Planes {
    let weights: Vec<f32> = kernel.weights.iter().map(|&weight| weight as f32).collect();
    let mut values = Vec::with_capacity(picture.values.len());
    for plane in picture.channels() {
        let (padded, stride) = pad(plane, picture.height, picture.width, kernel);
        for y in 0..picture.height {
            for left in (0..picture.width).step_by(BLOCK) {
                let sums = block(&padded[y * stride + left..], stride, &weights, kernel.width);
                values.extend_from_slice(&sums[..BLOCK.min(picture.width - left)]);
            }
        }
    }
    Planes { values, ..*picture }
}

/// The plane with its reflections, as far as the kernel reaches and to the right of that up to whole blocks, and the
/// length of its rows.
fn pad(plane: &[f32], height: usize, width: usize, kernel: &Kernel) -> (Vec<f32>, usize) {
    let stride = width.next_multiple_of(BLOCK) + kernel.width - 1;
    let columns: Vec<usize> = (0..stride).map(|x| reflect(x, kernel.width / 2, width)).collect();
    let rows = (0..height + kernel.height - 1).map(|y| reflect(y, kernel.height / 2, height));
    let padded = rows.flat_map(|y| columns.iter().map(move |&x| plane[y * width + x])).collect();
    (padded, stride)
}

/// The position among `0..n` that stands for position `i - before`: `.. 2 1 | 0 1 2 .. n - 1 | n - 2 ..`.
fn reflect(i: usize, before: usize, n: usize) -> usize {
    let period = (2 * (n - 1)).max(1);
    let turn = (i as i64 - before as i64).rem_euclid(period as i64) as usize;
    turn.min(period - turn).min(n - 1)
}

/// [`BLOCK`] outputs beside each other; `window` begins at the first weight of the first one.
fn block(window: &[f32], stride: usize, weights: &[f32], kernel_width: usize) -> [f32; BLOCK] {
    let mut sums = [0.0; BLOCK];
    for (row, weights) in window.chunks(stride).zip(weights.chunks_exact(kernel_width)) {
        for (values, weight) in row.windows(BLOCK).zip(weights) {
            sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += weight * value);
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn the_same_as_the_sum_written_out_at_every_size() {
        for (height, width, rows, columns) in [(1, 1, 7, 7), (5, 40, 3, 9), (33, 17, 21, 5), (2, 16, 1, 1)] {
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
