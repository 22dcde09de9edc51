//! Pictures and text on a white page: blocks that are put beside and below each other.

#[cfg(test)]
use std::ops::Range;

use abbe_data::image::Rgb8;
use anyhow::{Result, ensure};

use crate::text::{INK, Line, PALE, substitutes, white};

/// White space around the figure, in pixels.
const MARGIN: usize = 24;
/// White space between two pictures, in pixels.
pub(crate) const GAP: usize = 16;
/// Grey of the hairline that frames a picture, so that a white one shows where it ends.
const FRAME: u8 = 200;
/// Text beside a picture is set at least this wide, in pixels, however narrow the picture is.
const NARROWEST: usize = 160;
/// A heading is set at least this wide, in pixels.
const HEADING: usize = 480;

/// One picture with its text, which is broken into lines as wide as the column.
pub(crate) struct Cell {
    pub picture: Rgb8,
    pub above: Vec<Line>,
    pub below: Vec<Line>,
}

/// The lines above a figure: the first in the heading's size, the others small and pale.
pub(crate) fn heading(text: &str) -> Vec<Line> {
    let line = |(i, line)| if i == 0 { Line::new(line, 24, INK) } else { detail(line) };
    text.lines().enumerate().map(line).collect()
}

/// A line in the size of a picture's title.
pub(crate) fn title(text: &str) -> Line {
    Line::new(text, 20, INK)
}

/// A small pale line.
pub(crate) fn detail(text: &str) -> Line {
    Line::new(text, 14, PALE)
}

/// The lines of a caption.
pub(crate) fn caption(text: &str) -> Vec<Line> {
    text.lines().map(|line| Line::new(line, 17, INK)).collect()
}

/// Things at their places in a rectangle.
#[derive(Clone, Default)]
pub(crate) struct Block {
    pub height: usize,
    pub width: usize,
    texts: Vec<Placed<Line>>,
    pictures: Vec<Placed<Rgb8>>,
}

/// A thing and the pixel of its upper left corner.
#[derive(Clone)]
struct Placed<T> {
    thing: T,
    top: usize,
    left: usize,
}

/// The rows and columns that something covers, in pixels.
#[cfg(test)]
pub(crate) type Area = (Range<usize>, Range<usize>);

impl Block {
    /// A framed picture.
    pub(crate) fn picture(picture: Rgb8) -> Self {
        let (height, width) = picture.size();
        Self { height, width, pictures: vec![Placed { thing: picture, top: 0, left: 0 }], ..Self::default() }
    }

    /// Lines below each other, broken where they are wider than `width` pixels.
    pub(crate) fn text(lines: &[Line], width: usize) -> Result<Self> {
        let mut block = Self::default();
        for line in lines {
            for line in line.wrapped(width)? {
                block.width = block.width.max(line.width()?);
                let top = block.height;
                block.height += line.height();
                block.texts.push(Placed { thing: line, top, left: 0 });
            }
        }
        Ok(block)
    }

    /// This and `other` with its upper left corner at (top, left).
    pub(crate) fn with(mut self, other: Self, top: usize, left: usize) -> Self {
        fn moved<T>(things: Vec<Placed<T>>, top: usize, left: usize) -> impl Iterator<Item = Placed<T>> {
            things.into_iter().map(move |it| Placed { top: it.top + top, left: it.left + left, ..it })
        }
        self.height = self.height.max(top + other.height);
        self.width = self.width.max(left + other.width);
        self.texts.extend(moved(other.texts, top, left));
        self.pictures.extend(moved(other.pictures, top, left));
        self
    }

    /// `other` below this.
    pub(crate) fn above(self, other: Self, gap: usize) -> Self {
        let top = self.height + gap;
        self.with(other, top, 0)
    }

    /// What the lines of text cover.
    #[cfg(test)]
    pub(crate) fn text_areas(&self) -> Vec<Area> {
        let area = |it: &Placed<Line>| {
            (it.top..it.top + it.thing.height(), it.left..it.left + it.thing.width().unwrap_or(usize::MAX / 2))
        };
        self.texts.iter().map(area).collect()
    }

