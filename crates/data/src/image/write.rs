//! From pixels to the bytes of a picture file.

use std::borrow::Cow;
use std::fmt;
use std::io::Cursor;
use std::path::Path;

use ::image::codecs::bmp::BmpEncoder;
use ::image::codecs::png::PngEncoder;
use ::image::codecs::tiff::TiffEncoder;
use ::image::codecs::webp::WebPEncoder;
use ::image::{ExtendedColorType, ImageEncoder};
use img_parts::{Bytes, ImageEXIF, ImageICC};
use jpeg_encoder::{ColorType, SamplingFactor};
use webp::PixelLayout;

use super::{Header, Picture, Rgb8, Samples};
use crate::Error;

/// A format of picture files that can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Everything that a [`Picture`] holds.
    Png,
    /// 8 bits without alpha, baseline, chroma at full resolution (4:4:4).
    Jpeg {
        /// libjpeg's, 1 to 100.
        quality: u8,
    },
    /// 8 bits; grey becomes RGB. At most 16383 pixels high and wide.
    WebP {
        /// libwebp's, 1 to 100, for colours, with chroma at half resolution (4:2:0); alpha stays exact. None: nothing is lost.
        quality: Option<u8>,
    },
    /// 8 bits, without profile and EXIF data.
    Bmp,
    /// 8 or 16 bits, with EXIF data only by [`write_rows`](super::write_rows); grey with alpha becomes RGB with alpha.
    Tiff,
}

/// What a format cannot hold of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// 16 bits were rounded to 8.
    Depth,
    /// Alpha was dropped; pixels were not blended with a background.
    Alpha,
    /// The ICC profile was dropped: the format has none, or the profile is not one for the pixels of the file.
    Profile,
    /// The EXIF data were dropped: the format has none, or they are too long for it.
    Exif,
}

/// The bytes of a picture file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// The whole file.
    pub file: Vec<u8>,
    /// What is not in it.
    pub lost: Vec<Loss>,
}

impl Format {
    /// The format that a file name's ending asks for: png, jpg, jpeg, webp, bmp, tif or tiff, in small or capital
    /// letters. `quality` is that of JPEG, 95 unless given, and of WebP, lossless unless given. [`Error::Format`] for another
    /// ending.
    pub fn of(path: &Path, quality: Option<u8>) -> Result<Self, Error> {
        let ending = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        match ending.as_str() {
            "png" => Ok(Self::Png),
            "jpg" | "jpeg" => Ok(Self::Jpeg { quality: quality.unwrap_or(95) }),
            "webp" => Ok(Self::WebP { quality }),
            "bmp" => Ok(Self::Bmp),
            "tif" | "tiff" => Ok(Self::Tiff),
            _ => Err(Error::Format { path: path.into() }),
        }
    }

    /// [`Error::Encode`] for a size, `(height, width)`, that no file of this format has.
    pub fn check(self, (height, width): (usize, usize)) -> Result<(), Error> {
        let most = match self {
            Self::Png => i32::MAX as usize, // PNG, third edition, 11.2.1
            Self::Jpeg { .. } => 65_535,    // ITU-T T.81, B.2.2
            Self::WebP { .. } => 16_383,    // libwebp's, which most programs read it by
            Self::Bmp => 65_535,            // 12 GiB of pixels; more than most programs read
            Self::Tiff => u32::MAX as usize,
        };
        let reason = || format!("a side has at most {most} pixels");
        match height.max(width) <= most {
            true => Ok(()),
            false => Err(Error::Encode { height, width, format: self.name(), reason: reason() }),
        }
    }

    /// Whether [`write_rows`](super::write_rows) writes this format as rows come, rather than holding the whole picture.
    pub fn is_in_rows(self) -> bool {
        matches!(self, Self::Png | Self::Tiff)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Png => "PNG",
            Self::Jpeg { .. } => "JPEG",
            Self::WebP { .. } => "WebP",
            Self::Bmp => "BMP",
            Self::Tiff => "TIFF",
        }
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Depth => "16 bits per channel (rounded to 8)",
            Self::Alpha => "the alpha channel",
            Self::Profile => "the colour profile",
            Self::Exif => "the EXIF data",
        })
    }
}

/// The kind of pixels in a file.
pub(super) struct Kind {
    pub(super) grey: bool,
    pub(super) alpha: bool,
    pub(super) sixteen: bool,
}

