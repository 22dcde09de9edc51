//! Pictures side by side on white, each with lines of text above and below.

use abbe_data::image::Rgb8;
use anyhow::{Result, ensure};

use crate::text::{INK, Line, PALE, white};

/// White space around the figure, in pixels.
const MARGIN: usize = 24;
/// White space between two columns, and between a picture and its text, in pixels.
const GAP: usize = 16;
/// Grey of the hairline that frames a picture, so that a white one shows where it ends.
const FRAME: u8 = 200;

/// One column of a figure.
pub(crate) struct Cell {
    pub picture: Rgb8,
    pub above: Vec<Line>,
    pub below: Vec<Line>,
}

/// The lines above a figure: the first in the heading's size, the others small and pale.
pub(crate) fn heading(text: &str) -> Vec<Line> {
    let first = |text: &str| Line { text: text.to_owned(), size: 24, color: INK };
    text.lines().enumerate().map(|(i, line)| if i == 0 { first(line) } else { detail(line) }).collect()
}

/// A line in the size of a picture's title.
pub(crate) fn title(text: &str) -> Line {
    Line { text: text.to_owned(), size: 20, color: INK }
}

/// A small pale line.
pub(crate) fn detail(text: &str) -> Line {
    Line { text: text.to_owned(), size: 14, color: PALE }
}

/// The lines of a caption.
pub(crate) fn caption(text: &str) -> Vec<Line> {
    text.lines().map(|line| Line { text: line.to_owned(), size: 17, color: INK }).collect()
}

/// Lays out cells in one row under the heading. Columns are as wide as the widest picture or text among them, the figure
/// at least as wide as its heading, so no text can run into its neighbour or over the edge.
pub(crate) fn row(cells: &[Cell], heading: &[Line]) -> Result<Rgb8> {
    ensure!(!cells.is_empty(), "a figure needs at least one picture, found none");
    let mut column = 0;
    for cell in cells {
        column = column.max(cell.picture.width).max(widest(&cell.above)?).max(widest(&cell.below)?);
    }
    let top = MARGIN + lines_height(heading) + GAP;
    let picture_top = top + tallest(cells, |cell| lines_height(&cell.above)) + GAP / 2;
    let below_top = picture_top + tallest(cells, |cell| cell.picture.height) + GAP / 2;
    let bottom = below_top + tallest(cells, |cell| lines_height(&cell.below));
    let width = (cells.len() * (column + GAP) - GAP).max(widest(heading)?);
    let mut figure = white(bottom + MARGIN, width + 2 * MARGIN)?;
    write(&mut figure, heading, MARGIN, MARGIN)?;
    for (i, cell) in cells.iter().enumerate() {
        let left = MARGIN + i * (column + GAP);
        write(&mut figure, &cell.above, top, left)?;
        paste(&mut figure, &framed(&cell.picture)?, picture_top - 1, left - 1);
        write(&mut figure, &cell.below, below_top, left)?;
    }
    Ok(figure)
}

fn widest(lines: &[Line]) -> Result<usize> {
    lines.iter().try_fold(0, |widest, line| Ok(widest.max(line.width()?)))
}

fn tallest(cells: &[Cell], height: impl Fn(&Cell) -> usize) -> usize {
    cells.iter().map(height).max().unwrap_or(0)
}

fn lines_height(lines: &[Line]) -> usize {
    lines.iter().map(Line::height).sum()
}

/// Puts lines below each other, the first at (top, left).
fn write(figure: &mut Rgb8, lines: &[Line], mut top: usize, left: usize) -> Result<()> {
    for line in lines {
        paste(figure, &line.render()?, top, left - 1);
        top += line.height();
    }
    Ok(())
}

/// The picture inside a hairline of one pixel.
fn framed(picture: &Rgb8) -> Result<Rgb8> {
    let (height, width) = (picture.height + 2, picture.width + 2);
    let mut frame = Rgb8::new(height, width, vec![FRAME; 3 * height * width])?;
    paste(&mut frame, picture, 1, 1);
    Ok(frame)
}

/// Copies `picture` to (top, left) of `figure`, where there must be room for it.
fn paste(figure: &mut Rgb8, picture: &Rgb8, top: usize, left: usize) {
    let place = 3 * left..3 * (left + picture.width);
    let rows = figure.pixels.chunks_exact_mut(3 * figure.width).skip(top);
    for (line, row) in rows.zip(picture.pixels.chunks_exact(3 * picture.width)) {
        line[place.clone()].copy_from_slice(row);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether anything but white is in the rectangle.
    fn inked(figure: &Rgb8, top: usize, left: usize, height: usize, width: usize) -> bool {
        figure.crop(top, left, height, width).unwrap().pixels.iter().any(|&value| value < 255)
    }

    fn cells(side: usize, caption_text: &str) -> Vec<Cell> {
        let picture = Rgb8::new(side, side, vec![255; 3 * side * side]).unwrap();
        let cell = || Cell { picture: picture.clone(), above: vec![title("SRGAN")], below: caption(caption_text) };
        (0..4).map(|_| cell()).collect()
    }

    #[test]
    fn text_widens_columns_and_is_neither_cut_nor_run_together() {
        for (side, text) in [(8, "31.77 dB / 0.8564, a caption much wider than its picture"), (300, "31.77 dB")] {
            let figure = row(&cells(side, text), &heading("Set5")).unwrap();
            let column = caption(text)[0].width().unwrap().max(side);
            assert_eq!(figure.width, 4 * column + 3 * GAP + 2 * MARGIN);
            for i in 0..4 {
                let left = MARGIN + i * (column + GAP);
                let caption_top = figure.height - MARGIN - caption(text)[0].height();
                assert!(inked(&figure, caption_top, left, caption(text)[0].height(), column), "caption {i}");
                assert!(!inked(&figure, caption_top, left + column, MARGIN, GAP), "right of caption {i}");
            }
            assert!(!inked(&figure, figure.height - MARGIN, 0, MARGIN, figure.width), "below the captions");
        }
    }

    #[test]
    fn a_long_heading_widens_the_figure() {
        let long = heading(&("a long file name ".repeat(8) + "\nVGG-19 with random weights (seed 0)"));
        let figure = row(&cells(8, ""), &long).unwrap();
        assert_eq!(figure.width, long[0].width().unwrap() + 2 * MARGIN);
        assert!(inked(&figure, MARGIN, MARGIN, long[0].height(), long[0].width().unwrap()));
        assert_eq!((long.len(), long[1].color), (2, PALE));
    }

    #[test]
    fn a_white_picture_has_a_frame_around_its_own_pixels() {
        let framed = framed(&Rgb8::new(2, 3, (1..=18).collect()).unwrap()).unwrap();
        assert_eq!(framed.size(), (4, 5));
        assert_eq!(framed.crop(1, 1, 2, 3).unwrap().pixels, (1..=18).collect::<Vec<u8>>());
        assert_eq!((framed.pixels[0], framed.pixels[4 * 5 * 3 - 1]), (FRAME, FRAME));
    }
}
