//! Rows to a TIFF file.

use std::io::{Seek, Write};

use exif::Context;
use tiff::TiffError;
use tiff::encoder::colortype::{ColorType, Gray8, Gray16, RGB8, RGB16, RGBA8, RGBA16};
use tiff::encoder::{TiffEncoder, TiffKind, TiffValue};
use tiff::tags::Tag;

use super::{Target, eight, sixteen};
use crate::Error;

/// Bytes of pixels from which on a file is a BigTIFF, whose offsets have 64 bits: all else in a file is much less than the
/// 2^31 bytes that are left.
const BIG: usize = 1 << 31;

impl Target<'_> {
    pub(super) fn write_tiff<E: From<Error>>(
        &self,
        file: &mut (impl Write + Seek),
        bands: impl Iterator<Item = Result<Vec<f32>, E>>,
    ) -> Result<(), E> {
        let (height, width) = self.header.size;
        let bytes = height.saturating_mul(width).saturating_mul(self.planes() << u8::from(self.kind.sixteen));
        let failed = |error| self.tiff_error(error);
        if bytes < BIG {
            self.of_kind(TiffEncoder::new(file).map_err(failed)?, bands)
        } else {
            self.of_kind(TiffEncoder::new_big(file).map_err(failed)?, bands)
        }
    }

    fn of_kind<E: From<Error>, K: TiffKind>(
        &self,
        file: TiffEncoder<impl Write + Seek, K>,
        bands: impl Iterator<Item = Result<Vec<f32>, E>>,
    ) -> Result<(), E> {
        match (self.kind.grey, self.kind.alpha, self.kind.sixteen) {
            (true, _, false) => self.strips::<Gray8, E, K>(file, bands, eight),
            (true, _, true) => self.strips::<Gray16, E, K>(file, bands, sixteen),
            (false, false, false) => self.strips::<RGB8, E, K>(file, bands, eight),
            (false, false, true) => self.strips::<RGB16, E, K>(file, bands, sixteen),
            (false, true, false) => self.strips::<RGBA8, E, K>(file, bands, eight),
            (false, true, true) => self.strips::<RGBA16, E, K>(file, bands, sixteen),
        }
    }

    fn strips<C: ColorType<Inner: Copy + Default>, E: From<Error>, K: TiffKind>(
        &self,
        mut file: TiffEncoder<impl Write + Seek, K>,
        bands: impl Iterator<Item = Result<Vec<f32>, E>>,
        to_sample: impl Fn(f32) -> C::Inner,
    ) -> Result<(), E>
    where
        [C::Inner]: TiffValue,
    {
        let failed = |error| self.tiff_error(error);
        let (height, width) = self.header.size;
        let exif = self.exif.as_ref();
        let beside = exif.map(|exif| exif.write_beside(&mut file)).transpose().map_err(failed)?.unwrap_or_default();
        let mut image = file.new_image::<C>(width as u32, height as u32).map_err(failed)?; // the limits were checked
        if let Some(icc) = self.icc {
            image.encoder().write_tag(Tag::IccProfile, icc).map_err(failed)?;
        }
        exif.map_or(Ok(()), |exif| exif.write(Context::Tiff, image.encoder())).map_err(failed)?;
        for (tag, place) in beside {
            image.encoder().write_tag(tag, place).map_err(failed)?;
        }
        let mut held = Vec::new();
        for band in bands {
            held.extend(self.samples(&band?, &to_sample));
            let mut written = 0;
            loop {
                let length = image.next_strip_sample_count() as usize;
                let Some(strip) = held.get(written..written + length).filter(|strip| !strip.is_empty()) else { break };
                image.write_strip(strip).map_err(failed)?;
                written += length;
            }
            held.drain(..written);
        }
        image.finish().map_err(failed)?;
        Ok(())
    }

    fn tiff_error(&self, error: TiffError) -> Error {
        let (height, width) = self.header.size;
        match error {
            TiffError::IoError(source) => self.unwritten(source),
            other => Error::Encode { height, width, format: "TIFF", reason: other.to_string() },
        }
    }
}
