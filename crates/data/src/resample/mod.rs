//! Resampling of pictures to any size: as MATLAB's `imresize` does it, which made the LR pictures of the benchmarks, and by
//! other kernels.
//!
//! A [`Resampler`] is made once for a size and a [`Method`] and applied to any number of pictures. Rows are resampled
//! first, then columns; sums are those of f64. 8-bit and 16-bit samples are rounded after each of the two passes, floats
//! never.

mod fixed;
mod kernel;
mod sum;
mod taps;

use std::ops::Range;

use rayon::prelude::*;

use crate::Error;
use crate::image::Rgb8;

pub use kernel::{Kernel, cubic};
pub use sum::Sample;
pub use taps::{Border, Method, Scale, Taps, contributions};

/// The longest side of a picture that is resampled, in pixels.
const LONGEST: usize = 1 << 24;

/// Output rows that are made together, on one thread.
const STRIP: usize = 32;

/// Resamples pictures of one size to another.
#[derive(Debug, Clone)]
pub struct Resampler {
    input: (usize, usize),
    output: (usize, usize),
    rows: Vec<Taps>,
    columns: Vec<Taps>,
}

impl Resampler {
    /// From `input` to `output` (height, width): each direction is scaled by the ratio of its sides.
    ///
    /// [`Error::Setting`] for a side that is 0 or longer than 2^24.
    pub fn to_size(input: (usize, usize), output: (usize, usize), method: &Method) -> Result<Self, Error> {
        let rows = Scale { up: side("height", output.0)?, down: side("height", input.0)? };
        let columns = Scale { up: side("width", output.1)?, down: side("width", input.1)? };
        Ok(Self::new(input, output, [rows, columns], method))
    }

    /// From `input` (height, width) to `ceil(side * up / down)`, both directions scaled by exactly `up / down`, as MATLAB's
    /// `imresize` does when it is given a scale: where `down` does not divide a side, the last output sample lies nearer to
    /// the edge than the first.
    ///
    /// [`Error::Setting`] for a side, or a part of the scale, that is 0 or longer than 2^24.
    pub fn by_scale(input: (usize, usize), scale: Scale, method: &Method) -> Result<Self, Error> {
        let (up, down) = (scale.up as usize, scale.down as usize);
        for (key, value) in [("height", input.0), ("width", input.1), ("scale", up), ("scale", down)] {
            side(key, value)?;
        }
        let output = ((input.0 * up).div_ceil(down), (input.1 * up).div_ceil(down));
        side("height", output.0)?;
        side("width", output.1)?;
        Ok(Self::new(input, output, [scale; 2], method))
    }

    fn new(input: (usize, usize), output: (usize, usize), [rows, columns]: [Scale; 2], method: &Method) -> Self {
        let rows = contributions(input.0, output.0, rows, method);
        let columns = contributions(input.1, output.1, columns, method);
        Self { input, output, rows, columns }
    }

    /// (height, width) of what comes out.
    pub fn output(&self) -> (usize, usize) {
        self.output
    }

    /// A picture resampled in 8-bit passes: values are rounded to the nearest 8-bit number (halves up) and clamped after
    /// each of the two. With [`Method::bicubic`] this gives the benchmarks' LR files bit for bit.
    ///
    /// [`Error::Samples`] for a picture of another size.
    pub fn rgb8(&self, picture: &Rgb8) -> Result<Rgb8, Error> {
        let (height, width) = self.output;
        let pixels = self.interleaved(picture.pixels.as_chunks::<3>().0)?;
        Ok(Rgb8 { height, width, pixels: pixels.into_flattened() })
    }

    /// `[H, W]` pixels of `C` samples each to `[H, W]` of the output.
    ///
    /// [`Error::Samples`] for another number of pixels than the input's.
    pub fn interleaved<T: Sample, const C: usize>(&self, pixels: &[[T; C]]) -> Result<Vec<[T; C]>, Error> {
        self.check(pixels.len(), 1)?;
        let mut out = vec![[T::default(); C]; self.output.0 * self.output.1];
        self.plane(pixels, &mut out);
        Ok(out)
    }

    /// `[C, H, W]` planes to `[C, H, W]` of the output, for any number of planes C.
    ///
    /// [`Error::Samples`] if the samples are not whole planes of the input's size.
    pub fn planes<T: Sample>(&self, planes: &[T]) -> Result<Vec<T>, Error> {
        let (area_in, area_out) = (self.input.0 * self.input.1, self.output.0 * self.output.1);
        let count = planes.len() / area_in;
        self.check(planes.len(), count)?;
        let mut out = vec![T::default(); count * area_out];
        for (plane, out) in planes.chunks_exact(area_in).zip(out.chunks_exact_mut(area_out)) {
            self.plane(plane.as_chunks::<1>().0, out.as_chunks_mut::<1>().0);
        }
        Ok(out)
    }

