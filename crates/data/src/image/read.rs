//! From a picture file to pixels.

use std::fs::{self, File};
use std::io::BufReader;
use std::path::Path;

use ::image::codecs::png::PngDecoder;
use ::image::codecs::tiff::TiffDecoder;
use ::image::codecs::webp::WebPDecoder;
use ::image::metadata::Orientation;
use ::image::{ColorType, DynamicImage, ExtendedColorType, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};
use serde::{Deserialize, Serialize};

use super::exif_fields::of_tiff;
use super::jpeg::markers;
use super::{Picture, Rgb8, Samples};
use crate::Error;

/// The largest picture that is read, in bytes of its decoded pixels: 2 GiB, which is 715 million pixels of 8-bit RGB.
///
/// It is told by the file's header, before memory is taken, so a small file cannot claim the machine's memory.
pub const MAX_DECODED_BYTES: u64 = 1 << 31;

/// What a PNG file may hold beside its pixels, once uncompressed (profile, EXIF, texts): 64 MiB.
pub(super) const MAX_METADATA_BYTES: u64 = 1 << 26;

/// What to do with a picture that is not RGB with 8 bits per channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Conversion {
    /// An error: nothing is converted unasked.
    Refuse,
    /// Grey becomes three equal channels, 16 bits are rounded to 8, alpha is dropped (pixels are not blended with a
    /// background).
    Convert,
}

/// Decodes a picture file as [`read_picture`] does, to 8-bit RGB; its profile and EXIF data are left behind.
///
/// Errors: those of [`read_picture`], the size counted with three bytes a pixel at least, and [`Error::Conversion`] for
/// other pixels than 8-bit RGB if they are refused.
pub fn read(path: &Path, conversion: Conversion) -> Result<Rgb8, Error> {
    decode(path, conversion, 3).map(Picture::into_rgb8)
}

/// Whether the file has further pictures behind the first, which alone is read: an animated WebP or PNG.
///
/// Errors: [`Error::Read`], [`Error::Decode`].
pub fn is_animated(path: &Path) -> Result<bool, Error> {
    let unreadable = |source| Error::Read { path: path.into(), source };
    let undecodable = |error: ImageError| Error::Decode { path: path.into(), reason: error.to_string() };
    let file = BufReader::new(File::open(path).map_err(unreadable)?);
    let reader = ImageReader::new(file).with_guessed_format().map_err(unreadable)?;
    match reader.format() {
        Some(ImageFormat::WebP) => Ok(WebPDecoder::new(reader.into_inner()).map_err(undecodable)?.has_animation()),
        Some(ImageFormat::Png) => {
            PngDecoder::new(reader.into_inner()).and_then(|decoder| decoder.is_apng()).map_err(undecodable)
        }
        _ => Ok(false),
    }
}

/// Decodes a picture file (png, jpeg, webp, bmp or tiff, told by its content) and turns it upright as its EXIF
/// orientation says.
///
/// A palette is expanded to the colours that it names, its transparency to alpha. Of a file with several pictures (an
/// animated WebP or PNG, a TIFF with pages) the first is read. A colour profile is not applied. CMYK is refused: what
/// its numbers look like only its profile tells. Memory grows with the decoded pixels alone: an upright PNG, BMP or
/// baseline JPEG takes them once, a turned picture, a TIFF or a WebP up to 2.5 times.
///
/// Errors: [`Error::Read`], [`Error::Decode`], [`Error::BrokenOff`], [`Error::TooLarge`], [`Error::Pixels`].
pub fn read_picture(path: &Path) -> Result<Picture, Error> {
    let mut picture = decode(path, Conversion::Convert, 1)?;
    if picture.exif.is_none() {
        picture.exif = of_tiff(path);
        let _applied = picture.exif.as_deref_mut().and_then(Orientation::remove_from_exif_chunk);
    }
    Ok(picture)
}

/// `least` bytes of each pixel are counted, even if the file has fewer.
fn decode(path: &Path, conversion: Conversion, least: u64) -> Result<Picture, Error> {
    let undecodable = |error: ImageError| Error::Decode { path: path.into(), reason: error.to_string() };
    let mut decoder = open(path)?;
    check_size(path, &decoder, least)?;
    check_pixels(path, &decoder, conversion)?;
    let orientation = decoder.orientation().map_err(undecodable)?;
    let icc = decoder.icc_profile().map_err(undecodable)?;
    let mut exif = decoder.exif_metadata().map_err(undecodable)?;
    decoder.set_limits(at_most(2 * MAX_DECODED_BYTES)).map_err(undecodable)?; // a TIFF is decoded to a second buffer
    let mut image = DynamicImage::from_decoder(decoder).map_err(undecodable)?;
    image.apply_orientation(orientation);
    let _applied = exif.as_deref_mut().and_then(Orientation::remove_from_exif_chunk);
    let mut picture = from_image(path, image)?;
    (picture.icc, picture.exif) = (icc, exif);
    Ok(picture)
}

