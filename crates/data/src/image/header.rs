//! What a picture is, apart from its pixels.

use std::path::Path;

use ::image::metadata::Orientation;
use ::image::{ColorType, ImageDecoder};

use super::exif::set_size;
use super::exif_fields::of_tiff;
use super::read::{check_pixels, open};
use super::{Conversion, Picture, Samples};
use crate::Error;

/// A picture's size and kind, and what its file holds beside the pixels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// `(height, width)` of the upright picture, both at least 1.
    pub size: (usize, usize),
    /// 1 of a grey picture, 3 of an RGB picture.
    pub channels: usize,
    /// Whether there is an opacity for each pixel.
    pub alpha: bool,
    /// Whether samples have 16 bits rather than 8.
    pub sixteen: bool,
    /// The ICC profile, as it is in the file.
    pub icc: Option<Vec<u8>>,
    /// The EXIF data from their TIFF header on, with the orientation set to upright (1).
    pub exif: Option<Vec<u8>>,
}

impl Header {
    /// What [`read_picture`](super::read_picture) would find, without decoding the pixels.
    ///
    /// Errors: those of [`read_picture`](super::read_picture) but [`Error::TooLarge`]; damaged pixels are not noticed.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let undecodable = |error: ::image::ImageError| Error::Decode { path: path.into(), reason: error.to_string() };
        let mut decoder = open(path)?;
        check_pixels(path, &decoder, Conversion::Convert)?;
        let (width, height) = decoder.dimensions();
        let upright = (height as usize, width as usize);
        let turned = matches!(
            decoder.orientation().map_err(undecodable)?,
            Orientation::Rotate90 | Orientation::Rotate270 | Orientation::Rotate90FlipH | Orientation::Rotate270FlipH
        );
        let icc = decoder.icc_profile().map_err(undecodable)?;
        let mut exif = decoder.exif_metadata().map_err(undecodable)?.or_else(|| of_tiff(path));
        let _applied = exif.as_deref_mut().and_then(Orientation::remove_from_exif_chunk);
        let color = decoder.color_type();
        Ok(Self {
            size: if turned { (upright.1, upright.0) } else { upright },
            channels: if color.has_color() { 3 } else { 1 },
            alpha: color.has_alpha(),
            sixteen: matches!(color, ColorType::L16 | ColorType::La16 | ColorType::Rgb16 | ColorType::Rgba16),
            icc,
            exif,
        })
    }

    /// Samples of each pixel: its channels, and its opacity.
    pub fn planes(&self) -> usize {
        self.channels + usize::from(self.alpha)
    }

    /// The same for a picture of another size, `(height, width)`, which is set in the EXIF data too: they then have no
    /// thumbnail.
    pub fn resized(&self, size: (usize, usize)) -> Self {
        let mut header = Self { size, ..self.clone() };
        let sides = (u32::try_from(size.0), u32::try_from(size.1));
        if let (Some(exif), (Ok(height), Ok(width))) = (header.exif.as_deref_mut(), sides) {
            set_size(exif, (height, width));
        }
        header
    }
}

impl From<&Picture> for Header {
    fn from(picture: &Picture) -> Self {
        Self {
            size: picture.size(),
            channels: picture.channels(),
            alpha: picture.alpha().is_some(),
            sixteen: matches!(picture.color(), Samples::Sixteen(_)),
            icc: picture.icc.clone(),
            exif: picture.exif.clone(),
        }
    }
}
