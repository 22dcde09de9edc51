use ::image::codecs::jpeg::JpegEncoder;
use ::image::{DynamicImage, ImageBuffer, ImageEncoder, Luma, LumaA, Rgb, Rgba};
use proptest::prelude::*;
use tempfile::TempDir;

use super::super::{Format, encode};
use super::*;

// Made by Pillow 13: one pixel (10, 20, 30, 40) of CMYK as JPEG and TIFF; a WebP of two frames, red and green, lossless;
// a PNG with a palette of three colours, of which two are transparent.
const CMYK_JPEG: &[u8] = include_bytes!("cmyk.jpg");
const CMYK_TIFF: &[u8] = include_bytes!("cmyk.tif");
const ANIMATED_WEBP: &[u8] = include_bytes!("animated.webp");
const PALETTE_PNG: &[u8] = include_bytes!("palette.png");
/// A little-endian TIFF header, then one entry: tag 0x0112 (orientation), type 3 (16 bits), count 1, value 6.
const EXIF_TURNED: &[u8] = b"II\x2a\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
const FORMATS: [&str; 5] = ["png", "jpg", "webp", "bmp", "tif"];

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
    let mut file = Vec::new();
    let mut encoder = JpegEncoder::new(&mut file);
    encoder.set_exif_metadata(EXIF_TURNED.to_vec()).unwrap();
    encoder.encode_image(&stored).unwrap();
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("turned.jpg");
    fs::write(&path, file).unwrap();
    let upright = read(&path, Conversion::Refuse).unwrap();
    assert_eq!(upright.size(), (16, 8));
    assert_eq!((upright.pixels[0], upright.pixels[3 * 8 * 15]), (255, 0));
}

/// A picture that does not compress well, as a file.
fn noise(ending: &str) -> Vec<u8> {
    let noise = ImageBuffer::from_fn(64, 64, |x, y| Rgb([(x * y) as u8, (x * 7 + y * y) as u8, (x ^ y) as u8]));
    let folder = TempDir::new().unwrap();
    fs::read(saved(&folder, &format!("noise.{ending}"), noise)).unwrap()
}

/// What reading a file of these bytes gives.
fn read_bytes(name: &str, file: &[u8]) -> Result<Picture, Error> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, file).unwrap();
    read_picture(&path)
}

/// The message for a file of these bytes, which starts with the file's name.
fn complaint(name: &str, file: &[u8]) -> String {
    let message = read_bytes(name, file).unwrap_err().to_string();
    let at = message.find(&format!("{name}: ")).unwrap_or_else(|| panic!("{message}"));
    message[at..].to_string()
}

#[test]
fn a_truncated_file_is_an_error_that_names_it() {
    for ending in FORMATS {
        let (name, file) = (format!("cut.{ending}"), noise(ending));
        let expected = if ending == "jpg" { "the JPEG data breaks off before its end" } else { "found none: " };
        for length in [20, file.len() / 2, file.len() * 9 / 10, file.len() - 20] {
            let message = complaint(&name, &file[..length]);
            assert!(message.contains(expected), "{message}");
        }
    }
}

#[test]
fn a_png_with_a_wrong_checksum_is_an_error() {
    let mut file = noise("png");
    let at = file.len() - 12 - 1; // the last byte of the pixels' checksum, before the 12 bytes of IEND
    file[at] ^= 1;
    let message = complaint("wrong.png", &file);
    assert!(message.contains("found none: ") && message.contains("CRC"), "{message}");
}

#[test]
fn a_text_file_named_png_is_an_error() {
    let message = complaint("text.png", b"no picture");
    assert!(message.starts_with("text.png: expected a whole picture (png, jpeg, webp, bmp or tiff)"), "{message}");
    assert!(matches!(read_bytes("empty.png", &[]), Err(Error::Decode { .. })));
}

#[test]
fn what_the_system_does_not_let_us_read_is_an_error() {
    let folder = TempDir::new().unwrap();
    for path in [folder.path().join("vanished.png"), folder.path().into()] {
        assert!(matches!(read_picture(&path), Err(Error::Read { path: named, .. }) if named == path));
    }
}