/// A decoder that has read the header.
pub(super) fn open(path: &Path) -> Result<Box<dyn ImageDecoder>, Error> {
    let unreadable = |source| Error::Read { path: path.into(), source };
    let undecodable = |error: ImageError| Error::Decode { path: path.into(), reason: error.to_string() };
    let file = BufReader::new(File::open(path).map_err(unreadable)?);
    let mut reader = ImageReader::new(file).with_guessed_format().map_err(unreadable)?;
    match reader.format() {
        // The reader would limit the profile to a small part of the pixels' bytes, and drop it without an error. Unlimited by
        // it, the decoder reads profiles of up to 8 MiB.
        Some(ImageFormat::Tiff) => return Ok(Box::new(TiffDecoder::new(reader.into_inner()).map_err(undecodable)?)),
        Some(ImageFormat::Jpeg) => check_jpeg(path)?,
        _ => {}
    }
    reader.limits(at_most(MAX_METADATA_BYTES));
    Ok(Box::new(reader.into_decoder().map_err(undecodable)?))
}

fn at_most(bytes: u64) -> Limits {
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(bytes);
    limits
}

/// The file is read whole here and by its decoder: the header cannot tell how long it is.
fn check_jpeg(path: &Path) -> Result<(), Error> {
    let unreadable = |source| Error::Read { path: path.into(), source };
    let length = fs::metadata(path).map_err(unreadable)?.len();
    if length > MAX_DECODED_BYTES {
        let reason = format!("the file has {length} bytes, at most {MAX_DECODED_BYTES} are read of a JPEG");
        return Err(Error::Decode { path: path.into(), reason });
    }
    let markers = markers(&fs::read(path).map_err(unreadable)?);
    if markers.components == Some(4) {
        return Err(Error::Pixels { path: path.into(), found: "CMYK" });
    }
    if markers.whole { Ok(()) } else { Err(Error::BrokenOff { path: path.into() }) }
}

fn check_size(path: &Path, decoder: &impl ImageDecoder, least: u64) -> Result<(), Error> {
    let (width, height) = decoder.dimensions();
    let bytes = decoder.total_bytes().max(least.saturating_mul(u64::from(width) * u64::from(height)));
    if bytes <= MAX_DECODED_BYTES {
        return Ok(());
    }
    let size = (height as usize, width as usize);
    Err(Error::TooLarge { path: path.into(), size, bytes, limit: MAX_DECODED_BYTES })
}

pub(super) fn check_pixels(path: &Path, decoder: &impl ImageDecoder, conversion: Conversion) -> Result<(), Error> {
    if matches!(decoder.original_color_type(), ExtendedColorType::Cmyk8 | ExtendedColorType::Cmyk16) {
        return Err(Error::Pixels { path: path.into(), found: "CMYK" });
    }
    let found = match decoder.color_type() {
        ColorType::Rgb8 => return Ok(()),
        ColorType::L8 => "grey",
        ColorType::La8 => "grey with an alpha channel",
        ColorType::Rgba8 => "an alpha channel",
        ColorType::L16 => "grey with 16 bits",
        ColorType::La16 => "grey with 16 bits and an alpha channel",
        ColorType::Rgb16 => "16 bits per channel",
        ColorType::Rgba16 => "16 bits per channel and an alpha channel",
        _ => return Err(floats(path)),
    };
    match conversion {
        Conversion::Refuse => Err(Error::Conversion { path: path.into(), found }),
        Conversion::Convert => Ok(()),
    }
}

fn floats(path: &Path) -> Error {
    Error::Pixels { path: path.into(), found: "floating-point pixels" }
}

fn from_image(path: &Path, image: DynamicImage) -> Result<Picture, Error> {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let (color, alpha) = match image {
        DynamicImage::ImageLuma8(image) => (Samples::Eight(image.into_raw()), None),
        DynamicImage::ImageRgb8(image) => (Samples::Eight(image.into_raw()), None),
        DynamicImage::ImageLuma16(image) => (Samples::Sixteen(image.into_raw()), None),
        DynamicImage::ImageRgb16(image) => (Samples::Sixteen(image.into_raw()), None),
        DynamicImage::ImageLumaA8(image) => apart(image.into_raw(), 2, Samples::Eight),
        DynamicImage::ImageRgba8(image) => apart(image.into_raw(), 4, Samples::Eight),
        DynamicImage::ImageLumaA16(image) => apart(image.into_raw(), 2, Samples::Sixteen),
        DynamicImage::ImageRgba16(image) => apart(image.into_raw(), 4, Samples::Sixteen),
        _ => return Err(floats(path)),
    };
    Picture::new(height, width, color, alpha)
}

/// The colour of pixels of `channels` samples each, and their last sample: alpha.
fn apart<T: Copy>(
    mut samples: Vec<T>,
    channels: usize,
    depth: impl Fn(Vec<T>) -> Samples,
) -> (Samples, Option<Samples>) {
    let alpha = samples.iter().skip(channels - 1).step_by(channels).copied().collect();
    let mut at = 0;
    samples.retain(|_| {
        at += 1;
        at % channels != 0
    });
    (depth(samples), Some(depth(alpha)))
}

#[cfg(test)]
mod tests;
