//! A part of a picture's versions, enlarged so that single pixels show, beside the whole.

use abbe_data::image::Rgb8;
use abbe_data::resample;
use anyhow::{Result, ensure};

use crate::grid::Panel;
use crate::layout::{Block, Cell, GAP, caption, detail, divided, heading as heading_lines, page, rows, title};
use crate::place::{Place, find};
use crate::shown::Shown;

/// Side of an enlarged patch in the figure, in pixels, or a little less.
const SHOWN: usize = 256;
/// At most this many patches in one row; four and more are divided into two rows.
const COLUMNS: usize = 3;
/// Gray values of the box that marks the patch, from outside to inside: black and white show on every picture.
const BOX: [u8; 4] = [0, 255, 255, 0];

/// The picture `whole` with the patch marked by a box, beside the same patch of each panel (bicubic, SR, ..., HR) enlarged
/// with nearest neighbour; a patch has `side` x `side` pixels (64 is usual), less where the picture has less. Further lines
/// of the heading are set small.
///
/// # Errors
/// When there is no panel, the side is 0, the pictures differ in size, or the given position is not inside them.
pub fn zoom(whole: &Panel, panels: &[Panel], place: Place, side: usize, heading: &str) -> Result<Rgb8> {
    lay_out(whole, panels, place, side, heading)?.paint()
}

fn lay_out(whole: &Panel, panels: &[Panel], place: Place, side: usize, heading: &str) -> Result<Block> {
    ensure!(!panels.is_empty() && side > 0, "zoomed patches need at least one picture and one pixel, found none");
    same_size(whole, panels)?;
    let (height, width) = whole.picture.size();
    let patch = (height.min(side), width.min(side));
    let mut methods: Vec<&Panel> = panels.iter().filter(|panel| panel.picture != whole.picture).collect();
    if methods.len() < 2 {
        methods.push(whole); // one method differs from HR, if from anything
    }
    let (top, left) = find(place, &methods, patch)?;
    let why = if place == Place::MostDifferent { ", where the methods differ most" } else { "" };
    let place = format!("rows {top} to {}, columns {left} to {}{why}", top + patch.0 - 1, left + patch.1 - 1);
    let factor = (SHOWN / patch.0.max(patch.1)).max(1);
    let cell = |panel: &Panel| -> Result<Cell> {
        let part = panel.picture.crop(top, left, patch.0, patch.1)?;
        let picture = resample::nearest(&part, factor);
        Ok(Cell { picture, above: vec![title(&panel.title)], below: caption(&panel.caption) })
    };
    let cells = panels.iter().map(cell).collect::<Result<Vec<Cell>>>()?;
    let lines = divided(cells, COLUMNS, 2);
    let shown = Shown::of(whole.picture.size());
    let above = vec![title(&whole.title)];
    let below = [shown.to_string(), format!("box: {place}"), format!("patches enlarged {factor} ×, nearest neighbour")];
    let below = below.iter().map(|line| detail(line)).collect();
    let picture = marked(&shown, whole.picture, (top, left), patch);
    let whole = rows(&[vec![Cell { picture, above, below }]], 0)?;
    let beside = whole.width + 2 * GAP;
    page(whole.with(rows(&lines, 0)?, 0, beside), &heading_lines(heading))
}

/// # Errors
/// The panel that is not as large as `whole`; a picture without pixels.
pub(crate) fn same_size(whole: &Panel, panels: &[Panel]) -> Result<()> {
    ensure!(!whole.picture.pixels.is_empty(), "`{}` has no pixels", whole.title);
    for panel in panels {
        let (found, expected) = (panel.picture.size(), whole.picture.size());
        ensure!(
            found == expected,
            "`{}` is {found:?} and `{}` is {expected:?} (height, width): this figure needs pictures of one size",
            panel.title,
            whole.title
        );
    }
    Ok(())
}

