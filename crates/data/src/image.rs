//! Picture files to 8-bit RGB pixels and back, and pixels to planes of floats and back.

use std::fs;
use std::io::Cursor;
use std::path::Path;

use ::image::codecs::png::PngEncoder;
use ::image::{
    ColorType, DynamicImage, ExtendedColorType, ImageDecoder, ImageEncoder, ImageError, ImageFormat, ImageReader,
};
use serde::{Deserialize, Serialize};

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
        (0..3)
            .flat_map(|channel| self.pixels.iter().skip(channel).step_by(3))
            .map(|&value| f32::from(value) / 255.0)
            .collect()
    }

    /// A picture from `[3, height, width]` floats: clamped to [0, 1], multiplied by 255, rounded half away from zero.
    ///
    /// [`Error::Length`] for another number of values, [`Error::NotFinite`] for a NaN or an infinity.
    pub fn from_planes_f32(height: usize, width: usize, planes: &[f32]) -> Result<Self, Error> {
        check_length(height, width, planes.len())?;
        let area = height * width;
        if let Some(at) = planes.iter().position(|value| !value.is_finite()) {
            let (channel, row, column) = (at / area, at % area / width, at % width);
            return Err(Error::NotFinite { value: planes[at], channel, row, column });
        }
        let to_u8 = |value: f32| (value.clamp(0.0, 1.0) * 255.0).round() as u8;
        let pixels = (0..3 * area).map(|i| to_u8(planes[i % 3 * area + i / 3])).collect();
        Self::new(height, width, pixels)
    }
}

fn check_length(height: usize, width: usize, found: usize) -> Result<(), Error> {
    let expected = height.checked_mul(width).and_then(|area| area.checked_mul(3));
    if expected == Some(found) && found > 0 { Ok(()) } else { Err(Error::Length { height, width, found }) }
}

/// Decodes a picture file (png, jpeg, webp, bmp or tiff, told by its content) and turns it upright as its EXIF
/// orientation says.
///
/// A palette is expanded to the colours that it names. Of a file with several pictures the first is read. A colour
/// profile is not applied: pixels are taken as sRGB. Errors: [`Error::Read`], [`Error::Decode`], [`Error::BrokenOff`],
/// [`Error::Conversion`], [`Error::Pixels`].
pub fn read(path: &Path, conversion: Conversion) -> Result<Rgb8, Error> {
    let unreadable = |source| Error::Read { path: path.into(), source };
    let undecodable = |error: ImageError| Error::Decode { path: path.into(), reason: error.to_string() };
    let file = fs::read(path).map_err(unreadable)?;
    let reader = ImageReader::new(Cursor::new(&file)).with_guessed_format().map_err(unreadable)?;
    if reader.format() == Some(ImageFormat::Jpeg) && !jpeg_is_whole(&file) {
        return Err(Error::BrokenOff { path: path.into() });
    }
    let mut decoder = reader.into_decoder().map_err(undecodable)?;
    check_pixels(path, decoder.color_type(), conversion)?;
    let orientation = decoder.orientation().map_err(undecodable)?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(undecodable)?;
    picture.apply_orientation(orientation);
    let picture = picture.into_rgb8();
    Rgb8::new(picture.height() as usize, picture.width() as usize, picture.into_raw())
}

/// Whether an end marker (FF D9) follows the last start of coded data (FF DA): inside coded data neither pair of bytes
/// occurs.
fn jpeg_is_whole(file: &[u8]) -> bool {
    let last = |marker: u8| file.windows(2).rposition(|bytes| bytes == [0xff, marker]);
    last(0xd9) > last(0xda)
}

fn check_pixels(path: &Path, pixels: ColorType, conversion: Conversion) -> Result<(), Error> {
    let found = match pixels {
        ColorType::Rgb8 => return Ok(()),
        ColorType::L8 => "grey",
        ColorType::La8 => "grey with an alpha channel",
        ColorType::Rgba8 => "an alpha channel",
        ColorType::L16 => "grey with 16 bits",
        ColorType::La16 => "grey with 16 bits and an alpha channel",
        ColorType::Rgb16 => "16 bits per channel",
        ColorType::Rgba16 => "16 bits per channel and an alpha channel",
        _ => return Err(Error::Pixels { path: path.into(), found: "floating-point pixels" }),
    };
    match conversion {
        Conversion::Refuse => Err(Error::Conversion { path: path.into(), found }),
        Conversion::Convert => Ok(()),
    }
}

