//! Rows of a picture that come from the top, of which those are held that are still needed.

use std::ops::Range;

use crate::Error;

/// Bands `[planes, rows, width]` from the top of a picture to its bottom; see [`abbe_data::image::RowReader`].
pub type Bands<'a> = Box<dyn Iterator<Item = Result<Vec<f32>, Error>> + 'a>;

pub(crate) struct Rows<'a> {
    source: Bands<'a>,
    /// The rows that are held, of each plane.
    planes: Vec<Vec<f32>>,
    first: usize,
    width: usize,
}

impl<'a> Rows<'a> {
    /// The rows of a picture of `planes` planes that is `width` wide.
    pub(crate) fn new(source: Bands<'a>, planes: usize, width: usize) -> Self {
        Self { source, planes: vec![Vec::new(); planes], first: 0, width }
    }

    /// How wide the picture is.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Lets go of the rows before `rows`, and reads as far as they go. No row that was let go comes back.
    ///
    /// [`Error::Rows`] for a source that ends before, and those of the source.
    pub(crate) fn hold(&mut self, rows: Range<usize>) -> Result<(), Error> {
        loop {
            let held = self.planes[0].len() / self.width;
            let gone = rows.start.saturating_sub(self.first).min(held);
            self.planes.iter_mut().for_each(|plane| drop(plane.drain(..gone * self.width)));
            self.first += gone;
            if self.first + held - gone >= rows.end {
                return Ok(());
            }
            let band =
                self.source.next().ok_or(Error::Rows { expected: rows.end, found: self.first + held - gone })??;
            let area = band.len() / self.planes.len();
            self.planes.iter_mut().zip(band.chunks_exact(area.max(1))).for_each(|(plane, band)| plane.extend(band));
        }
    }

    /// A rectangle of the rows that are held, `[planes, rows, columns]`.
    pub(crate) fn crop(&self, [rows, columns]: &[Range<usize>; 2]) -> Vec<f32> {
        let mut crop = Vec::with_capacity(self.planes.len() * rows.len() * columns.len());
        for plane in &self.planes {
            let lines = plane.chunks_exact(self.width).skip(rows.start - self.first).take(rows.len());
            lines.for_each(|line| crop.extend(&line[columns.clone()]));
        }
        crop
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_when_they_are_needed_and_go_when_they_are_not() {
        // Two planes of width 2; row y of plane p holds 10 p + y twice. Bands of 2, 1 and 3 rows.
        let line = |plane: usize, y: usize| [(10 * plane + y) as f32; 2];
        let bands = [0..2, 2..3, 3..6].map(|rows| {
            Ok([0, 1].into_iter().flat_map(|plane| rows.clone().flat_map(move |y| line(plane, y))).collect())
        });
        let mut rows = Rows::new(Box::new(bands.into_iter()), 2, 2);
        rows.hold(0..1).unwrap();
        assert_eq!(rows.crop(&[0..1, 1..2]), [0.0, 10.0]);
        rows.hold(1..3).unwrap();
        assert_eq!((rows.first, rows.crop(&[1..3, 0..2])), (1, vec![1.0, 1.0, 2.0, 2.0, 11.0, 11.0, 12.0, 12.0]));
        rows.hold(5..6).unwrap();
        assert_eq!((rows.first, rows.crop(&[5..6, 0..1])), (5, vec![5.0, 15.0]));
        assert!(matches!(rows.hold(5..7), Err(Error::Rows { expected: 7, found: 6 })));
    }
}
