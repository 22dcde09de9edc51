use serde::{Deserialize, Serialize};

use super::planes::Planes;
use crate::resample::{Border, Method, Scale, contributions};

/// How the pixels of another size are made from those of a picture.
///
/// The first three are PyTorch's `interpolate` for a given size, with its aliasing: when reducing, bilinear and bicubic
/// skip pixels. Real-ESRGAN was trained with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Interpolation {
    /// The mean of all pixels that an output pixel touches.
    Area,
    /// The two nearest pixels on each axis.
    Bilinear,
    /// The four nearest pixels on each axis, cubic convolution with a = -0.75.
    Bicubic,
    /// MATLAB's bicubic: a = -0.5, without aliasing, mirrored borders; see [`crate::resample`].
    Imresize,
}

/// The input samples of one output sample and their weights, which add up to 1.
type Taps = Vec<(usize, f32)>;

/// The picture at `height` x `width`, each at least 1; rows are made first, then columns. Values are not clamped.
pub fn interpolate(picture: &Planes, height: usize, width: usize, kernel: Interpolation) -> Planes {
    if picture.size() == (height, width) {
        return picture.clone(); // every kernel gives back each pixel
    }
    let [rows, columns] = [(picture.height, height), (picture.width, width)].map(|(from, to)| taps(kernel, from, to));
    let mut values = Vec::with_capacity(3 * height * width);
    for plane in picture.channels() {
        for taps in &rows {
            let row = weighted_row(plane, picture.width, taps);
            values.extend(columns.iter().map(|taps| weighted(&row, taps)));
        }
    }
    Planes { height, width, values }
}

fn weighted_row(plane: &[f32], width: usize, taps: &[(usize, f32)]) -> Vec<f32> {
    let mut sum = vec![0.0; width];
    for &(y, weight) in taps {
        let row = &plane[y * width..(y + 1) * width];
        sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += weight * value);
    }
    sum
}

fn weighted(row: &[f32], taps: &[(usize, f32)]) -> f32 {
    taps.iter().map(|&(x, weight)| weight * row[x]).sum()
}

/// For each of `to` samples on a line, the samples of the `from` that it is made of.
fn taps(kernel: Interpolation, from: usize, to: usize) -> Vec<Taps> {
    let centre = |x: usize| (x as f64 + 0.5) * from as f64 / to as f64 - 0.5;
    let line = |kernel: fn(usize, f64) -> Taps| (0..to).map(|x| kernel(from, centre(x))).collect();
    match kernel {
        Interpolation::Area => (0..to).map(|x| area(x * from / to, ((x + 1) * from).div_ceil(to))).collect(),
        Interpolation::Bilinear => line(bilinear),
        Interpolation::Bicubic => line(bicubic),
        Interpolation::Imresize => imresize(from, to),
    }
}

fn area(first: usize, end: usize) -> Taps {
    (first..end).map(|x| (x, 1.0 / (end - first) as f32)).collect()
}

fn bilinear(from: usize, centre: f64) -> Taps {
    let centre = centre.max(0.0);
    let (first, beyond) = (centre as usize, centre.fract() as f32);
    vec![(first, 1.0 - beyond), ((first + 1).min(from - 1), beyond)]
}

fn bicubic(from: usize, centre: f64) -> Taps {
    let first = centre.floor() as i64 - 1;
    (first..first + 4).map(|i| (i.clamp(0, from as i64 - 1) as usize, cubic(centre - i as f64) as f32)).collect()
}

fn imresize(from: usize, to: usize) -> Vec<Taps> {
    let scale = Scale { up: to as u32, down: from as u32 };
    let taps = contributions(from, to, scale, &Method::bicubic(Border::Mirror)).into_iter();
    taps.map(|taps| taps.indices.into_iter().zip(taps.weights.into_iter().map(|weight| weight as f32)).collect())
        .collect()
}

