//! A picture file to rows of floats, a few at a time.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};

use ::image::metadata::Orientation;
use png::{BitDepth, DecodingError, Transformations};

use super::read::{MAX_METADATA_BYTES, read_picture};
use super::{Header, Picture};
use crate::Error;

/// Rows that are read at a time.
const ROWS: usize = 32;
/// What a PNG file begins with (PNG, third edition, 5.2).
const SIGNATURE: [u8; 8] = [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n'];

/// Reads a picture from the top, as [`read_picture`] does, a few rows at a time.
///
/// Of a PNG file that is upright and not interlaced only these rows are held, whatever its size; pictures of other files
/// are decoded whole, within the limits of [`read_picture`].
///
/// The iterator gives bands, `[planes, rows, width]` floats in [0, 1]: grey, or red, green, blue, then the opacity if
/// there is one. A band has at least one row, and all bands together those of the picture. After an error it ends.
pub struct RowReader {
    path: PathBuf,
    header: Header,
    source: Source,
    next: usize,
}

enum Source {
    Png(Box<png::Reader<BufReader<File>>>),
    Whole(Picture),
}

impl RowReader {
    /// Opens a picture file.
    ///
    /// Errors: those of [`read_picture`].
    pub fn open(path: &Path) -> Result<Self, Error> {
        let (header, source) = match open_png(path)? {
            Some(reader) => (png_header(&reader), Source::Png(Box::new(reader))),
            None => {
                let picture = read_picture(path)?;
                (Header::from(&picture), Source::Whole(picture))
            }
        };
        Ok(Self { path: path.into(), header, source, next: 0 })
    }

    /// Whether the picture is decoded as rows are asked for, rather than held whole.
    pub fn is_in_rows(&self) -> bool {
        matches!(self.source, Source::Png(_))
    }

    /// What the picture is.
    pub fn header(&self) -> &Header {
        &self.header
    }
}

impl Iterator for RowReader {
    type Item = Result<Vec<f32>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let (height, width) = self.header.size;
        let rows = ROWS.min(height - self.next);
        if rows == 0 {
            return None;
        }
        let first = self.next;
        self.next += rows;
        let band = match &mut self.source {
            Source::Whole(picture) => Ok(picture.rows_to_planes_f32(first..first + rows)),
            Source::Png(reader) => {
                read_rows(reader, &self.header, rows, width).map_err(|error| undecodable(&self.path, &error))
            }
        };
        if band.is_err() {
            self.next = height;
        }
        Some(band)
    }
}

fn undecodable(path: &Path, error: &DecodingError) -> Error {
    Error::Decode { path: path.into(), reason: error.to_string() }
}

/// The reader of a PNG file that can be read row by row; none for all others.
fn open_png(path: &Path) -> Result<Option<png::Reader<BufReader<File>>>, Error> {
    let unreadable = |source| Error::Read { path: path.into(), source };
    let mut signature = Vec::new();
    File::open(path).map_err(unreadable)?.take(8).read_to_end(&mut signature).map_err(unreadable)?;
    if signature != SIGNATURE {
        return Ok(None);
    }
    let file = BufReader::new(File::open(path).map_err(unreadable)?);
    let mut decoder = png::Decoder::new_with_limits(file, png::Limits { bytes: MAX_METADATA_BYTES as usize });
    decoder.set_transformations(Transformations::EXPAND); // palettes to colours, less than 8 bits to 8, tRNS to alpha
    decoder.set_ignore_text_chunk(true);
    let reader = decoder.read_info().map_err(|error| undecodable(path, &error))?;
    let turned = reader.info().exif_metadata.as_deref().and_then(Orientation::from_exif_chunk);
    let upright = turned.is_none_or(|orientation| orientation == Orientation::NoTransforms);
    Ok((upright && !reader.info().interlaced).then_some(reader))
}

fn png_header(reader: &png::Reader<BufReader<File>>) -> Header {
    let (info, (color, depth)) = (reader.info(), reader.output_color_type());
    let alpha = matches!(color, png::ColorType::Rgba | png::ColorType::GrayscaleAlpha);
    Header {
        size: (info.height as usize, info.width as usize),
        channels: color.samples() - usize::from(alpha),
        alpha,
        sixteen: depth == BitDepth::Sixteen,
        icc: info.icc_profile.as_deref().map(Into::into),
        exif: info.exif_metadata.as_deref().map(Into::into),
    }
}

fn read_rows(
    reader: &mut png::Reader<BufReader<File>>,
    header: &Header,
    rows: usize,
    width: usize,
) -> Result<Vec<f32>, DecodingError> {
    let planes = header.planes();
    let mut band = vec![0.0; planes * rows * width];
    for y in 0..rows {
        let row = reader.next_row()?.ok_or(DecodingError::IoError(ErrorKind::UnexpectedEof.into()))?;
        for (plane, out) in band.chunks_exact_mut(rows * width).enumerate() {
            let out = &mut out[y * width..][..width];
            if header.sixteen {
                let samples = row.data().as_chunks::<2>().0.iter().skip(plane).step_by(planes);
                out.iter_mut()
                    .zip(samples)
                    .for_each(|(out, &bytes)| *out = f32::from(u16::from_be_bytes(bytes)) / 65535.0);
            } else {
                let samples = row.data().iter().skip(plane).step_by(planes);
                out.iter_mut().zip(samples).for_each(|(out, &sample)| *out = f32::from(sample) / 255.0);
            }
        }
    }
    Ok(band)
}