impl Kind {
    /// The picture's own kind, or the nearest that the format has.
    pub(super) fn of(picture: &Header, format: Format) -> Self {
        let alpha = picture.alpha && !matches!(format, Format::Jpeg { .. });
        let has_grey = match format {
            Format::Png | Format::Jpeg { .. } => true,
            Format::Bmp | Format::Tiff => !alpha,
            Format::WebP { .. } => false,
        };
        let sixteen = picture.sixteen && matches!(format, Format::Png | Format::Tiff);
        Self { grey: picture.channels == 1 && has_grey, alpha, sixteen }
    }

    /// What a file of this kind does not hold of the pixels.
    pub(super) fn lost(&self, picture: &Header) -> Vec<Loss> {
        let depth = (picture.sixteen && !self.sixteen).then_some(Loss::Depth);
        let alpha = (picture.alpha && !self.alpha).then_some(Loss::Alpha);
        depth.into_iter().chain(alpha).collect()
    }

    fn color_type(&self) -> ExtendedColorType {
        match (self.grey, self.alpha, self.sixteen) {
            (true, false, false) => ExtendedColorType::L8,
            (true, false, true) => ExtendedColorType::L16,
            (true, true, false) => ExtendedColorType::La8,
            (true, true, true) => ExtendedColorType::La16,
            (false, false, false) => ExtendedColorType::Rgb8,
            (false, false, true) => ExtendedColorType::Rgb16,
            (false, true, false) => ExtendedColorType::Rgba8,
            (false, true, true) => ExtendedColorType::Rgba16,
        }
    }

    /// Whether an ICC profile is one for such pixels: bytes 16 to 19 of its header name the colours (ICC.1:2022, 7.2.6).
    pub(super) fn takes(&self, icc: &[u8]) -> bool {
        icc.get(16..20) == Some(if self.grey { b"GRAY" } else { b"RGB " })
    }
}

/// The bytes of a picture file with the picture's pixels, alpha, profile and EXIF data, as far as the format has them:
/// what it has not is told. [`Error::Encode`] for a picture that is too large for the format.
pub fn encode(picture: &Picture, format: Format) -> Result<Encoded, Error> {
    let header = Header::from(picture);
    let kind = Kind::of(&header, format);
    let (channels, copies) = (picture.channels(), if kind.grey { 1 } else { 3 / picture.channels() });
    let alpha = picture.alpha().filter(|_| kind.alpha);
    if kind.sixteen {
        let (color, alpha) = (picture.color().to_u16(), alpha.map(Samples::to_u16));
        let samples = together(&color, channels, copies, alpha.as_deref());
        write(&header, format, &kind, bytemuck::cast_slice(&samples))
    } else {
        let (color, alpha) = (picture.color().to_u8(), alpha.map(Samples::to_u8));
        write(&header, format, &kind, &together(&color, channels, copies, alpha.as_deref()))
    }
}

/// Each sample of each pixel `copies` times, then the pixel's alpha.
fn together<'a, T: Copy>(color: &'a [T], channels: usize, copies: usize, alpha: Option<&[T]>) -> Cow<'a, [T]> {
    if copies == 1 && alpha.is_none() {
        return color.into();
    }
    let mut samples = Vec::with_capacity(color.len() * copies + alpha.map_or(0, <[T]>::len));
    for (at, pixel) in color.chunks_exact(channels).enumerate() {
        pixel.iter().for_each(|&sample| samples.extend(std::iter::repeat_n(sample, copies)));
        samples.extend(alpha.map(|alpha| alpha[at]));
    }
    samples.into()
}

fn write(picture: &Header, format: Format, kind: &Kind, samples: &[u8]) -> Result<Encoded, Error> {
    let mut lost = kind.lost(picture);
    let icc = picture.icc.as_deref().filter(|icc| kind.takes(icc));
    lost.extend((picture.icc.is_some() && icc.is_none()).then_some(Loss::Profile));
    let content =
        Content { size: picture.size, color_type: kind.color_type(), samples, icc, exif: picture.exif.as_deref() };
    let mut file = Cursor::new(Vec::new());
    let written = match format {
        Format::Png => content.write(PngEncoder::new(&mut file), &mut lost),
        Format::WebP { quality: None } => content.write(WebPEncoder::new_lossless(&mut file), &mut lost),
        Format::WebP { quality: Some(quality) } => content.write_webp(file.get_mut(), quality),
        Format::Bmp => content.write(BmpEncoder::new(&mut file), &mut lost),
        Format::Tiff => content.write(TiffEncoder::new(&mut file), &mut lost),
        Format::Jpeg { quality } => content.write_jpeg(file.get_mut(), quality, &mut lost),
    };
    let (height, width) = picture.size;
    written.map_err(|reason| Error::Encode { height, width, format: format.name(), reason })?;
    Ok(Encoded { file: file.into_inner(), lost })
}