    /// The input rows that some output rows are made of. `rows` are rows of the output, at least one.
    pub fn needs(&self, rows: Range<usize>) -> Range<usize> {
        let indices = || self.rows[rows.clone()].iter().flat_map(|taps| taps.indices.iter().copied());
        indices().min().unwrap_or(0)..indices().max().map_or(0, |last| last + 1)
    }

    /// Some rows of the output, `[C, rows, W]`, from `[C, n, w]` planes that hold the n input rows from `first` on: the same
    /// numbers as in the output of [`Resampler::planes`]. A picture can so be resampled that is larger than memory.
    ///
    /// [`Error::Samples`] if the samples are not whole rows, or not those that [`Resampler::needs`] names.
    pub fn rows<T: Sample>(
        &self,
        planes: &[T],
        count: usize,
        first: usize,
        rows: Range<usize>,
    ) -> Result<Vec<T>, Error> {
        let area = planes.len() / count.max(1);
        let (needs, last) = (self.needs(rows.clone()), first + area / self.input.1);
        if area * count != planes.len() || !area.is_multiple_of(self.input.1) || needs.start < first || needs.end > last
        {
            return Err(Error::Samples { height: needs.len(), width: self.input.1, found: area });
        }
        let taps: Vec<Taps> = self.rows[rows].iter().map(|taps| taps.starting_at(first)).collect();
        let area_out = taps.len() * self.output.1;
        let mut out = vec![T::default(); count * area_out];
        for (plane, out) in planes.chunks_exact(area).zip(out.chunks_exact_mut(area_out)) {
            self.lines(&taps, plane.as_chunks::<1>().0, out.as_chunks_mut::<1>().0);
        }
        Ok(out)
    }

    fn check(&self, found: usize, planes: usize) -> Result<(), Error> {
        let (height, width) = self.input;
        if found == planes * height * width { Ok(()) } else { Err(Error::Samples { height, width, found }) }
    }

    fn plane<T: Sample, const C: usize>(&self, pixels: &[[T; C]], out: &mut [[T; C]]) {
        self.lines(&self.rows, pixels, out);
    }

    fn lines<T: Sample, const C: usize>(&self, rows: &[Taps], pixels: &[[T; C]], out: &mut [[T; C]]) {
        let strips = out.par_chunks_mut(STRIP * self.output.1).zip(rows.par_chunks(STRIP));
        strips.for_each(|(strip, rows)| self.strip(pixels, rows, strip));
    }

    /// Some rows of the output, `strip`: the first pass, turned by a quarter, then the second pass, turned back. So both
    /// passes are sums of long lines.
    fn strip<T: Sample, const C: usize>(&self, pixels: &[[T; C]], rows: &[Taps], strip: &mut [[T; C]]) {
        let mut row = vec![[T::default(); C]; self.input.1];
        let mut turned = vec![[T::default(); C]; self.input.1 * rows.len()]; // [width of the input, rows]
        for (y, taps) in rows.iter().enumerate() {
            T::weighted_sum(pixels.as_flattened(), taps, row.as_flattened_mut());
            turned.chunks_exact_mut(rows.len()).zip(&row).for_each(|(column, &pixel)| column[y] = pixel);
        }
        let mut column = vec![[T::default(); C]; rows.len()];
        for (x, taps) in self.columns.iter().enumerate() {
            T::weighted_sum(turned.as_flattened(), taps, column.as_flattened_mut());
            strip.chunks_exact_mut(self.output.1).zip(&column).for_each(|(row, &pixel)| row[x] = pixel);
        }
    }
}

/// A side as part of a scale; [`Error::Setting`] for 0 and what is longer than [`LONGEST`].
fn side(key: &'static str, found: usize) -> Result<u32, Error> {
    match u32::try_from(found) {
        Ok(side) if side > 0 && found <= LONGEST => Ok(side),
        _ => Err(Error::Setting { key, expected: format!("1 to {LONGEST}"), found }),
    }
}

/// The picture resampled to `height` x `width`, smaller or larger, as MATLAB's `imresize` does it with 8-bit pixels.
///
/// # Panics
/// If `height` or `width` is 0, or a side is longer than 2^24.
pub fn bicubic(picture: &Rgb8, height: usize, width: usize, border: Border) -> Rgb8 {
    to_size(picture, (height, width), &Method::bicubic(border))
}

/// The picture with each pixel repeated `factor` x `factor` times, for figures.
///
/// # Panics
/// If `factor` is 0, or a side becomes longer than 2^24.
pub fn nearest(picture: &Rgb8, factor: usize) -> Rgb8 {
    let method = Method { kernel: Kernel::Nearest, antialias: false, border: Border::Replicate };
    to_size(picture, (picture.height * factor, picture.width * factor), &method)
}

fn to_size(picture: &Rgb8, size: (usize, usize), method: &Method) -> Rgb8 {
    let resampled = Resampler::to_size(picture.size(), size, method).and_then(|resampler| resampler.rgb8(picture));
    resampled.unwrap_or_else(|error| panic!("{:?} to {size:?} (height, width): {error}", picture.size()))
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
