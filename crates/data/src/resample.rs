//! Bicubic resampling as MATLAB's `imresize` does it, which made the LR pictures of the benchmarks, and enlargement of
//! pixels.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::image::Rgb8;

/// What lies beyond the edge of a picture.
///
/// The two differ in few output pixels: at most the outer two when reducing, the outer `scale / 2` when enlarging.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Border {
    /// The edge pixel again and again (`a a a | a b c`): the LR files of Set5, Set14, BSD100 and Urban100.
    Replicate,
    /// The picture mirrored, the edge pixel twice (`c b a | a b c`): newer MATLAB versions and BasicSR.
    Mirror,
}

/// The input samples of one output sample, and their weights, which add up to 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Taps {
    /// Positions in the input, from 0; a position may occur several times.
    pub indices: Vec<usize>,
    /// One weight for each position.
    pub weights: Vec<f64>,
}

/// The cubic convolution kernel with a = -0.5 (Keys, "Cubic convolution interpolation for digital image processing",
/// 1981).
pub fn cubic(x: f64) -> f64 {
    let x = x.abs();
    if x <= 1.0 {
        1.5 * x * x * x - 2.5 * x * x + 1.0
    } else if x < 2.0 {
        -0.5 * x * x * x + 2.5 * x * x - 4.0 * x + 2.0
    } else {
        0.0
    }
}

/// For each of `n_out` samples on a line, the samples of the `n_in` that it is made of; `scale` is output size over
/// input size.
///
/// Output sample `x` lies at `(x + 0.5) / scale - 0.5` of the input. Below scale 1 the kernel is stretched by
/// `1 / scale`, so that it also removes what the output cannot hold (MATLAB's antialiasing). `n_in` is at least 1.
pub fn contributions(n_in: usize, n_out: usize, scale: f64, border: Border) -> Vec<Taps> {
    let stretch = (1.0 / scale).max(1.0);
    let reach = 2.0 * stretch;
    let taps_of = |x: usize| {
        let centre = (x as f64 + 0.5) / scale - 0.5;
        let around = (centre - reach).floor() as i64..=(centre + reach).ceil() as i64;
        let weighed = around.map(|i| (i, cubic((centre - i as f64) / stretch))).filter(|&(_, weight)| weight != 0.0);
        let (indices, weights): (Vec<_>, Vec<_>) = weighed.map(|(i, weight)| (within(i, n_in, border), weight)).unzip();
        let sum: f64 = weights.iter().sum();
        Taps { indices, weights: weights.into_iter().map(|weight| weight / sum).collect() }
    };
    (0..n_out).map(taps_of).collect()
}

/// The position among `0..n` that stands for position `i` of the endless line.
fn within(i: i64, n: usize, border: Border) -> usize {
    let n = n as i64;
    let inside = match border {
        Border::Replicate => i.clamp(0, n - 1),
        Border::Mirror => {
            let turn = i.rem_euclid(2 * n); // the line repeats after the picture and its mirror image
            turn.min(2 * n - 1 - turn)
        }
    };
    inside as usize
}

/// The picture resampled to `height` x `width`, smaller or larger, each at least 1.
///
/// Rows are resampled first, then columns; after each of the two passes values are rounded to the nearest 8-bit number
/// (halves up) and clamped. This reproduces the benchmarks' LR files bit for bit.
///
/// # Panics
/// If `height` or `width` is 0.
pub fn bicubic(picture: &Rgb8, height: usize, width: usize, border: Border) -> Rgb8 {
    assert!(height > 0 && width > 0, "bicubic: a picture has at least 1x1 pixel, asked for {height}x{width}");
    let rows = contributions(picture.height, height, height as f64 / picture.height as f64, border);
    let columns = contributions(picture.width, width, width as f64 / picture.width as f64, border);
    let mut pixels = vec![0; 3 * height * width];
    pixels.par_chunks_exact_mut(3 * width).zip(rows).for_each(|(row, taps)| {
        let between = weighted_row(picture, &taps);
        for (pixel, taps) in row.chunks_exact_mut(3).zip(&columns) {
            pixel.copy_from_slice(&weighted_pixel(&between, taps));
        }
    });
    Rgb8 { height, width, pixels }
}

/// One row of the first pass: the weighted sum of the picture's rows, 3 * width values.
fn weighted_row(picture: &Rgb8, taps: &Taps) -> Vec<u8> {
    let length = 3 * picture.width;
    let mut sum = vec![0.0; length];
    for (&y, weight) in taps.indices.iter().zip(&taps.weights) {
        let row = &picture.pixels[y * length..(y + 1) * length];
        sum.iter_mut().zip(row).for_each(|(sum, &value)| *sum += weight * f64::from(value));
    }
    sum.into_iter().map(to_u8).collect()
}

/// One pixel of the second pass: the weighted sum of the row's pixels.
fn weighted_pixel(row: &[u8], taps: &Taps) -> [u8; 3] {
    let mut sum = [0.0; 3];
    for (&x, weight) in taps.indices.iter().zip(&taps.weights) {
        let pixel = &row[3 * x..3 * x + 3];
        sum.iter_mut().zip(pixel).for_each(|(sum, &value)| *sum += weight * f64::from(value));
    }
    sum.map(to_u8)
}

fn to_u8(value: f64) -> u8 {
    (value + 0.5).floor().clamp(0.0, 255.0) as u8
}

