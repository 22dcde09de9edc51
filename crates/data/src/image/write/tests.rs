use tempfile::TempDir;

use super::super::{Conversion, Samples, read, read_picture};
use super::*;

const JPEG: Format = Format::Jpeg { quality: 95 };
const WEBP: Format = Format::WebP { quality: None };
const LOSSY: Format = Format::WebP { quality: Some(95) };
const FORMATS: [(Format, &str); 5] =
    [(Format::Png, "png"), (JPEG, "jpg"), (WEBP, "webp"), (Format::Bmp, "bmp"), (Format::Tiff, "tif")];

/// A little-endian TIFF header, then one entry: tag 0x0112 (orientation), type 3 (16 bits), count 1, the value.
fn exif(orientation: u8) -> Vec<u8> {
    [b"II\x2a\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".as_slice(), &[orientation, 0, 0, 0, 0, 0, 0, 0]].concat()
}

/// A profile as far as its header's name of the colours; the rest is not looked at.
fn icc(colors: &[u8; 4]) -> Vec<u8> {
    (0..16).chain(*colors).chain((0..=255).cycle().take(70_000)).collect()
}

fn eight(count: usize) -> Samples {
    Samples::Eight((0..count).map(|i| (i * 37 + i * i) as u8).collect())
}

fn sixteen(count: usize) -> Samples {
    Samples::Sixteen((0..count).map(|i| (i * 9973 + 1) as u16).collect())
}

/// A picture of 3 rows and 5 columns with everything that a file can hold.
fn whole(color: Samples, alpha: Option<Samples>) -> Picture {
    let mut picture = Picture::new(3, 5, color, alpha).unwrap();
    picture.icc = Some(icc(if picture.channels() == 1 { b"GRAY" } else { b"RGB " }));
    picture.exif = Some(exif(1));
    picture
}

fn through(picture: &Picture, format: Format) -> (Picture, Vec<Loss>) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("picture");
    let Encoded { file, lost } = encode(picture, format).unwrap();
    std::fs::write(&path, file).unwrap();
    (read_picture(&path).unwrap(), lost)
}

#[test]
fn png_gives_everything_back() {
    for (color, alpha) in [
        (eight(15), None),
        (eight(45), None),
        (eight(15), Some(eight(15))),
        (eight(45), Some(eight(15))),
        (sixteen(15), None),
        (sixteen(45), None),
        (sixteen(15), Some(sixteen(15))),
        (sixteen(45), Some(sixteen(15))),
    ] {
        let picture = whole(color, alpha);
        assert_eq!(through(&picture, Format::Png), (picture, vec![]));
    }
}

#[test]
fn tiff_gives_everything_back_but_exif() {
    for (color, alpha) in
        [(eight(15), None), (eight(45), Some(eight(15))), (sixteen(15), None), (sixteen(45), Some(sixteen(15)))]
    {
        let mut picture = whole(color, alpha);
        let (back, lost) = through(&picture, Format::Tiff);
        picture.exif = None;
        assert_eq!((back, lost), (picture, vec![Loss::Exif]));
    }
}

#[test]
fn a_long_profile_is_not_lost() {
    let mut picture = whole(eight(45), None);
    picture.icc = Some([icc(b"RGB "), vec![7; 3 << 20]].concat());
    for format in [Format::Png, Format::Tiff, JPEG, WEBP, LOSSY] {
        let (back, lost) = through(&picture, format);
        assert!(back.icc == picture.icc && !lost.contains(&Loss::Profile), "{format:?}");
    }
}

#[test]
fn webp_gives_eight_bits_back() {
    for alpha in [None, Some(eight(15))] {
        let picture = whole(eight(45), alpha);
        assert_eq!(through(&picture, WEBP), (picture, vec![]));
    }
    let (back, lost) = through(&whole(sixteen(45), Some(sixteen(15))), WEBP);
    assert_eq!(lost, [Loss::Depth]);
    assert_eq!(back.color(), &Samples::Eight(sixteen(45).to_u8().into()));
    assert_eq!(back.alpha(), Some(&Samples::Eight(sixteen(15).to_u8().into())));
}

#[test]
fn lossy_webp_keeps_alpha_profile_and_exif() {
    // Grey pixels, all equal, have no chroma to lose: what is lost is the rounding to luma of 16 to 235 (BT.601), a level.
    for (color, alpha, told) in [
        (Samples::Eight(vec![200; 45]), None, vec![]),
        (Samples::Eight(vec![200; 45]), Some(eight(15)), vec![]),
        (Samples::Sixteen(vec![200 * 257; 45]), Some(sixteen(15)), vec![Loss::Depth]),
    ] {
        let picture = whole(color, alpha);
        let (back, lost) = through(&picture, LOSSY);
        assert_eq!((&back.icc, &back.exif, lost), (&picture.icc, &picture.exif, told));
        assert_eq!(back.alpha().map(Samples::to_u8), picture.alpha().map(Samples::to_u8));
        let seen = |at: usize| picture.alpha().is_none_or(|alpha| alpha.to_u8()[at] > 0); // what is not seen is not kept
        let color = back.color().to_u8();
        let mut pixels = color.chunks_exact(3).enumerate().filter(|(at, _)| seen(*at));
        assert!(pixels.all(|(_, pixel)| pixel.iter().all(|sample| sample.abs_diff(200) <= 2)), "{color:?}");
    }
}

#[test]
fn lower_quality_makes_smaller_files() {
    let noise = Picture::new(64, 64, eight(64 * 64 * 3), None).unwrap();
    for format in [|quality| Format::Jpeg { quality }, |quality| Format::WebP { quality: Some(quality) }] {
        let size = |quality| encode(&noise, format(quality)).unwrap().file.len();
        assert!(size(10) < size(50) && size(50) < size(95));
    }
}