/// Cubic convolution with a = -0.75, for |x| <= 2.
fn cubic(x: f64) -> f64 {
    let x = x.abs();
    if x <= 1.0 { (1.25 * x - 2.25) * x * x + 1.0 } else { ((-0.75 * x + 3.75) * x - 6.0) * x + 3.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Interpolation; 4] =
        [Interpolation::Area, Interpolation::Bilinear, Interpolation::Bicubic, Interpolation::Imresize];

    fn row(values: &[f32]) -> Planes {
        Planes { height: 1, width: values.len(), values: values.repeat(3) }
    }

    #[test]
    fn five_pixels_become_two() {
        // Area: outputs touch 0..3 and 2..5, so the middle pixel belongs to both: (0 + 1 + 2)/3 and (2 + 3 + 4)/3.
        // Bilinear: centres at 2.5 * 0.5 - 0.5 = 0.75 and 3.25, which a ramp has as its values.
        let ramp = row(&[0.0, 1.0, 2.0, 3.0, 4.0]);
        assert_eq!(interpolate(&ramp, 1, 2, Interpolation::Area).values[..2], [1.0, 3.0]);
        assert_eq!(interpolate(&ramp, 1, 2, Interpolation::Bilinear).values[..2], [0.75, 3.25]);
    }

    #[test]
    fn two_pixels_become_four_by_bicubic() {
        // Output 1 lies at 0.25. With a = -0.75 the kernel at 1.25, 0.25, 0.75, 1.75 is -0.10546875, 0.87890625,
        // 0.26171875, -0.03515625; on 0, 0, 1, 1 (edges repeated) that is 0.2265625.
        let step = interpolate(&row(&[0.0, 1.0]), 1, 4, Interpolation::Bicubic);
        assert_eq!(step.values[1], 0.2265625);
        assert_eq!(step.values[2], 1.0 - 0.2265625);
    }

    #[test]
    fn imresize_is_that_of_the_resample_module() {
        let pixels: Vec<u8> = (0..3 * 12 * 20).map(|i| (i * i % 251) as u8).collect();
        let picture = crate::image::Rgb8::new(12, 20, pixels).unwrap();
        let exact = crate::resample::bicubic(&picture, 5, 10, Border::Mirror); // rounds between its two passes
        let ours = interpolate(&Planes::from(&picture), 5, 10, Interpolation::Imresize).to_rgb8().unwrap();
        assert!(ours.pixels.iter().zip(&exact.pixels).all(|(a, b)| a.abs_diff(*b) <= 1));
    }

    #[test]
    fn a_grey_area_stays_grey_at_every_size() {
        let grey = Planes { height: 5, width: 7, values: vec![0.5; 105] };
        for (kernel, height, width) in
            ALL.into_iter().flat_map(|kernel| [(kernel, 1, 1), (kernel, 4, 3), (kernel, 11, 9)])
        {
            let values = interpolate(&grey, height, width, kernel).values;
            assert_eq!(values.len(), 3 * height * width);
            assert!(values.iter().all(|value| (value - 0.5).abs() < 1e-6), "{kernel:?} {height}x{width}");
        }
    }

    #[test]
    fn pytorch_gives_the_same_pixels() {
        let value =
            |y: usize, x: usize, c: usize| ((37 * y * y + 11 * x * x + 5 * x * y + 83 * c + 7) % 256) as f32 / 255.0;
        let pixel = |i: usize| value(i / 11 % 6, i % 11, i / 66);
        let picture = Planes { height: 6, width: 11, values: (0..3 * 66).map(pixel).collect() };
        let golden = include_str!("../../tests/golden/degrade/resize.txt");
        assert_eq!(golden.lines().count(), 12);
        for line in golden.lines() {
            let mut words = line.split(' ');
            let kernel = match words.next() {
                Some("area") => Interpolation::Area,
                Some("bilinear") => Interpolation::Bilinear,
                _ => Interpolation::Bicubic,
            };
            let numbers: Vec<f32> = words.map(|word| word.parse().unwrap()).collect();
            let (height, width) = (numbers[0] as usize, numbers[1] as usize);
            let out = interpolate(&picture, height, width, kernel).values;
            assert_eq!(out.len(), numbers.len() - 2);
            let error = out.iter().zip(&numbers[2..]).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(error < 1e-6, "{kernel:?} {height}x{width}: {error}");
        }
    }
}
