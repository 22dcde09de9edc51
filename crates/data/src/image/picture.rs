//! A picture with everything of its file that an output file is to have.

use std::ops::Range;

use super::{Rgb8, Samples};
use crate::Error;

/// A picture of grey or RGB samples of 8 or 16 bits, with what its file holds beside them.
///
/// It stands upright: the orientation that the file asks for is applied. Not kept are XMP and IPTC data, the gamma of a
/// PNG without profile, and EXIF data that follow the pixels of a PNG. Of a TIFF's own directory that is kept which tells of
/// the photograph, as EXIF data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    height: usize,
    width: usize,
    color: Samples,
    alpha: Option<Samples>,
    /// The ICC profile, as it is in the file; it is not applied to the samples.
    pub icc: Option<Vec<u8>>,
    /// The EXIF data from their TIFF header on, with the orientation set to upright (1). Nothing else is changed: a
    /// thumbnail and the sizes in them are those of the file.
    pub exif: Option<Vec<u8>>,
}

impl Picture {
    /// A picture of `color`, `[height, width, 1 or 3]`: grey, or red, green, blue of each pixel, not multiplied by
    /// `alpha`, `[height, width]`: the opacity of each pixel. It has neither profile nor EXIF data.
    ///
    /// [`Error::PictureLength`] for another number of samples, or none.
    pub fn new(height: usize, width: usize, color: Samples, alpha: Option<Samples>) -> Result<Self, Error> {
        check_lengths(height, width, color.len(), alpha.as_ref().map(Samples::len))?;
        Ok(Self { height, width, color, alpha, icc: None, exif: None })
    }

    /// `(height, width)`, both at least 1.
    pub fn size(&self) -> (usize, usize) {
        (self.height, self.width)
    }

    /// 1 of a grey picture, 3 of an RGB picture.
    pub fn channels(&self) -> usize {
        self.color.len() / (self.height * self.width)
    }

    /// The samples of the pixels, `[height, width, channels]`.
    pub fn color(&self) -> &Samples {
        &self.color
    }

    /// The opacity of each pixel, `[height, width]`, from 0 to the largest number of its depth.
    pub fn alpha(&self) -> Option<&Samples> {
        self.alpha.as_ref()
    }

    /// The pixels as `[channels, height, width]` floats in [0, 1].
    pub fn to_planes_f32(&self) -> Vec<f32> {
        self.color.to_planes_f32(self.channels())
    }

    /// Some rows of the pixels with their opacity, if they have one, as `[planes, rows, width]` floats in [0, 1].
    pub(super) fn rows_to_planes_f32(&self, rows: Range<usize>) -> Vec<f32> {
        let of = |samples: &Samples, channels: usize| {
            let line = self.width * channels;
            samples.slice(rows.start * line..rows.end * line).to_planes_f32(channels)
        };
        let mut planes = of(&self.color, self.channels());
        planes.extend(self.alpha.iter().flat_map(|alpha| of(alpha, 1)));
        planes
    }

    /// The opacity as `[height, width]` floats in [0, 1].
    pub fn alpha_to_plane_f32(&self) -> Option<Vec<f32>> {
        self.alpha.as_ref().map(|alpha| alpha.to_planes_f32(1))
    }

    /// A picture from `color`, `[1 or 3, height, width]`, and `alpha`, `[height, width]`, that otherwise is like this
    /// one: the same depth, profile and EXIF data. Values are clamped to [0, 1] and rounded half away from zero.
    ///
    /// [`Error::PictureLength`] for another number of values, [`Error::NotFinite`] for a NaN or an infinity.
    pub fn with_planes_f32(
        &self,
        height: usize,
        width: usize,
        color: &[f32],
        alpha: Option<&[f32]>,
    ) -> Result<Self, Error> {
        check_lengths(height, width, color.len(), alpha.map(<[f32]>::len))?;
        let samples = |planes| self.color.with_planes_f32(height, width, planes);
        let picture = Self::new(height, width, samples(color)?, alpha.map(samples).transpose()?)?;
        Ok(Self { icc: self.icc.clone(), exif: self.exif.clone(), ..picture })
    }

