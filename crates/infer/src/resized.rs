//! A picture resampled to any size, a few rows at a time.

use abbe_data::resample::Resampler;

use crate::Error;
use crate::rows::{Bands, Rows};

/// Values of a band that is given on, about.
const BAND: usize = 1 << 22;

/// The bands of a picture resampled by [`Resampler`] in float32: the same numbers as of the whole picture.
///
/// Of the input those rows are held that a band is made of.
pub struct Resized<'a> {
    resampler: Resampler,
    planes: usize,
    source: Rows<'a>,
    next: usize,
}

impl<'a> Resized<'a> {
    /// Will resample a picture that has `planes` planes and is `width` wide, whose bands come from `source`.
    pub fn new(resampler: Resampler, planes: usize, width: usize, source: Bands<'a>) -> Self {
        Self { resampler, planes, source: Rows::new(source, planes, width), next: 0 }
    }
}

impl Iterator for Resized<'_> {
    type Item = Result<Vec<f32>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let (height, width) = self.resampler.output();
        let rows = self.next..(self.next + (BAND / self.planes / width).clamp(1, 256)).min(height);
        if rows.is_empty() {
            return None;
        }
        let needs = self.resampler.needs(rows.clone());
        self.next = rows.end;
        let band = self.source.hold(needs.clone()).and_then(|()| {
            let width = 0..self.source.width();
            let held = self.source.crop(&[needs.clone(), width]);
            Ok(self.resampler.rows(&held, self.planes, needs.start, rows)?)
        });
        if band.is_err() {
            self.next = height;
        }
        Some(band)
    }
}
