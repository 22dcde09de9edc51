//! Where a patch is taken from a picture.

use abbe_data::color::luma;
use anyhow::{Result, ensure};

use crate::grid::Panel;

/// Where the patch of a figure lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the middle of the picture.
    Centre,
    /// With its upper left corner at this row and column, counted from 0.
    At(usize, usize),
    /// Where the panels' luma differs most: the sum over the patch of its variance among the panels is largest; the
    /// middle where nothing differs. HR counts only beside a single method.
    MostDifferent,
}

/// Row and column of the upper left corner of a patch of the size `patch`, no larger than the panels' pictures, which
/// have one size.
///
/// # Errors
/// A position from which the patch would leave the picture.
pub(crate) fn find(place: Place, panels: &[&Panel], patch: (usize, usize)) -> Result<(usize, usize)> {
    let Some((height, width)) = panels.first().map(|panel| panel.picture.size()) else { return Ok((0, 0)) };
    let centre = ((height - patch.0) / 2, (width - patch.1) / 2);
    match place {
        Place::Centre => Ok(centre),
        Place::At(top, left) => {
            let last = (height - patch.0, width - patch.1);
            ensure!(
                top <= last.0 && left <= last.1,
                "the patch at row {top}, column {left} leaves the picture of {height} x {width} (height x width): choose at most row {}, column {}",
                last.0,
                last.1
            );
            Ok((top, left))
        }
        Place::MostDifferent => Ok(largest(&sums(&variance(panels), width), (height, width), patch).unwrap_or(centre)),
    }
}

/// Per pixel, the variance of luma among the panels.
fn variance(panels: &[&Panel]) -> Vec<f64> {
    let pixels = panels.first().map_or(0, |panel| panel.picture.height * panel.picture.width);
    let (mut sum, mut squares) = (vec![0.0; pixels], vec![0.0; pixels]);
    for panel in panels {
        for ((sum, square), y) in sum.iter_mut().zip(&mut squares).zip(luma(panel.picture)) {
            *sum += y;
            *square += y * y;
        }
    }
    let count = panels.len() as f64;
    sum.iter().zip(squares).map(|(sum, square)| square / count - (sum / count).powi(2)).collect()
}

/// The table of Crow's summed areas: at (y, x) the sum of all values above y and left of x. One row and column more.
fn sums(values: &[f64], width: usize) -> Vec<f64> {
    let mut sums = vec![0.0; width + 1];
    for row in values.chunks_exact(width) {
        let above = sums.len() - (width + 1);
        let mut sum = 0.0;
        sums.push(0.0);
        for (x, value) in row.iter().enumerate() {
            sum += value;
            sums.push(sums[above + x + 1] + sum);
        }
    }
    sums
}

/// The corner of the first patch with the largest sum; none where all are equal but for rounding.
fn largest(sums: &[f64], (height, width): (usize, usize), patch: (usize, usize)) -> Option<(usize, usize)> {
    let at = |y: usize, x: usize| sums[y * (width + 1) + x];
    let sum = |y, x| at(y + patch.0, x + patch.1) - at(y, x + patch.1) - at(y + patch.0, x) + at(y, x);
    let mut best = (1e-6, None);
    for y in 0..=height - patch.0 {
        for x in 0..=width - patch.1 {
            if sum(y, x) > best.0 * (1.0 + 1e-9) {
                best = (sum(y, x), Some((y, x)));
            }
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use abbe_data::image::Rgb8;

    use super::*;
    use crate::grid::tests::panel;

    #[test]
    fn the_patch_lies_where_it_should() {
        // 100 rows leave 36 outside the patch, 18 on each side; 90 columns leave 26, 13 on each side
        let flat = Rgb8::new(100, 90, vec![100; 3 * 9000]).unwrap();
        let mut spot = flat.clone();
        spot.pixels[3 * (70 * 90 + 80)] = 0; // differs in one pixel
        let found = |place, sr| find(place, &[&panel("HR", &flat), &panel("SR", sr)], (64, 64));
        assert_eq!(found(Place::Centre, &spot).unwrap(), (18, 13));
        assert_eq!(found(Place::At(36, 26), &spot).unwrap(), (36, 26));
        let error = found(Place::At(37, 26), &spot).unwrap_err().to_string();
        assert!(error.contains("row 37") && error.contains("at most row 36, column 26"), "{error}");
        // the first patch that holds row 70 and column 80 begins at 70 - 63 = 7 and 80 - 63 = 17
        assert_eq!(found(Place::MostDifferent, &spot).unwrap(), (7, 17));
        assert_eq!(found(Place::MostDifferent, &flat).unwrap(), (18, 13), "no difference: the centre");
    }

    #[test]
    fn sums_of_areas() {
        // 1 2 / 3 4: below and right of the zeros stand 1, 3 and 4, 10
        assert_eq!(sums(&[1.0, 2.0, 3.0, 4.0], 2), [0.0, 0.0, 0.0, 0.0, 1.0, 3.0, 0.0, 4.0, 10.0]);
    }
}