/// The beginning of a PNG file of `side` x `side` pixels of RGB, 8 bits, with the checksum of its header.
fn png_header(side: u32, checksum: u32) -> Vec<u8> {
    let side = side.to_be_bytes();
    let header = [b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR", &side[..], &side, &[8, 2, 0, 0, 0], &checksum.to_be_bytes()];
    [&header.concat(), b"\0\0\0\x01IDAT".as_slice()].concat()
}

#[test]
fn a_picture_too_large_is_refused_by_its_header() {
    for (side, checksum) in [(30_000, 0xe945_6fed), (60_000, 0x0fb0_e215), (26_755, 0x73b1_4ace)] {
        let message = complaint("huge.png", &png_header(side, checksum));
        let bytes = 3 * u64::from(side) * u64::from(side);
        let expected = format!(
            "huge.png: ({side}, {side}) (height, width) takes {bytes} bytes decoded, at most 2147483648 are read"
        );
        assert!(message.starts_with(&expected), "{message}");
    }
    // 26754^2 * 3 = 2147329548 is less than 2^31, so the pixels are looked for; the file is cut.
    assert!(matches!(read_bytes("cut.png", &png_header(26_754, 0x572f_f255)), Err(Error::Decode { .. })));
}

#[test]
fn headers_of_other_formats_that_claim_too_much_are_refused() {
    let mut bmp = noise("bmp");
    bmp[18..26].copy_from_slice(&[60_000u32.to_le_bytes(); 2].concat());
    let mut jpeg = noise("jpg");
    let at = jpeg.windows(2).position(|marker| marker == [0xff, 0xc0]).unwrap();
    jpeg[at + 5..at + 9].fill(0xff);
    for (name, file) in [("huge.bmp", bmp), ("huge.jpg", jpeg)] {
        assert!(matches!(read_bytes(name, &file), Err(Error::TooLarge { .. })), "{name}");
    }
}

#[test]
fn a_jpeg_too_long_is_refused_before_it_is_read() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("long.jpg");
    fs::write(&path, noise("jpg")).unwrap();
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(1 << 40).unwrap(); // a hole takes no disk
    let message = read_picture(&path).unwrap_err().to_string();
    assert!(message.contains("long.jpg") && message.contains("1099511627776 bytes"), "{message}");
}

#[test]
fn cmyk_is_refused() {
    for (name, file) in [("cmyk.jpg", CMYK_JPEG), ("cmyk.tif", CMYK_TIFF)] {
        let message = complaint(name, file);
        assert!(
            message.contains("expected grey or RGB with 8 or 16 bits per channel, found CMYK; convert"),
            "{message}"
        );
    }
}

#[test]
fn only_an_animation_has_further_pictures() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("moving.webp");
    fs::write(&path, ANIMATED_WEBP).unwrap();
    assert!(is_animated(&path).unwrap());
    for ending in FORMATS {
        let path = saved(&folder, &format!("still.{ending}"), ImageBuffer::from_pixel(1, 1, Rgb([80u8; 3])));
        assert!(!is_animated(&path).unwrap(), "{ending}");
    }
}

#[test]
fn an_animation_gives_its_first_frame() {
    let picture = read_bytes("animated.webp", ANIMATED_WEBP).unwrap();
    assert_eq!(picture.into_rgb8(), Rgb8::new(1, 2, [[255, 0, 0]; 2].concat()).unwrap());
}

#[test]
fn a_palette_gives_its_colours_and_their_alpha() {
    let picture = read_bytes("palette.png", PALETTE_PNG).unwrap();
    assert_eq!(picture.color(), &Samples::Eight(vec![10, 20, 30, 40, 50, 60, 70, 80, 90]));
    assert_eq!(picture.alpha(), Some(&Samples::Eight(vec![255, 128, 0])));
}

#[test]
fn one_pixel_is_a_picture() {
    let folder = TempDir::new().unwrap();
    for ending in FORMATS {
        let path = saved(&folder, &format!("one.{ending}"), ImageBuffer::from_pixel(1, 1, Rgb([80u8; 3])));
        assert_eq!(read(&path, Conversion::Refuse).unwrap(), Rgb8::new(1, 1, vec![80; 3]).unwrap(), "{ending}");
    }
}

/// Files of every format, two of them with profile and EXIF data.
fn whole_files() -> Vec<Vec<u8>> {
    let mut picture = Picture::new(2, 3, Samples::Sixteen((0..18).collect()), None).unwrap();
    (picture.icc, picture.exif) = (Some(b"0123456789abcdefRGB ...".to_vec()), Some(EXIF_TURNED.to_vec()));
    let encoded = [Format::Png, Format::WebP { quality: None }].map(|format| encode(&picture, format).unwrap().file);
    let small = [CMYK_JPEG, CMYK_TIFF, ANIMATED_WEBP, PALETTE_PNG].map(<[u8]>::to_vec);
    FORMATS.map(noise).into_iter().chain(encoded).chain(small).collect()
}

proptest! {
    #[test]
    fn a_damaged_file_is_an_error_or_a_picture(
        mut file in proptest::sample::select(whole_files()),
        damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..8),
        length in any::<proptest::sample::Index>(),
    ) {
        // Damage to the header matters most: half of it goes there.
        let header = file.len().min(200);
        for (at, value) in damage {
            let range = if value % 2 == 0 { header } else { file.len() };
            file[at.index(range)] = value;
        }
        let length = length.index(2 * file.len()).min(file.len());
        match read_bytes("damaged", &file[..length]) {
            Ok(picture) => prop_assert!(picture.size() != (0, 0)),
            Err(error) => {
                let message = error.to_string();
                prop_assert!(message.contains("damaged") && !message.contains(char::is_control), "{message:?}");
            }
        }
    }
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
