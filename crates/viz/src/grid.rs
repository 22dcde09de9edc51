//! The comparison of one picture's versions in a row: LR, bicubic, SR, HR.

use abbe_data::image::Rgb8;
use abbe_data::resample::{self, Border};
use anyhow::{Context, Result, ensure};

use crate::layout::{Cell, caption, detail, heading as heading_line, row, title};

/// Longest side of a picture in the figure, in pixels; larger pictures are reduced.
const LONGEST: usize = 512;
/// Pictures whose longest side is shorter than this are enlarged by a whole number.
const SHORTEST: usize = 256;

/// One picture of a figure.
#[derive(Clone, Debug)]
pub struct Panel<'a> {
    /// What it is: "LR", "bicubic", the name of a method.
    pub title: String,
    /// Its pixels, in their true size.
    pub picture: &'a Rgb8,
    /// What is written under it, such as its metrics; line breaks are kept.
    pub caption: String,
}

/// The panels in one row under a heading, on white; further lines of the heading are set small.
///
/// All are shown in the size of the largest panel (HR): smaller ones (LR) are enlarged with nearest neighbour. Small
/// figures are enlarged by a whole number with nearest neighbour, large ones reduced with bicubic. Under each title stands
/// the picture's true size and what was done to it for the figure.
///
/// # Errors
/// When there is no panel, or a panel's size does not divide the largest one by a whole number.
pub fn grid(panels: &[Panel], heading: &str) -> Result<Rgb8> {
    let largest = panels.iter().map(|panel| panel.picture.size()).max_by_key(|(height, width)| height * width);
    let full = largest.context("a grid needs at least one picture, found none")?;
    let cells: Result<Vec<Cell>> = panels.iter().map(|panel| cell(panel, full)).collect();
    row(&cells?, &heading_line(heading))
}

/// The panel as it is shown when the largest has the size `full`.
fn cell(panel: &Panel, full: (usize, usize)) -> Result<Cell> {
    let size = panel.picture.size();
    let ratio = full.0 / size.0.max(1);
    ensure!(
        (size.0 * ratio, size.1 * ratio) == full,
        "`{}` is {size:?} and the largest picture is {full:?} (height, width): expected a whole ratio; crop HR to a multiple of the scale",
        panel.title
    );
    let longest = full.0.max(full.1);
    let factor = ratio * SHORTEST.div_ceil(longest);
    let mut above = vec![title(&panel.title), detail(&format!("{} (height × width)", times(size)))];
    let mut picture = panel.picture.clone();
    if factor > 1 {
        picture = resample::nearest(&picture, factor);
        above.push(detail(&format!("enlarged {factor} ×, nearest neighbour")));
    }
    if longest > LONGEST {
        let reduced = |side: usize| (side * LONGEST / longest).max(1);
        let page = (reduced(full.0), reduced(full.1));
        picture = resample::bicubic(&picture, page.0, page.1, Border::Replicate);
        above.push(detail(&format!("reduced to {}, bicubic", times(page))));
    }
    Ok(Cell { picture, above, below: caption(&panel.caption) })
}

fn times((height, width): (usize, usize)) -> String {
    format!("{height} × {width}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(height: usize, width: usize) -> Rgb8 {
        let pixels = (0..3 * height * width).map(|i| (i * 7 % 256) as u8).collect();
        Rgb8::new(height, width, pixels).unwrap()
    }

    fn panel<'a>(title: &str, picture: &'a Rgb8) -> Panel<'a> {
        Panel { title: title.into(), picture, caption: "31.77 dB / 0.8564".into() }
    }

    fn details(cell: &Cell) -> Vec<&str> {
        cell.above.iter().map(|line| line.text.as_str()).collect()
    }

    #[test]
    fn lr_is_enlarged_to_hr_and_says_its_true_size() {
        let (lr, hr) = (picture(75, 100), picture(300, 400));
        let shown = cell(&panel("LR", &lr), hr.size()).unwrap();
        assert_eq!(shown.picture, resample::nearest(&lr, 4));
        assert_eq!(details(&shown), ["LR", "75 × 100 (height × width)", "enlarged 4 ×, nearest neighbour"]);
        let shown = cell(&panel("HR", &hr), hr.size()).unwrap();
        assert_eq!(shown.picture, hr);
        assert_eq!(details(&shown), ["HR", "300 × 400 (height × width)"]);
    }

    #[test]
    fn small_pictures_are_enlarged_and_large_ones_reduced() {
        // 64 needs a factor of 4 to reach 256; 2048 is reduced to 512, and 1024 with it to 256.
        let (small, large) = (picture(64, 48), picture(1024, 2048));
        assert_eq!(cell(&panel("HR", &small), small.size()).unwrap().picture, resample::nearest(&small, 4));
        let reduced = cell(&panel("HR", &large), large.size()).unwrap();
        assert_eq!(reduced.picture.size(), (256, 512));
        assert_eq!(details(&reduced)[2], "reduced to 256 × 512, bicubic");
    }

    #[test]
    fn four_panels_make_one_figure() {
        let (lr, hr) = (picture(16, 16), picture(64, 64));
        let panels = [panel("LR", &lr), panel("bicubic", &hr), panel("SRGAN", &hr), panel("HR", &hr)];
        let figure = grid(&panels, "baby").unwrap();
        assert!(figure.width > 4 * 256 && figure.height > 256);
    }

    #[test]
    fn no_panel_and_sizes_that_do_not_fit_are_errors() {
        assert!(grid(&[], "baby").is_err());
        let (lr, hr) = (picture(15, 16), picture(64, 64));
        let error = grid(&[panel("LR", &lr), panel("HR", &hr)], "baby").unwrap_err().to_string();
        assert!(error.contains("`LR`") && error.contains("(15, 16)") && error.contains("(64, 64)"), "{error}");
    }
}
