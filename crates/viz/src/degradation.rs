//! A picture beside degraded versions of it, with what was done to each.

use abbe_data::degrade::Applied;
use abbe_data::image::Rgb8;
use abbe_data::resample;
use anyhow::{Context, Result, ensure};

use crate::layout::{Cell, detail, divided, heading as heading_line, page, rows, title};

/// Longest side of what is shown, in HR pixels: of a larger picture the centre, in which single pixels still show.
const LONGEST: usize = 384;
/// What is smaller than this on both sides is enlarged by a whole number.
const SHORTEST: usize = 256;
/// Pictures beside each other.
const COLUMNS: usize = 3;

/// A degraded picture.
#[derive(Clone, Debug)]
pub struct Example {
    /// What came out.
    pub lr: Rgb8,
    /// What was done, in order.
    pub trace: Vec<Applied>,
}

/// HR, the target if it is another (sharpened) one, and each LR picture in HR's size by nearest neighbour, with the steps
/// that led to it below; `hr` and `target` have the same size, a multiple of the LR pictures'. Further lines of the heading
/// are set small.
///
/// # Errors
/// When there is no example, or the sizes do not fit.
pub fn degradations(hr: &Rgb8, target: &Rgb8, examples: &[Example], heading: &str) -> Result<Rgb8> {
    let first = examples.first().context("a sheet of degradations needs at least one example, found none")?;
    let view = View::of(hr, &first.lr)?;
    let mut cells = vec![view.cell("HR", hr, 1, "as it is")?];
    ensure!(target.size() == hr.size(), "the target is {:?} and HR {:?} (height, width)", target.size(), hr.size());
    if target != hr {
        cells.push(view.cell("HR, sharpened", target, 1, "the target; LR is made from it")?);
    }
    for (i, example) in examples.iter().enumerate() {
        let size = example.lr.size();
        ensure!(size == first.lr.size(), "LR {i} is {size:?} and LR 0 {:?} (height, width)", first.lr.size());
        let enlarged = format!("{} × {}, enlarged {} × by nearest neighbour", size.0, size.1, view.scale * view.factor);
        let mut cell = view.cell(&format!("LR {i}"), &example.lr, view.scale, &enlarged)?;
        for (number, applied) in (1..).zip(&example.trace) {
            cell.below.push(detail(&format!("{number}  {applied}")));
        }
        cells.push(cell);
    }
    let heading = format!("{heading}\n{view}", view = view.words(hr));
    page(rows(&divided(cells, COLUMNS, usize::MAX), 0)?, &heading_line(&heading))?.paint()
}

/// The part that is shown, in LR pixels, and how much it is enlarged.
struct View {
    top: usize,
    left: usize,
    rows: usize,
    columns: usize,
    scale: usize,
    factor: usize,
}

impl View {
    fn of(hr: &Rgb8, lr: &Rgb8) -> Result<Self> {
        let scale = hr.height / lr.height;
        ensure!(
            (lr.height * scale, lr.width * scale) == hr.size(),
            "HR is {:?} and LR {:?} (height, width): expected a whole ratio",
            hr.size(),
            lr.size()
        );
        let most = (LONGEST / scale).max(1);
        let (rows, columns) = (lr.height.min(most), lr.width.min(most));
        let factor = (SHORTEST / (scale * rows.max(columns))).max(1);
        Ok(Self { top: (lr.height - rows) / 2, left: (lr.width - columns) / 2, rows, columns, scale, factor })
    }

    /// The part of a picture, which has `1 / enlarge` of HR's size.
    fn cell(&self, name: &str, picture: &Rgb8, enlarge: usize, words: &str) -> Result<Cell> {
        let ratio = self.scale / enlarge;
        let [top, left, rows, columns] = [self.top, self.left, self.rows, self.columns].map(|length| length * ratio);
        let part = picture.crop(top, left, rows, columns)?;
        let picture = resample::nearest(&part, enlarge * self.factor);
        Ok(Cell { picture, above: vec![title(name), detail(words)], below: Vec::new() })
    }

    fn words(&self, hr: &Rgb8) -> String {
        let (height, width) = (self.rows * self.scale, self.columns * self.scale);
        if hr.size() == (height, width) {
            return format!("{height} × {width} (height × width)");
        }
        format!("the centre, {height} × {width} of {} × {} (height × width)", hr.height, hr.width)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(height: usize, width: usize) -> Rgb8 {
        Rgb8::new(height, width, (0..3 * height * width).map(|i| (i * 7 % 256) as u8).collect()).unwrap()
    }

    fn example(lr: Rgb8) -> Example {
        Example { lr, trace: vec![Applied::Jpeg { quality: 30 }; 4] }
    }

    #[test]
    fn large_pictures_are_shown_by_their_centre() {
        // 500 rows at scale 4 are 125 of LR, of which 96 are shown: 14 above, 15 below.
        let (hr, lr) = (picture(500, 80), picture(125, 20));
        let view = View::of(&hr, &lr).unwrap();
        assert_eq!((view.top, view.left, view.rows, view.columns, view.factor), (14, 0, 96, 20, 1));
        let shown = |picture, enlarge| view.cell("", picture, enlarge, "").unwrap().picture;
        assert_eq!(shown(&hr, 1), hr.crop(56, 0, 384, 80).unwrap());
        assert_eq!(shown(&lr, 4), resample::nearest(&lr.crop(14, 0, 96, 20).unwrap(), 4));
        assert_eq!(view.words(&hr), "the centre, 384 × 80 of 500 × 80 (height × width)");
    }

    #[test]
    fn small_pictures_are_enlarged_alike() {
        let (hr, lr) = (picture(64, 32), picture(32, 16));
        let view = View::of(&hr, &lr).unwrap();
        assert_eq!(view.cell("", &hr, 1, "").unwrap().picture, resample::nearest(&hr, 4));
        assert_eq!(view.cell("", &lr, 2, "").unwrap().picture, resample::nearest(&lr, 8));
    }

    #[test]
    fn more_than_three_pictures_stand_in_two_rows() {
        let (hr, sharpened) = (picture(256, 256), Rgb8::new(256, 256, vec![9; 3 * 256 * 256]).unwrap());
        let sheet = |target, count| degradations(&hr, target, &vec![example(picture(64, 64)); count], "baby").unwrap();
        let (two, three) = (sheet(&hr, 2), sheet(&hr, 3)); // with HR three and four pictures
        assert!(two.width > 3 * 256 && three.height > two.height + 256);
        assert_eq!(sheet(&sharpened, 2).width, three.width);
    }

    #[test]
    fn sizes_that_do_not_fit_are_errors() {
        let hr = picture(64, 64);
        let fits = |target: &Rgb8, sizes: &[(usize, usize)]| {
            let examples: Vec<_> = sizes.iter().map(|&(height, width)| example(picture(height, width))).collect();
            degradations(&hr, target, &examples, "").is_ok()
        };
        assert!(fits(&hr, &[(16, 16), (16, 16)]));
        assert!(!fits(&hr, &[]) && !fits(&hr, &[(16, 15)]) && !fits(&hr, &[(16, 16), (8, 8)]));
        assert!(!fits(&picture(64, 60), &[(16, 16)]));
    }
}
