//! A picture made small and grey, to compare it with others.

use crate::color::FULL_RANGE;
use crate::image::Rgb8;
use crate::resample::{Border, Kernel, Method, Resampler};

/// Side of the largest level.
pub(super) const SIDE: usize = 128;

/// The luma of a picture, brought to a square whatever its shape.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Thumb {
    /// (height, width) of the picture.
    pub size: (usize, usize),
    /// `SIDE` rows of `SIDE` values in 0..=255.
    values: Vec<u8>,
}

/// A square of values, row after row.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Level {
    pub side: usize,
    pub values: Vec<f32>,
}

impl Thumb {
    /// The thumb of a picture; none of a picture that is too long to be resampled.
    pub fn new(picture: &Rgb8) -> Option<Self> {
        let method = Method { kernel: Kernel::Bilinear, antialias: true, border: Border::Replicate };
        let resampler = Resampler::to_size(picture.size(), (SIDE, SIDE), &method).ok()?;
        let luma = |pixel: &[u8; 3]| {
            let sum: f64 = FULL_RANGE.iter().zip(pixel).map(|(weight, &value)| weight * f64::from(value)).sum();
            sum.round() as u8
        };
        let luma: Vec<u8> = picture.pixels.as_chunks::<3>().0.iter().map(luma).collect();
        Some(Self { size: picture.size(), values: resampler.planes(&luma).ok()? })
    }

    /// Whether there is nothing to recognise: the values differ by less than 8 bits of noise do.
    pub fn is_flat(&self) -> bool {
        let (least, most) = (self.values.iter().min(), self.values.iter().max());
        most.zip(least).is_none_or(|(most, least)| most - least < 8)
    }

    /// The largest level, and those of a half and a quarter of its side.
    pub fn levels(&self) -> [Level; 3] {
        let first = Level { side: SIDE, values: self.values.iter().map(|&value| f32::from(value)).collect() };
        let second = first.halved();
        let third = second.halved();
        [first, second, third]
    }
}

impl Level {
    /// The means of 2 x 2 values.
    fn halved(&self) -> Self {
        let side = self.side / 2;
        let mean = |y: usize, x: usize| {
            let at = |row: usize, column: usize| self.values[row * self.side + column];
            (at(2 * y, 2 * x) + at(2 * y, 2 * x + 1) + at(2 * y + 1, 2 * x) + at(2 * y + 1, 2 * x + 1)) / 4.0
        };
        let values = (0..side * side).map(|i| mean(i / side, i % side)).collect();
        Self { side, values }
    }

    /// The value between samples, by linear interpolation; `y` and `x` in samples, that of index 0 at 0. Beyond the edge the
    /// edge's.
    pub fn at(&self, y: f32, x: f32) -> f32 {
        let last = (self.side - 1) as f32;
        let (y, x) = (y.clamp(0.0, last), x.clamp(0.0, last));
        let (row, column) = ((y as usize).min(self.side - 2), (x as usize).min(self.side - 2));
        let (dy, dx) = (y - row as f32, x - column as f32);
        let line = |row: usize| {
            let pair = &self.values[row * self.side + column..][..2];
            pair[0] + dx * (pair[1] - pair[0])
        };
        line(row) + dy * (line(row + 1) - line(row))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_halved_by_means_and_read_between_samples() {
        // 2 x 2 squares of 0, 1, 4, 5 and of 2, 3, 6, 7: means 2.5 and 4.5; 8 more in the lower half.
        let level = Level { side: 4, values: (0..16u8).map(f32::from).collect() };
        assert_eq!(level.halved(), Level { side: 2, values: vec![2.5, 4.5, 10.5, 12.5] });
        // Rows differ by 4, columns by 1: at (1.5, 2.25) 6 + 2.25. Beyond the edge the edge's.
        assert_eq!([level.at(1.5, 2.25), level.at(-3.0, 1.0), level.at(3.0, 9.0)], [8.25, 1.0, 15.0]);
    }

    #[test]
    fn a_picture_without_contrast_is_flat() {
        let picture = |at: fn(usize) -> u8| Rgb8::new(64, 64, (0..3 * 64 * 64).map(at).collect()).unwrap();
        assert!(Thumb::new(&picture(|i| 100 + (i % 2) as u8)).unwrap().is_flat());
        // The left half 0, the right half 200.
        let halves = Thumb::new(&picture(|i| if i / 3 % 64 < 32 { 0 } else { 200 })).unwrap();
        assert!(!halves.is_flat());
        assert_eq!((halves.values[0], halves.values[SIDE - 1]), (0, 200));
    }
}
