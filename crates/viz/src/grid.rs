//! The comparison of pictures' versions side by side: LR, any methods, HR.

use abbe_data::image::Rgb8;
use anyhow::{Context, Result, ensure};

use crate::layout::{Block, Cell, GAP, caption, detail, divided, heading as heading_lines, page, rows, title};
use crate::shown::Shown;

/// At most this many panels stand beside each other; five and more are divided into two rows.
const COLUMNS: usize = 4;

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

/// The versions of one picture.
#[derive(Clone, Debug)]
pub struct Group<'a> {
    /// The picture's name; may be empty where the figure's heading says it.
    pub name: String,
    /// LR, the methods, HR: one or more, up to eight fit well.
    pub panels: Vec<Panel<'a>>,
}

/// Groups of panels below each other under a heading, on white; further lines of the heading are set small.
///
/// The panels of a group are shown in the size of the largest (HR): smaller ones (LR) are enlarged with nearest neighbour.
/// Groups of small pictures are enlarged by a whole number with nearest neighbour, large ones reduced with bicubic; a line
/// over the group says so.
///
/// # Errors
/// When there is no panel, or a panel's size does not divide the largest of its group by a whole number.
pub fn grid(groups: &[Group], heading: &str) -> Result<Rgb8> {
    lay_out(groups, heading)?.paint()
}

fn lay_out(groups: &[Group], heading: &str) -> Result<Block> {
    let shown = groups.iter().map(shown).collect::<Result<Vec<Shown>>>()?;
    let column = shown.iter().map(|shown| shown.size().1).max().unwrap_or(0);
    let mut body = Block::default();
    for (group, shown) in groups.iter().zip(&shown) {
        let gap = if body.height == 0 { 0 } else { 2 * GAP };
        body = body.above(lay_out_group(group, shown, column)?, gap);
    }
    page(body, &heading_lines(heading))
}

fn shown(group: &Group) -> Result<Shown> {
    let sizes = group.panels.iter().map(|panel| panel.picture.size());
    let full = sizes.max_by_key(|(height, width)| height * width).filter(|(height, width)| height * width > 0);
    full.map(Shown::of).with_context(|| format!("`{}`: a grid needs at least one picture, found none", group.name))
}

/// The group in columns that are at least `column` pixels wide.
fn lay_out_group(group: &Group, shown: &Shown, column: usize) -> Result<Block> {
    let cells = group.panels.iter().map(|panel| cell(panel, shown)).collect::<Result<Vec<Cell>>>()?;
    let lines = divided(cells, COLUMNS, usize::MAX);
    let pictures = rows(&lines, column)?;
    let label = [title(&group.name), detail(&shown.to_string())];
    Ok(Block::text(&label, pictures.width)?.above(pictures, GAP / 2))
}

fn cell(panel: &Panel, shown: &Shown) -> Result<Cell> {
    let size = panel.picture.size();
    let ratio = shown.full.0 / size.0.max(1);
    ensure!(
        (size.0 * ratio, size.1 * ratio) == shown.full,
        "`{}` is {size:?} and the largest picture is {:?} (height, width): expected a whole ratio; crop HR to a multiple of the scale",
        panel.title,
        shown.full
    );
    let mut below = caption(&panel.caption);
    if ratio > 1 {
        below.push(detail(&format!("{} × {}, enlarged {ratio} ×, nearest neighbour", size.0, size.1)));
    }
    Ok(Cell { picture: shown.picture(panel.picture, ratio), above: vec![title(&panel.title)], below })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::layout::tests::assert_tidy;

    /// Names that are long, without a place to break, and of letters that the font lacks.
    pub(crate) const NAMES: [&str; 4] = [
        "SRGAN",
        "srgan_x4_f64b16_vgg54_relu5-4_div2k+flickr2k_warm-up-from-srresnet_seed-0_ema_1e6",
        "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMNOPQRSTUVWXYZWW",
        "超解像 суперразрешение διάλυση فائقة",
    ];

    /// All of them, but for large pictures, which take long, one.
    pub(crate) fn names(width: usize) -> &'static [&'static str] {
        if width > 1000 { &NAMES[1..2] } else { &NAMES }
    }

    pub(crate) fn picture(height: usize, width: usize) -> Rgb8 {
        let pixels = (0..3 * height * width).map(|i| (i * 7 % 256) as u8).collect();
        Rgb8::new(height, width, pixels).unwrap()
    }

    pub(crate) fn panel<'a>(title: &str, picture: &'a Rgb8) -> Panel<'a> {
        Panel { title: title.into(), picture, caption: "31.77 dB / 0.8564".into() }
    }

    #[test]
    fn lr_is_enlarged_to_hr_and_says_its_true_size() {
        let (lr, hr) = (picture(75, 100), picture(300, 400));
        let shown = Shown::of(hr.size());
        let cell = |panel| cell(&panel, &shown).unwrap();
        let of_lr = cell(panel("LR", &lr));
        assert_eq!(of_lr.picture, abbe_data::resample::nearest(&lr, 4));
        assert_eq!(of_lr.below[1].text, "75 × 100, enlarged 4 ×, nearest neighbour");
        let of_hr = cell(panel("HR", &hr));
        assert_eq!((&of_hr.picture, of_hr.below.len()), (&hr, 1));
    }

    #[test]
    fn nothing_overlaps_from_two_to_eight_panels_of_any_size() {
        for (height, width) in [(40, 40), (40, 400), (512, 40), (1356, 2040)] {
            let (lr, hr) = (picture(height / 4, width / 4), picture(height, width));
            for count in 2..=8 {
                for name in names(width) {
                    let mut panels = vec![panel(name, &hr); count];
                    panels[0] = panel("LR", &lr);
                    let group = Group { name: (*name).into(), panels };
                    let page = lay_out(&[group.clone(), group], name).unwrap();
                    assert_tidy(&page, &format!("{count} panels {height} x {width}, {name}"));
                    let widths: Vec<_> = page.picture_areas().iter().map(|area| (area.0.len(), area.1.len())).collect();
                    assert!(widths.len() == 2 * count && widths.iter().all(|size| *size == widths[0]), "{widths:?}");
                }
            }
        }
    }

    #[test]
    fn five_panels_make_two_rows() {
        let hr = picture(64, 64);
        let page = lay_out(&[Group { name: String::new(), panels: vec![panel("HR", &hr); 5] }], "baby").unwrap();
        let tops: Vec<usize> = page.picture_areas().iter().map(|area| area.0.start).collect();
        assert!(tops[0] == tops[2] && tops[3] == tops[4] && tops[3] > tops[0] + 256, "{tops:?}");
    }

    #[test]
    fn no_panel_and_sizes_that_do_not_fit_are_errors() {
        assert!(grid(&[], "baby").is_err());
        assert!(grid(&[Group { name: "baby".into(), panels: vec![] }], "").unwrap_err().to_string().contains("baby"));
        let (lr, hr) = (picture(15, 16), picture(64, 64));
        let group = Group { name: String::new(), panels: vec![panel("LR", &lr), panel("HR", &hr)] };
        let error = grid(&[group], "baby").unwrap_err().to_string();
        assert!(error.contains("`LR`") && error.contains("(15, 16)") && error.contains("(64, 64)"), "{error}");
    }
}