#[test]
fn bmp_gives_the_pixels_back() {
    for alpha in [None, Some(eight(15))] {
        let (back, lost) = through(&whole(eight(45), alpha.clone()), Format::Bmp);
        assert_eq!((back, lost), (Picture::new(3, 5, eight(45), alpha).unwrap(), vec![Loss::Profile, Loss::Exif]));
    }
}

#[test]
fn grey_with_alpha_becomes_rgb_where_there_is_no_grey_with_alpha() {
    let tripled = Samples::Eight(eight(15).to_u8().iter().flat_map(|&grey| [grey; 3]).collect());
    for format in [Format::Tiff, WEBP, Format::Bmp] {
        let (back, lost) = through(&whole(eight(15), Some(eight(15))), format);
        assert_eq!((back.color(), back.alpha()), (&tripled, Some(&eight(15))), "{format:?}");
        // A profile of grey is none for RGB.
        assert!(back.icc.is_none() && lost.contains(&Loss::Profile), "{format:?}");
    }
}

#[test]
fn jpeg_keeps_profile_and_exif_and_tells_of_alpha_and_depth() {
    // All pixels are equal, so at quality 95 a JPEG is at most one level off.
    for (color, alpha, told) in [
        (Samples::Eight(vec![200; 45]), None, vec![]),
        (Samples::Eight(vec![200; 15]), Some(eight(15)), vec![Loss::Alpha]),
        (Samples::Sixteen(vec![200 * 257; 45]), Some(sixteen(15)), vec![Loss::Depth, Loss::Alpha]),
    ] {
        let picture = whole(color, alpha);
        let (back, lost) = through(&picture, JPEG);
        assert_eq!((back.size(), back.channels(), back.alpha()), ((3, 5), picture.channels(), None));
        assert_eq!((&back.icc, &back.exif, lost), (&picture.icc, &picture.exif, told));
        assert!(back.color().to_u8().iter().all(|sample| sample.abs_diff(200) <= 1));
    }
}

#[test]
fn exif_data_too_long_for_jpeg_are_told_and_do_not_break_the_file() {
    let mut picture = whole(eight(45), None);
    picture.exif.as_mut().unwrap().resize(70_000, 0);
    let (back, lost) = through(&picture, JPEG);
    assert_eq!((back.exif, lost), (None, vec![Loss::Exif]));
    assert_eq!(through(&picture, Format::Png), (picture, vec![]));
}

#[test]
fn each_orientation_is_applied_once() {
    // Stored is 1 2 3 above 4 5 6. The tag says where its first row and column belong (EXIF 2.32, 4.6.4): 1 top left,
    // 2 top right, 3 bottom right, 4 bottom left, 5 left top, 6 right top, 7 right bottom, 8 left bottom.
    let cases: [(u8, (usize, usize), [u8; 6]); 8] = [
        (1, (2, 3), [1, 2, 3, 4, 5, 6]),
        (2, (2, 3), [3, 2, 1, 6, 5, 4]),
        (3, (2, 3), [6, 5, 4, 3, 2, 1]),
        (4, (2, 3), [4, 5, 6, 1, 2, 3]),
        (5, (3, 2), [1, 4, 2, 5, 3, 6]),
        (6, (3, 2), [4, 1, 5, 2, 6, 3]),
        (7, (3, 2), [6, 3, 5, 2, 4, 1]),
        (8, (3, 2), [3, 6, 2, 5, 1, 4]),
    ];
    for (orientation, size, samples) in cases {
        let mut stored = Picture::new(2, 3, Samples::Eight((1..=6).collect()), None).unwrap();
        stored.exif = Some(exif(orientation));
        let (upright, _) = through(&stored, Format::Png);
        assert_eq!((upright.size(), upright.color()), (size, &Samples::Eight(samples.into())), "{orientation}");
        assert_eq!(upright.exif.as_deref(), Some(&*exif(1)));
        assert_eq!(through(&upright, Format::Png).0, upright);
    }
}

#[test]
fn a_picture_too_large_for_a_format_names_both() {
    let long = Picture::new(1, 70_000, Samples::Eight(vec![0; 70_000]), None).unwrap();
    for (format, name) in [(JPEG, "JPEG"), (WEBP, "WebP"), (LOSSY, "WebP")] {
        let error = encode(&long, format).unwrap_err().to_string();
        assert!(error.starts_with(&format!("a picture of 1x70000 cannot be encoded as {name}: ")), "{error}");
    }
}

#[test]
fn the_format_is_told_by_the_ending() {
    for (format, ending) in FORMATS {
        for ending in [ending.to_string(), ending.to_uppercase()] {
            assert_eq!(Format::of(Path::new("a").with_extension(ending).as_path(), None).unwrap(), format);
        }
    }
    assert_eq!(Format::of(Path::new("a.webp"), Some(95)).unwrap(), LOSSY);
    assert_eq!(Format::of(Path::new("a.jpg"), Some(9)).unwrap(), Format::Jpeg { quality: 9 });
    for path in ["a", "a.gif", ".png"] {
        let error = Format::of(Path::new(path), None).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{path}: expected a file name that ends in png")), "{error}");
    }
}

#[test]
fn an_rgb_picture_comes_back_from_its_png() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("counting.png");
    let counting = Rgb8::new(2, 3, (0..18).collect()).unwrap();
    std::fs::write(&path, encode_png(&counting).unwrap()).unwrap();
    assert_eq!(read(&path, Conversion::Refuse).unwrap(), counting);
}