    /// What the pictures cover.
    #[cfg(test)]
    pub(crate) fn picture_areas(&self) -> Vec<Area> {
        let area = |it: &Placed<Rgb8>| (it.top..it.top + it.thing.height, it.left..it.left + it.thing.width);
        self.pictures.iter().map(area).collect()
    }

    /// The pixels.
    pub(crate) fn paint(&self) -> Result<Rgb8> {
        let mut figure = white(self.height, self.width)?;
        for Placed { thing, top, left } in &self.pictures {
            paste(&mut figure, &framed(thing)?, top.saturating_sub(1), left.saturating_sub(1));
        }
        for Placed { thing, top, left } in &self.texts {
            paste(&mut figure, &thing.render()?, *top, *left);
        }
        Ok(figure)
    }
}

/// The cells in rows as equal as can be: as few rows as hold them with `columns` each, but at most `most` rows.
pub(crate) fn divided(mut cells: Vec<Cell>, columns: usize, most: usize) -> Vec<Vec<Cell>> {
    let columns = cells.len().div_ceil(cells.len().div_ceil(columns).clamp(1, most)).max(1);
    let mut rows = Vec::new();
    while !cells.is_empty() {
        let rest = cells.split_off(columns.min(cells.len()));
        rows.push(std::mem::replace(&mut cells, rest));
    }
    rows
}

/// Rows of cells below each other. All columns are as wide as the widest picture, and at least `column` pixels; in a row
/// the pictures stand at one height, with their text directly above and below.
pub(crate) fn rows(rows: &[Vec<Cell>], column: usize) -> Result<Block> {
    let widths = rows.iter().flatten().map(|cell| cell.picture.width);
    let column = widths.fold(column.max(NARROWEST), usize::max);
    let mut block = Block::default();
    for cells in rows {
        let gap = if block.height == 0 { 0 } else { GAP };
        block = block.above(row(cells, column)?, gap);
    }
    Ok(block)
}

fn row(cells: &[Cell], column: usize) -> Result<Block> {
    let texts = |lines: fn(&Cell) -> &[Line]| -> Result<Vec<Block>> {
        cells.iter().map(|cell| Block::text(lines(cell), column)).collect()
    };
    let (above, below) = (texts(|cell| &cell.above)?, texts(|cell| &cell.below)?);
    let picture_top = above.iter().map(|text| text.height).max().unwrap_or(0) + GAP / 4;
    let mut block = Block::default();
    for (i, ((above, cell), below)) in above.into_iter().zip(cells).zip(below).enumerate() {
        let left = i * (column + GAP);
        let top = picture_top - GAP / 4 - above.height;
        let below_top = picture_top + cell.picture.height + GAP / 4;
        block = block
            .with(above, top, left)
            .with(Block::picture(cell.picture.clone()), picture_top, left)
            .with(below, below_top, left);
    }
    Ok(block)
}

/// The whole figure: the heading, what it is about, and a word on characters that the font lacks, inside a margin.
pub(crate) fn page(body: Block, heading: &[Line]) -> Result<Block> {
    ensure!(!body.pictures.is_empty(), "a figure needs at least one picture, found none");
    let width = body.width.max(HEADING);
    let mut figure = Block::text(heading, width)?.above(body, GAP);
    if let Some(note) = substitutes(figure.texts.iter().map(|text| &text.thing))? {
        figure = figure.above(Block::text(&[detail(&note)], width)?, GAP);
    }
    let mut page = Block::default().with(figure, MARGIN, MARGIN);
    (page.height, page.width) = (page.height + MARGIN, page.width + MARGIN);
    Ok(page)
}

/// The picture inside a hairline of one pixel.
fn framed(picture: &Rgb8) -> Result<Rgb8> {
    let (height, width) = (picture.height + 2, picture.width + 2);
    let mut frame = Rgb8::new(height, width, vec![FRAME; 3 * height * width])?;
    paste(&mut frame, picture, 1, 1);
    Ok(frame)
}

