use std::fs::File;
use std::io::Cursor;

use exif::experimental::Writer;
use exif::{Exif, Field, In, Rational, Reader, SRational, Tag, Value};
use tempfile::TempDir;

use super::super::{RowReader, read_picture};
use super::*;

const WEBP: Format = Format::WebP { quality: None };
const LOSSY: Format = Format::WebP { quality: Some(80) };
/// A little-endian TIFF header and no directory that can be read.
const EXIF: &[u8] = b"II\x2a\0\x08\0\0\0\0\0\0\0\0\0";

/// 70 rows of 3 columns: more than are read at a time. Every one of the first 65,536 / 312 numbers of 16 bits in turn.
fn picture(channels: usize, alpha: bool, deep: bool) -> Picture {
    let samples = |count: usize| match deep {
        true => Samples::Sixteen((0..count).map(|i| (i * 104_729) as u16).collect()),
        false => Samples::Eight((0..count).map(|i| (i * 37 + i / 7) as u8).collect()),
    };
    let mut picture = Picture::new(70, 3, samples(210 * channels), alpha.then(|| samples(210))).unwrap();
    let colors = if channels == 1 { b"GRAY" } else { b"RGB " };
    picture.icc = Some((0..16).chain(*colors).chain([7; 300]).collect());
    picture.exif = Some(EXIF.into());
    picture
}

/// What becomes of a picture that is written in bands of 1, 2, 3 .. rows, and of one that is read in bands.
fn through(picture: &Picture, format: Format) -> (Picture, Vec<Loss>, Vec<f32>) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("picture");
    let cuts = [0, 1, 3, 6, 10, 15, 21, 28, 36, 45, 55, 66, 70];
    let bands = cuts.windows(2).map(|cut| Ok::<_, Error>(picture.rows_to_planes_f32(cut[0]..cut[1])));
    let mut file = File::create(&path).unwrap();
    let lost = write_rows(&mut file, &path, &Header::from(picture), format, bands).unwrap();
    let rows = RowReader::open(&path).unwrap();
    let planes = rows.header().planes();
    let mut whole = vec![Vec::new(); planes];
    for band in rows.map(Result::unwrap) {
        let area = band.len() / planes;
        whole.iter_mut().zip(band.chunks_exact(area)).for_each(|(whole, band)| whole.extend(band));
    }
    assert_eq!(Header::read(&path).unwrap(), Header::from(&read_picture(&path).unwrap()));
    (read_picture(&path).unwrap(), lost, whole.concat())
}

#[test]
fn what_is_written_in_bands_is_read_whole_and_in_bands() {
    for (channels, alpha, deep) in [
        (1, false, false),
        (3, false, false),
        (1, true, false),
        (3, true, false),
        (1, false, true),
        (3, true, true),
        (1, true, true),
    ] {
        let original = picture(channels, alpha, deep);
        let (found, lost, planes) = through(&original, Format::Png);
        assert_eq!((&found, lost), (&original, vec![]));
        assert_eq!(planes, original.rows_to_planes_f32(0..70));
    }
}

#[test]
fn formats_lose_what_they_do_in_one_piece() {
    for format in [Format::Tiff, Format::Jpeg { quality: 95 }, WEBP, LOSSY, Format::Bmp] {
        for (channels, alpha, deep) in [(1, false, true), (3, false, false), (1, true, false), (3, true, true)] {
            let original = picture(channels, alpha, deep);
            let encoded = encode(&original, format).unwrap();
            let folder = TempDir::new().unwrap();
            let path = folder.path().join("picture");
            std::fs::write(&path, &encoded.file).unwrap();
            let (found, lost, planes) = through(&original, format);
            assert_eq!((&found, lost), (&read_picture(&path).unwrap(), encoded.lost), "{format:?}");
            assert_eq!(planes, found.rows_to_planes_f32(0..70));
        }
    }
}

