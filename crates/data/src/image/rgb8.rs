//! Pictures of 8-bit RGB pixels: what networks, metrics and figures work on.

use super::samples::{check_finite, interleaved, planes, quantised};
use crate::Error;

/// A picture of 8-bit RGB pixels: `height` rows of `width` pixels, each red, green, blue in 0..=255.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rgb8 {
    /// Rows, at least 1.
    pub height: usize,
    /// Columns, at least 1.
    pub width: usize,
    /// Row after row, `3 * height * width` values: channel `c` at `(y, x)` is at `3 * (y * width + x) + c`.
    pub pixels: Vec<u8>,
}

impl Rgb8 {
    /// A picture of the given pixels; [`Error::Length`] unless there are `3 * height * width`, and at least one pixel.
    pub fn new(height: usize, width: usize, pixels: Vec<u8>) -> Result<Self, Error> {
        check_length(height, width, pixels.len())?;
        Ok(Self { height, width, pixels })
    }

    /// `(height, width)`.
    pub fn size(&self) -> (usize, usize) {
        (self.height, self.width)
    }

    /// The rectangle of `height` x `width` pixels whose first pixel is `(top, left)`; [`Error::Crop`] unless it is
    /// inside the picture.
    pub fn crop(&self, top: usize, left: usize, height: usize, width: usize) -> Result<Self, Error> {
        let inside = |start: usize, length: usize, limit| {
            length > 0 && start.checked_add(length).is_some_and(|end| end <= limit)
        };
        if !inside(top, height, self.height) || !inside(left, width, self.width) {
            return Err(Error::Crop { top, left, size: (height, width), picture: self.size() });
        }
        let rows = self.pixels.chunks_exact(3 * self.width).skip(top).take(height);
        let pixels = rows.flat_map(|row| &row[3 * left..3 * (left + width)]).copied().collect();
        Self::new(height, width, pixels)
    }

    /// The picture as `[3, height, width]` floats in [0, 1]: each value divided by 255.
    pub fn to_planes_f32(&self) -> Vec<f32> {
        planes(&self.pixels, 3, |value| f32::from(value) / 255.0)
    }

    /// A picture from `[3, height, width]` floats: clamped to [0, 1], multiplied by 255, rounded half away from zero.
    ///
    /// [`Error::Length`] for another number of values, [`Error::NotFinite`] for a NaN or an infinity.
    pub fn from_planes_f32(height: usize, width: usize, planes: &[f32]) -> Result<Self, Error> {
        check_length(height, width, planes.len())?;
        check_finite(height, width, planes)?;
        let pixels = interleaved(height * width, planes, |value| quantised(value, 255.0) as u8);
        Self::new(height, width, pixels)
    }
}

fn check_length(height: usize, width: usize, found: usize) -> Result<(), Error> {
    let expected = height.checked_mul(width).and_then(|area| area.checked_mul(3));
    if expected == Some(found) && found > 0 { Ok(()) } else { Err(Error::Length { height, width, found }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2 rows of 3 pixels, whose values count up from 0.
    fn counting() -> Rgb8 {
        Rgb8::new(2, 3, (0..18).collect()).unwrap()
    }

    #[test]
    fn a_wrong_number_of_values_is_an_error() {
        assert!(matches!(Rgb8::new(2, 3, vec![0; 17]), Err(Error::Length { height: 2, width: 3, found: 17 })));
        assert!(Rgb8::new(0, 3, vec![]).is_err());
        assert!(Rgb8::new(usize::MAX, 2, vec![]).is_err());
        assert!(Rgb8::from_planes_f32(1, 1, &[0.0; 4]).is_err());
    }

    #[test]
    fn crop_takes_the_named_pixels() {
        // Rows of 3 pixels hold 9 values; row 1, columns 1 and 2 are the values 9 + 3 .. 9 + 9.
        let crop = counting().crop(1, 1, 1, 2).unwrap();
        assert_eq!(crop, Rgb8::new(1, 2, vec![12, 13, 14, 15, 16, 17]).unwrap());
        for (top, left, height, width) in
            [(0, 0, 3, 1), (1, 0, 2, 1), (0, 3, 1, 1), (0, 0, 0, 1), (usize::MAX, 0, 2, 1)]
        {
            assert!(matches!(counting().crop(top, left, height, width), Err(Error::Crop { .. })));
        }
    }

    #[test]
    fn planes_are_channel_after_channel_and_come_back() {
        let planes = counting().to_planes_f32();
        assert_eq!(planes[..6], [0.0, 3.0, 6.0, 9.0, 12.0, 15.0].map(|value| value / 255.0));
        assert_eq!(planes[6], 1.0 / 255.0);
        let all = Rgb8::new(16, 16, (0..=255).flat_map(|value| [value, 255 - value, value / 2]).collect()).unwrap();
        assert_eq!(Rgb8::from_planes_f32(16, 16, &all.to_planes_f32()).unwrap(), all);
    }

    #[test]
    fn floats_are_clamped_and_rounded_half_away_from_zero() {
        // 0.5 * 255 = 127.5 is a tie and goes up; 0.1 * 255 = 25.5 in f32 too.
        let picture = Rgb8::from_planes_f32(1, 2, &[-0.5, 1.5, 0.5, 0.1, 0.25, 1.0]).unwrap();
        assert_eq!(picture.pixels, [0, 128, 64, 255, 26, 255]);
        let error = Rgb8::from_planes_f32(1, 2, &[0.0, 0.0, 0.0, f32::NAN, 0.0, 0.0]).unwrap_err();
        assert!(error.to_string().contains("value NaN in channel 1, row 0, column 1"), "{error}");
    }
}
