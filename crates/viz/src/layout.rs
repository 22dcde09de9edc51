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

/// A small line, and below it what does not fit into `width` pixels, indented; a word is never cut.
pub(crate) fn wrapped(text: &str, width: usize) -> Result<Vec<Line>> {
    let mut lines = Vec::new();
    let small = |text: &str| Line { text: text.to_owned(), size: 14, color: INK };
    let mut line = small("");
    for word in text.split(' ') {
        let longer = small(&format!("{}{}{word}", line.text, if line.text.is_empty() { "" } else { " " }));
        if longer.width()? > width && !line.text.is_empty() {
            lines.push(line);
            line = small(&format!("    {word}"));
        } else {
            line = longer;
        }
    }
    lines.push(line);
    Ok(lines)
}

/// [`page`] with one row.
pub(crate) fn row(cells: &[Cell], heading: &[Line]) -> Result<Rgb8> {
    page(&[cells], heading)
}

/// Lays out rows of cells under the heading. Columns are as wide as the widest picture or text among them, the figure at
/// least as wide as its heading, so no text can run into its neighbour or over the edge.
pub(crate) fn page(rows: &[&[Cell]], heading: &[Line]) -> Result<Rgb8> {
    let mut column = 0;
    for cell in rows.iter().copied().flatten() {
        column = column.max(cell.picture.width).max(widest(&cell.above)?).max(widest(&cell.below)?);
    }
    let columns = rows.iter().map(|cells| cells.len()).max().unwrap_or(0);
    ensure!(columns > 0, "a figure needs at least one picture, found none");
    let width = (columns * (column + GAP) - GAP).max(widest(heading)?);
    let bands: Vec<Band> = rows.iter().map(|cells| Band::new(cells)).collect();
    let mut top = MARGIN + lines_height(heading);
    let height = top + bands.iter().map(|band| band.height()).sum::<usize>() + MARGIN;
    let mut figure = white(height, width + 2 * MARGIN)?;
    write(&mut figure, heading, MARGIN, MARGIN)?;
    for band in bands {
        band.write(&mut figure, top, column)?;
        top += band.height();
    }
    Ok(figure)
}

/// A row of a figure and the heights of its parts in pixels: the text above, the pictures, the text below.
struct Band<'a> {
    cells: &'a [Cell],
    above: usize,
    picture: usize,
    below: usize,
}

impl<'a> Band<'a> {
    fn new(cells: &'a [Cell]) -> Self {
        let tallest = |height: fn(&Cell) -> usize| cells.iter().map(height).max().unwrap_or(0);
        let above = tallest(|cell| lines_height(&cell.above));
        let picture = tallest(|cell| cell.picture.height);
        Self { cells, above, picture, below: tallest(|cell| lines_height(&cell.below)) }
    }

    fn height(&self) -> usize {
        2 * GAP + self.above + self.picture + self.below
    }

    /// Puts the row at `top`, its cells `column` pixels wide.
    fn write(&self, figure: &mut Rgb8, top: usize, column: usize) -> Result<()> {
        let above = top + GAP;
        let picture = above + self.above + GAP / 2;
        for (i, cell) in self.cells.iter().enumerate() {
            let left = MARGIN + i * (column + GAP);
            write(figure, &cell.above, above, left)?;
            paste(figure, &framed(&cell.picture)?, picture - 1, left - 1);
            write(figure, &cell.below, picture + self.picture + GAP / 2, left)?;
        }
        Ok(())
    }
}

fn widest(lines: &[Line]) -> Result<usize> {
    lines.iter().try_fold(0, |widest, line| Ok(widest.max(line.width()?)))
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
    fn rows_stand_below_each_other_in_the_same_columns() {
        let cells = cells(30, "31.77 dB");
        let figure = page(&[&cells[..3], &cells[3..]], &heading("Set5")).unwrap();
        let one = row(&cells[..3], &heading("Set5")).unwrap();
        let band = one.height - 2 * MARGIN - heading("Set5")[0].height();
        assert_eq!(figure.size(), (one.height + band, one.width));
        let column = caption("31.77 dB")[0].width().unwrap();
        let below = figure.crop(one.height - MARGIN, MARGIN, band, column).unwrap();
        let first = one.crop(one.height - MARGIN - band, MARGIN, band, column).unwrap();
        assert_eq!(below, first);
    }

    #[test]
    fn a_long_line_is_wrapped_between_words() {
        let width = detail("    plateau, sigma").width().unwrap();
        let lines = wrapped("blur 7×7, plateau, sigma 1.50, beta 1.00", width).unwrap();
        assert!(lines.iter().all(|line| line.width().unwrap() <= width));
        let text: Vec<&str> = lines.iter().flat_map(|line| line.text.split_whitespace()).collect();
        assert_eq!(text.join(" "), "blur 7×7, plateau, sigma 1.50, beta 1.00");
        assert!(lines.len() > 1 && lines[1..].iter().all(|line| line.text.starts_with("    ")));
        assert_eq!(wrapped("unbreakable", 1).unwrap().len(), 1);
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