/// What a camera says: of the picture, of the exposure, of the place, and a note of its maker.
fn exif_of_a_camera() -> Vec<Field> {
    let text = |text: &str| Value::Ascii(vec![text.into()]);
    let ratios = |all: &[u32]| Value::Rational(all.iter().map(|&num| Rational { num, denom: 7 }).collect());
    let values = [
        (Tag::Make, text("A maker")),
        (Tag::Orientation, Value::Short(vec![1])),
        (Tag::XResolution, ratios(&[504])),
        (Tag::YResolution, ratios(&[504])),
        (Tag::ResolutionUnit, Value::Short(vec![2])),
        (Tag::DateTime, text("2026:11:21 12:00:00")),
        (Tag::ExposureTime, ratios(&[1])),
        (Tag::ExifVersion, Value::Undefined(b"0232".into(), 0)),
        (Tag::ExposureBiasValue, Value::SRational(vec![SRational { num: -1, denom: 3 }])),
        (Tag::MakerNote, Value::Undefined((0..=255).collect(), 0)),
        (Tag::PixelXDimension, Value::Long(vec![3])),
        (Tag::GPSLatitudeRef, text("N")),
        (Tag::GPSLatitude, ratios(&[50, 55, 42])),
    ];
    values.map(|(tag, value)| Field { tag, ifd_num: In::PRIMARY, value }).into()
}

/// Each field of EXIF data by its tag.
fn listed(exif: &Exif) -> Vec<String> {
    let mut lines: Vec<String> = exif
        .fields()
        .map(|field| format!("{} {:?}", field.tag, field.value.display_as(field.tag).to_string()))
        .collect();
    lines.sort();
    lines
}

#[test]
fn exif_data_go_through_a_tiff() {
    let (fields, mut writer, mut block) = (exif_of_a_camera(), Writer::new(), Cursor::new(Vec::new()));
    fields.iter().for_each(|field| writer.push_field(field));
    writer.write(&mut block, false).unwrap();
    let mut original = picture(3, false, true);
    original.exif = Some(block.into_inner());
    let (found, lost, _) = through(&original, Format::Tiff);
    assert_eq!(lost, vec![]);
    let [before, after] = [&original, &found].map(|picture| {
        let exif = Reader::new().read_raw(picture.exif.clone().unwrap()).unwrap();
        listed(&exif)
    });
    assert_eq!(before, after);
    assert_eq!(before.len(), fields.len());
    assert_eq!((&found.icc, found.color()), (&original.icc, original.color()));
}

#[test]
fn bands_that_are_not_the_picture_are_an_error() {
    let original = picture(3, false, false);
    let header = Header::from(&original);
    let written = |bands: Vec<Vec<f32>>, format| {
        let mut file = std::io::Cursor::new(Vec::new());
        write_rows(&mut file, Path::new("p"), &header, format, bands.into_iter().map(Ok::<_, Error>)).unwrap_err()
    };
    for format in [Format::Png, Format::Tiff, WEBP] {
        for bands in [vec![vec![0.0; 69 * 9]], vec![vec![0.0; 71 * 9]], vec![vec![0.0; 4]], vec![vec![]]] {
            assert!(matches!(written(bands, format), Error::PictureLength { .. }), "{format:?}");
        }
        let error = written(vec![vec![0.0; 9], vec![f32::NAN; 9]], format).to_string();
        assert!(error.starts_with("value NaN in channel 0, row 0, column 0"), "{error}");
    }
}

#[test]
fn a_png_that_breaks_off_ends_with_an_error() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("torn.png");
    let original = picture(3, false, true);
    let file = encode(&original, Format::Png).unwrap().file;
    std::fs::write(&path, &file[..file.len() - 400]).unwrap();
    let bands: Vec<_> = RowReader::open(&path).unwrap().collect();
    let error = bands.last().unwrap().as_ref().unwrap_err().to_string();
    assert!(error.contains("torn.png") && bands.iter().filter(|band| band.is_err()).count() == 1, "{error}");
}

#[test]
fn a_size_that_a_format_cannot_have_is_told_without_pixels() {
    for (format, size, fits) in [
        (Format::Jpeg { quality: 9 }, (65_535, 1), true),
        (Format::Jpeg { quality: 9 }, (1, 65_536), false),
        (WEBP, (16_383, 16_383), true),
        (WEBP, (16_384, 1), false),
        (Format::Png, (1 << 31, 1), false),
    ] {
        assert_eq!(format.check(size).is_ok(), fits, "{format:?} {size:?}");
    }
}