/// The picture with each pixel repeated `factor` x `factor` times, for figures; `factor` is at least 1.
pub fn nearest(picture: &Rgb8, factor: usize) -> Rgb8 {
    let (height, width) = (picture.height * factor, picture.width * factor);
    let source = |y: usize, x: usize| 3 * (y / factor * picture.width + x / factor);
    let pixel = |(y, x)| &picture.pixels[source(y, x)..source(y, x) + 3];
    let pixels = (0..height).flat_map(|y| (0..width).map(move |x| (y, x))).flat_map(pixel).copied().collect();
    Rgb8 { height, width, pixels }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::{Conversion, read};
    use std::path::PathBuf;

    /// A grey picture of one column.
    fn column(values: &[u8]) -> Rgb8 {
        Rgb8::new(values.len(), 1, values.iter().flat_map(|&value| [value; 3]).collect()).unwrap()
    }

    #[test]
    fn cubic_is_1_at_0_and_0_at_the_other_whole_numbers() {
        // At 1/2: 1.5/8 - 2.5/4 + 1 = 0.5625. At 3/2: -0.5 * 27/8 + 2.5 * 9/4 - 6 + 2 = -0.0625.
        let at = [0.0, 1.0, -2.0, 2.5, 0.5, -0.5, 1.5].map(cubic);
        assert_eq!(at, [1.0, 0.0, 0.0, 0.0, 0.5625, 0.5625, -0.0625]);
    }

    #[test]
    fn halving_weighs_eight_samples() {
        // The centre lies between two samples, so the distances are 1/2, 3/2, 5/2, 7/2; stretched by 2 they are 1/4 ..
        // 7/4, where the kernel is 222/256, 58/256, -18/256, -6/256. The eight add up to 2, so each is halved.
        let taps = &contributions(16, 8, 0.5, Border::Replicate)[3];
        assert_eq!(taps.indices, [3, 4, 5, 6, 7, 8, 9, 10]);
        assert_eq!(taps.weights, [-3.0, -9.0, 29.0, 111.0, 111.0, 29.0, -9.0, -3.0].map(|weight| weight / 256.0));
    }

    #[test]
    fn borders_continue_a_line_of_three() {
        let line = |border| (-4..8).map(|i| within(i, 3, border)).collect::<Vec<_>>();
        assert_eq!(line(Border::Replicate), [0, 0, 0, 0, 0, 1, 2, 2, 2, 2, 2, 2]);
        assert_eq!(line(Border::Mirror), [2, 2, 1, 0, 0, 1, 2, 2, 1, 0, 0, 1]);
    }

    #[test]
    fn halving_an_edge_rounds_and_clamps() {
        // Four black, four white. Output 0 has the weight -3/256 on white: below 0, clamped. Output 1 has 29 - 9 - 3 =
        // 17: 255 * 17/256 = 16.93. Outputs 2 and 3 mirror them: 238.07, and above 255, clamped.
        let edge = column(&[0, 0, 0, 0, 255, 255, 255, 255]);
        assert_eq!(bicubic(&edge, 4, 1, Border::Replicate), column(&[0, 17, 238, 255]));
    }

    #[test]
    fn a_tie_is_rounded_up_after_the_first_pass() {
        // Replicated, one white pixel above two black rows: output 0 of 2 -> 1 weighs the upper pixel with 1/2: 127.5.
        assert_eq!(bicubic(&column(&[255, 0]), 1, 1, Border::Replicate), column(&[128]));
    }

    #[test]
    fn the_same_size_is_the_same_picture() {
        let picture = Rgb8::new(3, 2, (0..18).map(|i| i * 14).collect()).unwrap();
        assert_eq!(bicubic(&picture, 3, 2, Border::Mirror), picture);
    }

    #[test]
    fn nearest_repeats_pixels() {
        let picture = Rgb8::new(1, 2, vec![1, 2, 3, 4, 5, 6]).unwrap();
        let row = [1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6];
        assert_eq!(nearest(&picture, 2), Rgb8::new(2, 4, [row, row].concat()).unwrap());
    }

    /// The picture that `tests/golden/bicubic.py` computes with.
    fn golden_picture() -> Rgb8 {
        let value = |y: usize, x: usize, c: usize| ((37 * y * y + 11 * x * x + 5 * x * y + 83 * c + 7) % 256) as u8;
        let pixels = (0..12).flat_map(|y| (0..24).flat_map(move |x| (0..3).map(move |c| value(y, x, c))));
        Rgb8::new(12, 24, pixels.collect()).unwrap()
    }

    #[test]
    fn exact_fractions_give_the_same_pixels() {
        for line in include_str!("../tests/golden/bicubic.txt").lines() {
            let mut words = line.split(' ');
            let border = if words.next() == Some("mirror") { Border::Mirror } else { Border::Replicate };
            let mut numbers = words.map(|word| word.parse::<usize>().unwrap());
            let (height, width) = (numbers.next().unwrap(), numbers.next().unwrap());
            let expected = Rgb8::new(height, width, numbers.map(|value| value as u8).collect()).unwrap();
            assert_eq!(bicubic(&golden_picture(), height, width, border), expected, "{border:?} {height}x{width}");
        }
    }

    #[test]
    fn set5_is_reproduced_bit_for_bit() {
        let set5 = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/Set5");
        if !set5.is_dir() {
            println!("skipped: {} is absent", set5.display());
            return;
        }
        let mut pictures = 0;
        for scale in [2, 3, 4] {
            for name in ["baby.png", "bird.png", "butterfly.png", "head.png", "woman.png"] {
                let hr = read(&set5.join(format!("HR_x{scale}")).join(name), Conversion::Refuse).unwrap();
                let lr = read(&set5.join(format!("LR_x{scale}")).join(name), Conversion::Refuse).unwrap();
                assert_eq!(hr.size(), (scale * lr.height, scale * lr.width));
                assert!(bicubic(&hr, lr.height, lr.width, Border::Replicate) == lr, "{name} x{scale}");
                pictures += 1;
            }
        }
        assert_eq!(pictures, 15);
    }
}
