use crate::Error;
use crate::image::Rgb8;

/// A picture of RGB floats in planes, nominally in [0, 1]; between the steps of a degradation values may lie outside.
#[derive(Debug, Clone, PartialEq)]
pub struct Planes {
    /// Rows, at least 1.
    pub height: usize,
    /// Columns, at least 1.
    pub width: usize,
    /// `[3, height, width]`: the red plane, row after row, then the green, then the blue one.
    pub values: Vec<f32>,
}

impl From<&Rgb8> for Planes {
    /// Each 8-bit value divided by 255.
    fn from(picture: &Rgb8) -> Self {
        let (pixels, _) = picture.pixels.as_chunks::<3>();
        let mut values = Vec::with_capacity(picture.pixels.len());
        (0..3).for_each(|channel| values.extend(pixels.iter().map(|pixel| f32::from(pixel[channel]) / 255.0)));
        Self { height: picture.height, width: picture.width, values }
    }
}

impl Planes {
    /// `(height, width)`.
    pub fn size(&self) -> (usize, usize) {
        (self.height, self.width)
    }

    /// The picture with 8 bits, clamped and rounded; [`Error::Length`] for another number of values than its size needs,
    /// [`Error::NotFinite`] for a NaN or an infinity.
    pub fn to_rgb8(&self) -> Result<Rgb8, Error> {
        self.check()?;
        let area = self.height * self.width;
        let (red, rest) = self.values.split_at(area);
        let (green, blue) = rest.split_at(area);
        let channels = red.iter().zip(green).zip(blue);
        let pixels = channels.flat_map(|((&red, &green), &blue)| [red, green, blue].map(to_u8)).collect();
        Rgb8::new(self.height, self.width, pixels)
    }

    /// The errors of [`Self::to_rgb8`].
    pub(super) fn check(&self) -> Result<(), Error> {
        let &Self { height, width, ref values } = self;
        let area = height.saturating_mul(width);
        if area == 0 || area.checked_mul(3) != Some(values.len()) {
            return Err(Error::Length { height, width, found: values.len() });
        }
        let broken = |at: usize| {
            let (channel, row, column) = (at / area, at % area / width, at % width);
            Error::NotFinite { value: values[at], channel, row, column }
        };
        values.iter().position(|value| !value.is_finite()).map_or(Ok(()), |at| Err(broken(at)))
    }

    /// The red, the green and the blue plane, `height * width` values each.
    pub(super) fn channels(&self) -> impl Iterator<Item = &[f32]> {
        self.values.chunks_exact(self.height * self.width)
    }
}

/// The nearest of the 256 levels to a value, which is clamped to [0, 1]; halves are rounded up.
pub(super) fn to_u8(value: f32) -> u8 {
    (value.clamp(0.0, 1.0) * 255.0 + 0.5) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_and_pixels_are_those_of_the_picture_module() {
        let picture = Rgb8::new(16, 16, (0..=255).flat_map(|value| [value, 255 - value, value / 2]).collect()).unwrap();
        let planes = Planes::from(&picture);
        assert_eq!(planes.values, picture.to_planes_f32());
        assert_eq!(planes.to_rgb8().unwrap(), picture);
        let values: Vec<f32> = (0..3000).map(|i| i as f32 / 2500.0 - 0.1).collect();
        let between = Planes { height: 10, width: 100, values };
        assert_eq!(between.to_rgb8().unwrap(), Rgb8::from_planes_f32(10, 100, &between.values).unwrap());
    }

    #[test]
    fn a_broken_value_is_placed() {
        let planes = |values| Planes { height: 1, width: 2, values };
        let error = planes(vec![0.0, 0.0, 0.0, f32::NAN, 0.0, 0.0]).to_rgb8().unwrap_err().to_string();
        assert!(error.contains("value NaN in channel 1, row 0, column 1"), "{error}");
        assert!(matches!(planes(vec![0.0; 5]).check(), Err(Error::Length { found: 5, .. })));
        assert!(Planes { height: usize::MAX, width: 2, values: vec![] }.check().is_err());
    }
}
