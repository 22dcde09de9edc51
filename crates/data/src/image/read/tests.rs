use ::image::codecs::jpeg::JpegEncoder;
use ::image::{DynamicImage, ImageBuffer, ImageEncoder, Luma, LumaA, Rgb, Rgba};
use tempfile::TempDir;

use super::*;

fn saved(folder: &TempDir, name: &str, picture: impl Into<DynamicImage>) -> std::path::PathBuf {
    let path = folder.path().join(name);
    picture.into().save(&path).unwrap();
    path
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