/// The picture in the size in which it is shown, with a box around the patch; at the picture's edge the box lies inside.
fn marked(shown: &Shown, whole: &Rgb8, (top, left): (usize, usize), patch: (usize, usize)) -> Rgb8 {
    let mut picture = shown.picture(whole, 1);
    let size = shown.size();
    let outer = |start: usize, length: usize, from: usize, to: usize| {
        (start * to / from).saturating_sub(BOX.len())..((start + length) * to / from + BOX.len()).min(to)
    };
    let (rows, columns) = (outer(top, patch.0, whole.height, size.0), outer(left, patch.1, whole.width, size.1));
    for y in rows.clone() {
        for x in columns.clone() {
            let depths = [y - rows.start, rows.end - 1 - y, x - columns.start, columns.end - 1 - x];
            if let Some(gray) = depths.into_iter().min().and_then(|depth| BOX.get(depth)) {
                let at = 3 * (y * picture.width + x);
                picture.pixels[at..at + 3].fill(*gray);
            }
        }
    }
    picture
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::tests::{names, panel, picture};
    use crate::layout::tests::assert_tidy;

    #[test]
    fn the_box_surrounds_the_patch() {
        // 1024 columns are shown as 512: the patch of 64 x 64 at (128, 256) is shown in rows 64 to 95 and columns 128 to 159,
        // with a box of four pixels around it
        let whole = Rgb8::new(512, 1024, vec![9; 3 * 512 * 1024]).unwrap();
        let picture = marked(&Shown::of(whole.size()), &whole, (128, 256), (64, 64));
        let at = |(y, x): (usize, usize)| picture.pixels[3 * (y * 512 + x)];
        assert_eq!([(59, 128), (60, 128), (61, 128), (62, 128), (63, 128), (64, 128)].map(at), [9, 0, 255, 255, 0, 9]);
        assert_eq!([(95, 159), (96, 159), (98, 159), (99, 159), (100, 159), (95, 163)].map(at), [9, 0, 255, 0, 9, 0]);
        // in the corner it lies inside
        let corner = marked(&Shown::of(whole.size()), &whole, (0, 0), (64, 64));
        assert_eq!([0, 1, 2, 3, 4].map(|x| corner.pixels[3 * (10 * 512 + x)]), [0, 255, 255, 0, 9]);
    }

    #[test]
    fn nothing_overlaps_from_one_to_eight_patches_of_any_size() {
        for (height, width) in [(40, 40), (40, 400), (512, 40), (1356, 2040)] {
            let hr = picture(height, width);
            for count in 1..=8 {
                for name in names(width) {
                    let panels = vec![panel(name, &hr); count];
                    let page = lay_out(&panel(name, &hr), &panels, Place::Centre, 64, name).unwrap();
                    assert_tidy(&page, &format!("{count} patches of {height} x {width}, {name}"));
                }
            }
        }
    }

    #[test]
    fn the_patch_is_enlarged_by_nearest_neighbour() {
        let hr = picture(100, 90);
        let page = lay_out(&panel("HR", &hr), &[panel("HR", &hr)], Place::At(10, 20), 64, "").unwrap();
        let (rows, columns) = page.picture_areas()[1].clone();
        let found = page.paint().unwrap().crop(rows.start, columns.start, rows.len(), columns.len()).unwrap();
        assert_eq!(found, resample::nearest(&hr.crop(10, 20, 64, 64).unwrap(), 4));
    }

    #[test]
    fn unequal_sizes_are_named() {
        let (hr, sr) = (picture(9, 8), picture(8, 8));
        let error = zoom(&panel("HR", &hr), &[panel("SR", &sr)], Place::Centre, 64, "").unwrap_err().to_string();
        assert!(error.contains("`SR` is (8, 8)") && error.contains("`HR` is (9, 8)"), "{error}");
        assert!(zoom(&panel("HR", &hr), &[], Place::Centre, 64, "").is_err());
        assert!(zoom(&panel("HR", &hr), &[panel("HR", &hr)], Place::Centre, 0, "").is_err());
        let none = Rgb8 { height: 0, width: 0, pixels: vec![] };
        let error = zoom(&panel("HR", &none), &[panel("SR", &none)], Place::Centre, 64, "").unwrap_err();
        assert!(error.to_string().contains("no pixels"), "{error}");
    }
}
