//! Maps of how far each method is from HR.

use abbe_data::image::Rgb8;
use anyhow::{Result, ensure};
use plotters::style::RGBColor;
use plotters::style::colors::colormaps::{ColorMap, ViridisRGB};

use crate::grid::Panel;
use crate::layout::{Block, Cell, GAP, caption, detail, divided, heading as heading_lines, page, rows, title};
use crate::shown::Shown;
use crate::zoom::same_size;

/// At most this many maps stand beside each other.
const COLUMNS: usize = 4;
/// The brightest colour stands for the difference that this share of all pixels does not exceed.
const SHARE: f64 = 0.999;
/// Height and width of the colour bar, in pixels.
const BAR: (usize, usize) = (14, 256);

/// For each panel the mean over R, G and B of the absolute difference to `hr`, in levels of 8 bit, in colours from dark
/// (none) to bright (viridis, even to the eye and for colour-blind readers); one colour bar is true of all maps. Under each
/// map stand its mean and the panel's caption.
///
/// # Errors
/// When there is no panel, or a picture has another size than `hr`.
pub fn difference(hr: &Panel, panels: &[Panel], heading: &str) -> Result<Rgb8> {
    lay_out(hr, panels, heading)?.paint()
}

fn lay_out(hr: &Panel, panels: &[Panel], heading: &str) -> Result<Block> {
    ensure!(!panels.is_empty(), "maps of differences need at least one picture, found none");
    same_size(hr, panels)?;
    let shown = Shown::of(hr.picture.size());
    let maps: Vec<Vec<u16>> = panels.iter().map(|panel| sums(panel.picture, hr.picture)).collect();
    let top = top(&maps);
    let cells = panels.iter().zip(&maps).map(|(panel, map)| cell(panel, map, top, &shown)).collect::<Result<_>>()?;
    let lines = divided(cells, COLUMNS, usize::MAX);
    let about = Block::text(&[detail(&format!("|{} − picture|, {shown}", hr.title))], BAR.1.max(480))?;
    page(about.above(rows(&lines, 0)?, GAP / 2).above(bar(top)?, GAP), &heading_lines(heading))
}

fn cell(panel: &Panel, map: &[u16], top: u16, shown: &Shown) -> Result<Cell> {
    let (height, width) = panel.picture.size();
    let gray = map.iter().flat_map(|sum| [level(*sum, top); 3]).collect();
    let picture = colored(shown.picture(&Rgb8::new(height, width, gray)?, 1));
    let mean = map.iter().map(|sum| f64::from(*sum)).sum::<f64>() / (3 * map.len()) as f64;
    let mut below = vec![detail(&format!("mean {mean:.2} levels"))];
    below.extend(caption(&panel.caption));
    Ok(Cell { picture, above: vec![title(&panel.title)], below })
}

/// Per pixel, the sum over R, G and B of the absolute difference, in [0, 765].
fn sums(a: &Rgb8, b: &Rgb8) -> Vec<u16> {
    let sum = |(a, b): (&[u8], &[u8])| a.iter().zip(b).map(|(a, b)| u16::from(a.abs_diff(*b))).sum();
    a.pixels.chunks_exact(3).zip(b.pixels.chunks_exact(3)).map(sum).collect()
}

/// The sum that [`SHARE`] of all pixels do not exceed, at least one level of each channel.
fn top(maps: &[Vec<u16>]) -> u16 {
    let mut counts = [0_usize; 766];
    maps.iter().flatten().for_each(|sum| counts[usize::from(*sum)] += 1);
    let enough = (SHARE * counts.iter().sum::<usize>() as f64).ceil() as usize;
    let mut seen = 0;
    let found = counts.iter().position(|count| {
        seen += count;
        seen >= enough
    });
    found.unwrap_or(0).max(3) as u16
}

/// A sum in [0, top] as a gray value; what lies above is white.
fn level(sum: u16, top: u16) -> u8 {
    (f64::from(sum) / f64::from(top) * 255.0).round().min(255.0) as u8
}

fn colored(mut gray: Rgb8) -> Rgb8 {
    for pixel in gray.pixels.chunks_exact_mut(3) {
        let RGBColor(r, g, b) = ViridisRGB.get_color(f32::from(pixel[0]) / 255.0);
        pixel.copy_from_slice(&[r, g, b]);
    }
    gray
}

/// The colours from none to `top` with their numbers.
fn bar(top: u16) -> Result<Block> {
    let (height, width) = BAR;
    let gray = (0..height * width).flat_map(|i| [(i % width * 255 / (width - 1)) as u8; 3]).collect();
    let mut block = Block::picture(colored(Rgb8::new(height, width, gray)?));
    let levels = |share: f64| format!("{:.1}", share * f64::from(top) / 3.0);
    let numbers = ["0".to_owned(), levels(0.5), format!("≥ {} levels of 255", levels(1.0))];
    for (number, left) in numbers.iter().zip([0, width / 2 - 8, width - 16]) {
        block = block.with(Block::text(&[detail(number)], width)?, height + GAP / 4, left);
    }
    Ok(block)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::tests::{names, panel, picture};
    use crate::layout::tests::assert_tidy;

    #[test]
    fn a_difference_is_the_sum_over_channels() {
        let of = |pixels| Rgb8::new(1, 2, pixels).unwrap();
        // |10 - 13| + |20 - 20| + |30 - 25| = 8; 255 three times
        assert_eq!(sums(&of(vec![10, 20, 30, 0, 255, 0]), &of(vec![13, 20, 25, 255, 0, 255])), [8, 765]);
    }

    #[test]
    fn the_brightest_colour_ignores_a_few_outliers() {
        // of 1000 pixels 999 have 60 and one has 765: 0.999 of them do not exceed 60, that is 20 levels per channel
        let mut map = vec![60; 1000];
        map[7] = 765;
        assert_eq!(top(&[map.clone()]), 60);
        map[8] = 765;
        assert_eq!(top(&[map]), 765);
        assert_eq!(top(&[vec![0; 10]]), 3, "equal pictures");
        assert_eq!([0, 30, 60, 765].map(|sum| level(sum, 60)), [0, 128, 255, 255]);
    }

    #[test]
    fn the_colours_grow_brighter() {
        let gray = Rgb8::new(1, 256, (0..=255).flat_map(|value| [value; 3]).collect()).unwrap();
        let luma = abbe_data::color::luma(&colored(gray));
        assert!(luma.windows(2).all(|pair| pair[1] >= pair[0] - 0.5) && luma[255] > luma[0] + 120.0, "{luma:?}");
    }

    #[test]
    fn nothing_overlaps_from_one_to_eight_maps_of_any_size() {
        for (height, width) in [(40, 40), (40, 400), (512, 40), (1356, 2040)] {
            let hr = picture(height, width);
            for name in names(width) {
                for count in [1, 2, 4, 5, 8] {
                    let page = lay_out(&panel(name, &hr), &vec![panel(name, &hr); count], name).unwrap();
                    assert_tidy(&page, &format!("{count} maps of {height} x {width}, {name}"));
                }
            }
        }
    }

    #[test]
    fn unequal_sizes_and_no_panel_are_errors() {
        let (hr, sr) = (picture(9, 8), picture(8, 8));
        assert!(difference(&panel("HR", &hr), &[panel("SR", &sr)], "").is_err());
        assert!(difference(&panel("HR", &hr), &[], "").is_err());
    }
}
