//! Rows of floats to a picture file, a few at a time.

mod png;
mod tiff;

use std::io::{self, Seek, Write};
use std::path::Path;

use super::exif_fields::Fields;
use super::samples::{check_finite, interleaved, quantised};
use super::write::Kind;
use super::{Format, Header, Loss, Picture, Samples, encode};
use crate::Error;

/// Writes a picture to `file`, called `path` in messages, from the top: `bands` are `[planes, rows, width]` floats as
/// [`RowReader`](super::RowReader) gives them, of any number of rows, clamped to [0, 1] and rounded half away from zero to
/// the header's depth, or to 8 bits where the format has no 16. Tells what the format cannot hold.
///
/// PNG and TIFF are written as the bands come; TIFF uncompressed, as BigTIFF from 2 GiB on. Pictures of the other formats
/// are held whole, in 8 bits.
///
/// Errors: those of `bands`; [`Error::Write`] for the system's; [`Error::Encode`] for a picture that is too large for the
/// format, [`Error::PictureLength`] for bands that do not make up the header's size, [`Error::NotFinite`] (its row counted
/// in the band).
pub fn write_rows<E: From<Error>>(
    file: &mut (impl Write + Seek),
    path: &Path,
    header: &Header,
    format: Format,
    bands: impl Iterator<Item = Result<Vec<f32>, E>>,
) -> Result<Vec<Loss>, E> {
    format.check(header.size)?;
    let kind = Kind::of(header, format);
    let icc = header.icc.as_deref().filter(|icc| kind.takes(icc));
    let mut lost = kind.lost(header);
    let exif = header.exif.as_deref().and_then(Fields::of);
    let target = Target { path, header, kind, icc, exif };
    let bands = Checked { target: &target, bands, rows: 0 };
    match format {
        Format::Png => target.write_png(file, bands)?,
        Format::Tiff => target.write_tiff(file, bands)?,
        _ => {
            let picture = target.whole(bands)?;
            let encoded = encode(&picture, format)?;
            file.write_all(&encoded.file).map_err(|source| target.unwritten(source))?;
            lost.extend(encoded.lost);
            return Ok(lost);
        }
    }
    lost.extend((header.icc.is_some() && icc.is_none()).then_some(Loss::Profile));
    lost.extend((format == Format::Tiff && header.exif.is_some() && target.exif.is_none()).then_some(Loss::Exif));
    Ok(lost)
}

/// The file that is written.
struct Target<'a> {
    path: &'a Path,
    header: &'a Header,
    kind: Kind,
    /// The profile, if it fits the file's pixels.
    icc: Option<&'a [u8]>,
    /// What the EXIF data say, as a TIFF has it.
    exif: Option<Fields>,
}

impl Target<'_> {
    /// Samples of a pixel in the file.
    fn planes(&self) -> usize {
        (if self.kind.grey { 1 } else { 3 }) + usize::from(self.kind.alpha)
    }

    /// A checked band's samples, pixel after pixel.
    fn samples<T: Copy + Default>(&self, band: &[f32], to_sample: impl Fn(f32) -> T) -> Vec<T> {
        interleaved(band.len() / self.planes(), band, to_sample)
    }

    /// All bands as a picture of 8 bits.
    fn whole<E: From<Error>>(&self, bands: impl Iterator<Item = Result<Vec<f32>, E>>) -> Result<Picture, E> {
        let (mut color, mut alpha) = (Vec::new(), Vec::new());
        let channels = self.planes() - usize::from(self.kind.alpha);
        for band in bands {
            let band = band?;
            let area = band.len() / self.planes();
            color.extend(interleaved(area, &band[..channels * area], eight));
            alpha.extend(band[channels * area..].iter().copied().map(eight));
        }
        let (height, width) = self.header.size;
        let alpha = self.kind.alpha.then_some(Samples::Eight(alpha));
        let mut picture = Picture::new(height, width, Samples::Eight(color), alpha)?;
        (picture.icc, picture.exif) = (self.header.icc.clone(), self.header.exif.clone());
        Ok(picture)
    }

    fn unwritten(&self, source: io::Error) -> Error {
        Error::Write { path: self.path.into(), source }
    }
}

fn eight(value: f32) -> u8 {
    quantised(value, 255.0) as u8
}

fn sixteen(value: f32) -> u16 {
    quantised(value, 65535.0) as u16
}

/// Bands with the planes of the file, which together have the rows of the header.
struct Checked<'a, I> {
    target: &'a Target<'a>,
    bands: I,
    rows: usize,
}

impl<E: From<Error>, I: Iterator<Item = Result<Vec<f32>, E>>> Iterator for Checked<'_, I> {
    type Item = Result<Vec<f32>, E>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.bands.next() {
            None if self.rows == self.target.header.size.0 => None,
            None => Some(self.of_file(Vec::new()).map_err(E::from)),
            Some(band) => Some(band.and_then(|band| Ok(self.of_file(band)?))),
        }
    }
}

impl<I> Checked<'_, I> {
    /// The planes of a band that the file has: without opacity, or with grey three times.
    fn of_file(&mut self, mut band: Vec<f32>) -> Result<Vec<f32>, Error> {
        let Target { header, kind, .. } = self.target;
        let (planes, (height, width)) = (header.planes(), header.size);
        let (area, rows) = (band.len() / planes, band.len() / planes / width);
        self.rows += rows;
        if rows == 0 || band.len() != rows * width * planes || self.rows > height {
            let alpha = if header.alpha { self.rows * width } else { 0 };
            return Err(Error::PictureLength { height, width, color: self.rows * width * header.channels, alpha });
        }
        check_finite(rows, width, &band)?;
        if header.alpha && !kind.alpha {
            band.truncate(header.channels * area);
        }
        if header.channels == 1 && !kind.grey {
            band.splice(..0, [&band[..area]; 2].concat());
        }
        Ok(band)
    }
}

#[cfg(test)]
mod tests;
