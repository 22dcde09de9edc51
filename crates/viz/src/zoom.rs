//! The centre of a picture's versions, enlarged so that single pixels show.

use abbe_data::image::Rgb8;
use abbe_data::resample;
use anyhow::{Context, Result, ensure};

use crate::grid::Panel;
use crate::layout::{Cell, caption, detail, heading as heading_line, row, title};

/// Side of the patch in pixels; a smaller picture gives what it has.
const PATCH: usize = 64;
/// How many times larger a patch is drawn in each direction.
const FACTOR: usize = 5;

/// The centre patch of each panel (HR, bicubic, SR) side by side, enlarged with nearest neighbour; further lines of the
/// heading are set small.
///
/// # Errors
/// When there is no panel, or the pictures differ in size.
pub fn zoom(panels: &[Panel], heading: &str) -> Result<Rgb8> {
    let hr = panels.first().context("a zoomed patch needs at least one picture, found none")?;
    for panel in panels {
        let (found, expected) = (panel.picture.size(), hr.picture.size());
        ensure!(
            found == expected,
            "`{}` is {found:?} and `{}` is {expected:?} (height, width): zoomed patches need pictures of one size",
            panel.title,
            hr.title
        );
    }
    let cells: Result<Vec<Cell>> = panels.iter().map(cell).collect();
    row(&cells?, &heading_line(heading))
}

fn cell(panel: &Panel) -> Result<Cell> {
    let (height, width) = panel.picture.size();
    let (rows, columns) = (height.min(PATCH), width.min(PATCH));
    let (top, left) = ((height - rows) / 2, (width - columns) / 2);
    let patch = panel.picture.crop(top, left, rows, columns)?;
    let place = format!("rows {top} to {}, columns {left} to {}", top + rows - 1, left + columns - 1);
    Ok(Cell {
        picture: resample::nearest(&patch, FACTOR),
        above: vec![title(&panel.title), detail(&place), detail(&format!("enlarged {FACTOR} ×, nearest neighbour"))],
        below: caption(&panel.caption),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panel<'a>(title: &str, picture: &'a Rgb8) -> Panel<'a> {
        Panel { title: title.into(), picture, caption: String::new() }
    }

    #[test]
    fn the_patch_is_the_centre_enlarged_by_nearest_neighbour() {
        // 100 rows leave 36 outside the patch, 18 on each side; 90 columns leave 26, 13 on each side
        let pixels = (0..3 * 100 * 90).map(|i| (i * 7 % 256) as u8).collect();
        let hr = Rgb8::new(100, 90, pixels).unwrap();
        let cell = cell(&panel("HR", &hr)).unwrap();
        assert_eq!(cell.picture, resample::nearest(&hr.crop(18, 13, 64, 64).unwrap(), FACTOR));
        assert_eq!(cell.above[1].text, "rows 18 to 81, columns 13 to 76");
    }

    #[test]
    fn a_picture_smaller_than_the_patch_is_shown_whole() {
        let hr = Rgb8::new(40, 80, vec![9; 3 * 40 * 80]).unwrap();
        assert_eq!(cell(&panel("HR", &hr)).unwrap().picture.size(), (40 * FACTOR, 64 * FACTOR));
    }

    #[test]
    fn unequal_sizes_are_named() {
        let (hr, sr) = (Rgb8::new(9, 8, vec![0; 216]).unwrap(), Rgb8::new(8, 8, vec![0; 192]).unwrap());
        let error = zoom(&[panel("HR", &hr), panel("SR", &sr)], "").unwrap_err().to_string();
        assert!(error.contains("`SR` is (8, 8)") && error.contains("`HR` is (9, 8)"), "{error}");
        assert!(zoom(&[], "").is_err());
    }
}