/// What goes into a file.
struct Content<'a> {
    size: (usize, usize),
    color_type: ExtendedColorType,
    samples: &'a [u8],
    icc: Option<&'a [u8]>,
    exif: Option<&'a [u8]>,
}

impl Content<'_> {
    /// The error is the encoder's reason.
    fn write(&self, mut encoder: impl ImageEncoder, lost: &mut Vec<Loss>) -> Result<(), String> {
        let side = |length| u32::try_from(length).map_err(|_| "a side does not fit into 32 bits".to_string());
        let icc = self.icc.map_or(Ok(()), |icc| encoder.set_icc_profile(icc.into()));
        let exif = self.exif.map_or(Ok(()), |exif| encoder.set_exif_metadata(exif.into()));
        lost.extend(icc.is_err().then_some(Loss::Profile));
        lost.extend(exif.is_err().then_some(Loss::Exif));
        let (height, width) = (side(self.size.0)?, side(self.size.1)?);
        encoder.write_image(self.samples, width, height, self.color_type).map_err(|error| error.to_string())
    }

    /// With another crate than the other formats: the `image` crate writes EXIF data that are too long as a broken file.
    fn write_jpeg(&self, file: &mut Vec<u8>, quality: u8, lost: &mut Vec<Loss>) -> Result<(), String> {
        let side = |length| u16::try_from(length).map_err(|_| "a side is longer than 65535".to_string());
        let mut encoder = jpeg_encoder::Encoder::new(file, quality);
        encoder.set_sampling_factor(SamplingFactor::R_4_4_4);
        let icc = self.icc.map_or(Ok(()), |icc| encoder.add_icc_profile(icc));
        let exif = self.exif.map_or(Ok(()), |exif| encoder.add_exif_metadata(exif));
        lost.extend(icc.is_err().then_some(Loss::Profile));
        lost.extend(exif.is_err().then_some(Loss::Exif));
        let color_type = if self.color_type == ExtendedColorType::L8 { ColorType::Luma } else { ColorType::Rgb };
        let (height, width) = (side(self.size.0)?, side(self.size.1)?);
        encoder.encode(self.samples, width, height, color_type).map_err(|error| error.to_string())
    }

    /// With libwebp, for the `image` crate writes WebP without loss only; profile and EXIF data are put into its file.
    fn write_webp(&self, file: &mut Vec<u8>, quality: u8) -> Result<(), String> {
        let side = |length| u32::try_from(length).map_err(|_| "a side does not fit into 32 bits".to_string());
        let layout = if self.color_type == ExtendedColorType::Rgba8 { PixelLayout::Rgba } else { PixelLayout::Rgb };
        let (height, width) = (side(self.size.0)?, side(self.size.1)?);
        let encoder = webp::Encoder::new(self.samples, layout, width, height);
        let coded = encoder.encode_simple(false, quality.into()).map_err(|error| format!("libwebp: {error:?}"))?;
        let coded = Bytes::copy_from_slice(&coded);
        let mut whole = img_parts::webp::WebP::from_bytes(coded).map_err(|error| error.to_string())?;
        whole.set_icc_profile(self.icc.map(Bytes::copy_from_slice));
        whole.set_exif(self.exif.map(Bytes::copy_from_slice));
        whole.encoder().write_to(file).map(drop).map_err(|error| error.to_string())
    }
}

/// The bytes of a PNG file with the picture's pixels: RGB, 8 bits, lossless.
pub fn encode_png(picture: &Rgb8) -> Result<Vec<u8>, Error> {
    let content = Content {
        size: picture.size(),
        color_type: ExtendedColorType::Rgb8,
        samples: &picture.pixels,
        icc: None,
        exif: None,
    };
    let mut file = Vec::new();
    let (height, width) = picture.size();
    content.write(PngEncoder::new(&mut file), &mut Vec::new()).map_err(|reason| Error::Encode {
        height,
        width,
        format: Format::Png.name(),
        reason,
    })?;
    Ok(file)
}

#[cfg(test)]
mod tests;
