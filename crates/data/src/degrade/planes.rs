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
        Self { height: picture.height, width: picture.width, values: picture.to_planes_f32() }
    }
}

impl Planes {
    /// `(height, width)`.
    pub fn size(&self) -> (usize, usize) {
        (self.height, self.width)
    }

    /// The picture with 8 bits, clamped and rounded; errors as those of [`Rgb8::from_planes_f32`].
    pub fn to_rgb8(&self) -> Result<Rgb8, Error> {
        Rgb8::from_planes_f32(self.height, self.width, &self.values)
    }

    /// The red, the green and the blue plane, `height * width` values each.
    pub(super) fn channels(&self) -> impl Iterator<Item = &[f32]> {
        self.values.chunks_exact(self.height * self.width)
    }
}
