//! Rows to a PNG file.

use std::borrow::Cow;
use std::io::Write;

use png::{BitDepth, ColorType, EncodingError, Info};

use super::{Target, eight, sixteen};
use crate::Error;

/// Bytes of a chunk of pixels.
const CHUNK: usize = 1 << 18;

impl Target<'_> {
    pub(super) fn write_png<E: From<Error>>(
        &self,
        file: &mut impl Write,
        bands: impl Iterator<Item = Result<Vec<f32>, E>>,
    ) -> Result<(), E> {
        let failed = |error| self.png_error(error);
        let mut writer =
            png::Encoder::with_info(file, self.info()).and_then(png::Encoder::write_header).map_err(failed)?;
        let mut rows = writer.stream_writer_with_size(CHUNK).map_err(failed)?;
        for band in bands {
            let band = band?;
            let samples = match self.kind.sixteen {
                false => self.samples(&band, eight),
                true => self.samples(&band, |value| sixteen(value).to_be_bytes()).into_flattened(),
            };
            rows.write_all(&samples).map_err(|source| self.unwritten(source))?;
        }
        rows.finish().and_then(|()| writer.finish()).map_err(failed)?;
        Ok(())
    }

    fn info(&self) -> Info<'_> {
        let (height, width) = self.header.size;
        let mut info = Info::with_size(width as u32, height as u32); // the format's limits were checked
        info.bit_depth = if self.kind.sixteen { BitDepth::Sixteen } else { BitDepth::Eight };
        info.color_type = match (self.kind.grey, self.kind.alpha) {
            (true, false) => ColorType::Grayscale,
            (true, true) => ColorType::GrayscaleAlpha,
            (false, false) => ColorType::Rgb,
            (false, true) => ColorType::Rgba,
        };
        info.icc_profile = self.icc.map(Cow::from);
        info.exif_metadata = self.header.exif.as_deref().map(Cow::from);
        info
    }

    fn png_error(&self, error: EncodingError) -> Error {
        let (height, width) = self.header.size;
        match error {
            EncodingError::IoError(source) => self.unwritten(source),
            other => Error::Encode { height, width, format: "PNG", reason: other.to_string() },
        }
    }
}