/// Copies `picture` to (top, left) of `figure`; what lies outside is cut.
fn paste(figure: &mut Rgb8, picture: &Rgb8, top: usize, left: usize) {
    let width = picture.width.min(figure.width.saturating_sub(left));
    let rows = figure.pixels.chunks_exact_mut(3 * figure.width).skip(top);
    for (line, row) in rows.zip(picture.pixels.chunks_exact(3 * picture.width)) {
        line[3 * left..3 * (left + width)].copy_from_slice(&row[..3 * width]);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn overlap(a: &Area, b: &Area) -> bool {
        let meet = |a: &Range<usize>, b: &Range<usize>| a.start < b.end && b.start < a.end;
        meet(&a.0, &b.0) && meet(&a.1, &b.1)
    }

    /// Text neither leaves the page nor meets other text or a picture; pictures do not meet.
    pub(crate) fn assert_tidy(page: &Block, what: &str) {
        let (texts, pictures) = (page.text_areas(), page.picture_areas());
        let all: Vec<&Area> = texts.iter().chain(&pictures).collect();
        for (i, area) in all.iter().enumerate() {
            assert!(area.0.end <= page.height && area.1.end <= page.width, "{what}: {area:?} leaves the page");
            for other in &all[i + 1..] {
                assert!(!overlap(area, other), "{what}: {area:?} meets {other:?}");
            }
        }
    }

    fn cells(count: usize, side: usize, text: &str) -> Vec<Cell> {
        let picture = Rgb8::new(side, side, vec![255; 3 * side * side]).unwrap();
        let cell = || Cell { picture: picture.clone(), above: vec![title(text)], below: caption(text) };
        (0..count).map(|_| cell()).collect()
    }

    #[test]
    fn long_text_is_broken_and_nothing_overlaps() {
        for (side, text) in [(8, "31.77 dB / 0.8564, a caption much wider than its picture"), (300, "31.77 dB")] {
            let body = rows(&[cells(3, side, text), cells(1, side, text)], 0).unwrap();
            let column = side.max(NARROWEST);
            assert_eq!(body.picture_areas()[2].1, 2 * (column + GAP)..2 * (column + GAP) + side);
            let page = page(body, &heading(&("a long file name ".repeat(8) + "\nnotice"))).unwrap();
            assert_tidy(&page, text);
            let painted = page.paint().unwrap();
            for (rows, columns) in page.text_areas() {
                let area = painted.crop(rows.start, columns.start, rows.len(), columns.len()).unwrap();
                assert!(area.pixels.iter().any(|&value| value < 200), "text is drawn in its area");
            }
        }
    }

    #[test]
    fn cells_are_divided_into_equal_rows() {
        let lengths = |count, columns, most| {
            divided(cells(count, 1, ""), columns, most).iter().map(Vec::len).collect::<Vec<usize>>()
        };
        assert_eq!([lengths(4, 4, 9), lengths(5, 4, 9), lengths(7, 4, 9)], [vec![4], vec![3, 2], vec![4, 3]]);
        assert_eq!([lengths(8, 3, 2), lengths(1, 3, 2), lengths(0, 3, 2)], [vec![4, 4], vec![1], vec![]]);
    }

    #[test]
    fn pictures_of_a_row_stand_at_one_height_under_titles_of_unequal_length() {
        let mut cells = cells(2, 200, "SRGAN");
        cells[1].above = vec![title("a name that needs more than one line of text")];
        let block = rows(&[cells], 0).unwrap();
        let tops: Vec<usize> = block.picture_areas().iter().map(|area| area.0.start).collect();
        assert_eq!(tops[0], tops[1]);
        assert_eq!(block.text_areas()[0].0.end + GAP / 4, tops[0], "a short title stands on its picture");
    }

    #[test]
    fn a_figure_without_pictures_is_an_error() {
        assert!(page(Block::default(), &heading("Set5")).is_err());
    }

    #[test]
    fn a_white_picture_has_a_frame_around_its_own_pixels() {
        let framed = framed(&Rgb8::new(2, 3, (1..=18).collect()).unwrap()).unwrap();
        assert_eq!(framed.size(), (4, 5));
        assert_eq!(framed.crop(1, 1, 2, 3).unwrap().pixels, (1..=18).collect::<Vec<u8>>());
        assert_eq!((framed.pixels[0], framed.pixels[4 * 5 * 3 - 1]), (FRAME, FRAME));
    }
}