    /// The pixels as 8-bit RGB: grey becomes three equal channels, 16 bits are rounded to 8, and alpha is dropped.
    pub fn into_rgb8(self) -> Rgb8 {
        let (height, width, channels) = (self.height, self.width, self.channels());
        let color = match self.color {
            Samples::Eight(samples) => samples,
            sixteen => sixteen.to_u8().into_owned(),
        };
        let pixels = if channels == 3 { color } else { color.into_iter().flat_map(|grey| [grey; 3]).collect() };
        Rgb8 { height, width, pixels }
    }
}

fn check_lengths(height: usize, width: usize, color: usize, alpha: Option<usize>) -> Result<(), Error> {
    let area = height.checked_mul(width).filter(|&area| area > 0);
    let fits = area.is_some_and(|area| color == area || area.checked_mul(3) == Some(color));
    if fits && alpha.is_none_or(|alpha| Some(alpha) == area) {
        return Ok(());
    }
    Err(Error::PictureLength { height, width, color, alpha: alpha.unwrap_or(0) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eight(count: u8) -> Samples {
        Samples::Eight((0..count).collect())
    }

    #[test]
    fn samples_that_are_not_those_of_the_size_are_an_error() {
        for (height, width, color, alpha) in [
            (2, 3, 12, None),
            (2, 3, 6, Some(5)),
            (2, 3, 6, Some(18)),
            (0, 3, 0, None),
            (usize::MAX, 2, 6, None),
            (usize::MAX, 1, 3, None),
        ] {
            let error = Picture::new(height, width, eight(color), alpha.map(eight)).unwrap_err().to_string();
            let found = format!("found {color} samples and {} of alpha", alpha.unwrap_or(0));
            assert!(error.starts_with(&format!("a picture of {height}x{width}")) && error.ends_with(&found), "{error}");
        }
        let picture = Picture::new(2, 3, eight(6), None).unwrap();
        assert!(picture.with_planes_f32(usize::MAX, 1, &[], None).is_err());
        assert!(picture.with_planes_f32(1, 1, &[0.0; 3], Some(&[0.0; 2])).is_err());
    }

    #[test]
    fn a_picture_from_planes_is_otherwise_the_same() {
        let mut picture = Picture::new(1, 1, Samples::Sixteen(vec![7]), None).unwrap();
        (picture.icc, picture.exif) = (Some(vec![1]), Some(vec![2]));
        // 65535 / 2 = 32767.5 and goes up; what is outside [0, 1] is clamped.
        let enlarged = picture.with_planes_f32(1, 2, &[0.5, 0.0, 1.5, -1.0, 1.0, 0.0], Some(&[1.0, 0.0])).unwrap();
        assert_eq!((enlarged.size(), enlarged.channels()), ((1, 2), 3));
        assert_eq!(enlarged.color(), &Samples::Sixteen(vec![32768, 65535, 65535, 0, 0, 0]));
        assert_eq!(enlarged.alpha_to_plane_f32(), Some(vec![1.0, 0.0]));
        assert_eq!((enlarged.icc, enlarged.exif), (picture.icc, picture.exif));
    }

    #[test]
    fn rgb8_of_grey_and_of_16_bits() {
        let rgb8 = |color| Picture::new(1, 2, color, Some(eight(2))).unwrap().into_rgb8().pixels;
        assert_eq!(rgb8(eight(2)), [0, 0, 0, 1, 1, 1]);
        assert_eq!(rgb8(Samples::Sixteen(vec![257, 65535])), [1, 1, 1, 255, 255, 255]);
        assert_eq!(rgb8(eight(6)), [0, 1, 2, 3, 4, 5]);
    }
}