/// The bytes of a PNG file with the picture's pixels: RGB, 8 bits, lossless.
pub fn encode_png(picture: &Rgb8) -> Result<Vec<u8>, Error> {
    let (height, width) = picture.size();
    let mut file = Vec::new();
    PngEncoder::new(&mut file)
        .write_image(&picture.pixels, width as u32, height as u32, ExtendedColorType::Rgb8)
        .map_err(|error| Error::Encode { height, width, reason: error.to_string() })?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::image::codecs::jpeg::JpegEncoder;
    use ::image::{DynamicImage, ImageBuffer, Luma, LumaA, Rgb, Rgba};
    use tempfile::TempDir;

    /// 2 rows of 3 pixels, whose values count up from 0.
    fn counting() -> Rgb8 {
        Rgb8::new(2, 3, (0..18).collect()).unwrap()
    }

    fn saved(folder: &TempDir, name: &str, picture: impl Into<DynamicImage>) -> std::path::PathBuf {
        let path = folder.path().join(name);
        picture.into().save(&path).unwrap();
        path
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

    #[test]
    fn png_keeps_every_pixel() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("counting.png");
        fs::write(&path, encode_png(&counting()).unwrap()).unwrap();
        assert_eq!(read(&path, Conversion::Refuse).unwrap(), counting());
    }

    #[test]
    fn other_pixels_are_refused_or_converted_as_asked() {
        let folder = TempDir::new().unwrap();
        // 16 bits to 8: 32768 / 257 = 127.5 is rounded up; 65535 / 257 = 255.
        let cases = [
            (saved(&folder, "grey.png", ImageBuffer::from_pixel(1, 1, Luma([9u8]))), "found grey;", [9, 9, 9]),
            (
                saved(&folder, "grey_alpha.png", ImageBuffer::from_pixel(1, 1, LumaA([9u8, 3]))),
                "grey with an alpha channel",
                [9, 9, 9],
            ),
            (
                saved(&folder, "alpha.png", ImageBuffer::from_pixel(1, 1, Rgba([1u8, 2, 3, 0]))),
                "found an alpha channel",
                [1, 2, 3],
            ),
            (
                saved(&folder, "deep.png", ImageBuffer::from_pixel(1, 1, Rgb([257u16, 65535, 32768]))),
                "found 16 bits",
                [1, 255, 128],
            ),
            (
                saved(&folder, "deep_grey.tif", ImageBuffer::from_pixel(1, 1, Luma([514u16]))),
                "grey with 16 bits",
                [2, 2, 2],
            ),
        ];
        for (path, found, expected) in cases {
            let error = read(&path, Conversion::Refuse).unwrap_err().to_string();
            assert!(error.starts_with(&path.display().to_string()) && error.contains(found), "{error}");
            assert!(error.contains("`conversion = \"convert\"`"), "{error}");
            assert_eq!(read(&path, Conversion::Convert).unwrap().pixels, expected);
        }
        let float = saved(&folder, "float.tif", ImageBuffer::from_pixel(1, 1, Rgb([0.5f32; 3])));
        assert!(matches!(read(&float, Conversion::Convert), Err(Error::Pixels { .. })));
    }

    #[test]
    fn every_format_of_the_list_is_read() {
        let folder = TempDir::new().unwrap();
        for name in ["a.png", "a.jpg", "a.jpeg", "a.webp", "a.bmp", "a.tif", "a.tiff"] {
            let path = saved(&folder, name, ImageBuffer::from_pixel(8, 4, Rgb([200u8, 200, 200])));
            assert_eq!(read(&path, Conversion::Refuse).unwrap(), Rgb8::new(4, 8, vec![200; 96]).unwrap(), "{name}");
        }
    }

    #[test]
    fn exif_orientation_turns_the_picture_upright() {
        // The left half of 8 rows x 16 columns is white. Orientation 6 says: turn by 90 degrees clockwise; left becomes
        // top.
        let stored = ImageBuffer::from_fn(16, 8, |x, _| if x < 8 { Rgb([255u8; 3]) } else { Rgb([0; 3]) });
        // A little-endian TIFF header, then one entry: tag 0x0112 (orientation), type 3 (16 bits), count 1, value 6.
        let exif = b"II\x2a\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
        let mut file = Vec::new();
        let mut encoder = JpegEncoder::new(&mut file);
        encoder.set_exif_metadata(exif.to_vec()).unwrap();
        encoder.encode_image(&stored).unwrap();
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("turned.jpg");
        fs::write(&path, file).unwrap();
        let upright = read(&path, Conversion::Refuse).unwrap();
        assert_eq!(upright.size(), (16, 8));
        assert_eq!((upright.pixels[0], upright.pixels[3 * 8 * 15]), (255, 0));
    }

    #[test]
    fn the_end_marker_of_a_jpeg_thumbnail_is_not_that_of_the_picture() {
        let thumbnail = [0xff, 0xda, 7, 0xff, 0xd9];
        let picture = [0xff, 0xda, 7, 7];
        assert!(!jpeg_is_whole(&[&thumbnail[..], &picture].concat()));
        assert!(jpeg_is_whole(&[&thumbnail[..], &picture, &[0xff, 0xd9, 0]].concat()));
        assert!(!jpeg_is_whole(&[]));
    }

    #[test]
    fn a_file_that_is_no_whole_picture_is_an_error_that_names_it() {
        let folder = TempDir::new().unwrap();
        let noise = ImageBuffer::from_fn(64, 64, |x, y| Rgb([(x * y) as u8, (x * 7 + y * y) as u8, (x ^ y) as u8]));
        for name in ["cut.png", "cut.jpg", "cut.webp", "cut.bmp", "cut.tif"] {
            let path = saved(&folder, name, noise.clone());
            let file = fs::read(&path).unwrap();
            fs::write(&path, &file[..file.len() / 2]).unwrap();
            let error = read(&path, Conversion::Refuse).err().map_or(String::new(), |error| error.to_string());
            assert!(error.contains(name), "{error}");
        }
        let text = folder.path().join("text.png");
        fs::write(&text, "no picture").unwrap();
        assert!(matches!(read(&text, Conversion::Refuse), Err(Error::Decode { .. })));
        assert!(matches!(read(&folder.path().join("absent.png"), Conversion::Refuse), Err(Error::Read { .. })));
        assert!(matches!(read(folder.path(), Conversion::Refuse), Err(Error::Read { .. })));
    }

    #[test]
    fn a_cause_is_told_once_along_the_chain_of_errors() {
        let folder = TempDir::new().unwrap();
        let text = folder.path().join("text.png");
        fs::write(&text, "no picture").unwrap();
        for path in [text, folder.path().join("absent.png")] {
            let error = read(&path, Conversion::Refuse).unwrap_err();
            let cause = std::error::Error::source(&error).map(|cause| cause.to_string());
            assert!(cause.is_none_or(|cause| !error.to_string().contains(&cause)), "{error}");
        }
    }
}
