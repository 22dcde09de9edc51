//! What stands above the plots of a chart: the heading, and the key of what each look stands for.

use anyhow::Result;
use plotters::coord::Shift;
use plotters::prelude::*;

use crate::chart::draw_line;
use crate::look::Look;
use crate::text::{INK, Line};

/// Distance from the edges, in pixels.
const MARGIN: u32 = 20;
/// Width of a sample of a look, in pixels.
const SAMPLE: u32 = 24;
/// Distance from a sample to its name, in pixels.
const GAP: u32 = 8;

/// What a look stands for.
pub(crate) struct Entry {
    pub look: Look,
    /// Whether the look is that of a curve, not of points.
    pub joined: bool,
    pub name: String,
}

/// Everything with its place (x, y), in pixels.
pub(crate) struct Header {
    texts: Vec<(Line, (u32, u32))>,
    samples: Vec<(Entry, (u32, u32))>,
    /// In pixels.
    pub height: u32,
}

impl Header {
    /// The lines, and below them the key, on a page that is `width` pixels wide.
    pub(crate) fn new(lines: &[Line], key: Vec<Entry>, width: u32) -> Result<Self> {
        let width = width - 2 * MARGIN;
        let mut header = Self { texts: Vec::new(), samples: Vec::new(), height: MARGIN };
        for line in lines {
            header.height += header.write(&line.wrapped(width as usize)?, MARGIN, header.height);
        }
        let (mut x, mut row) = (MARGIN, 0);
        for entry in key {
            let name = Line::new(&entry.name, 17, INK).wrapped((width - SAMPLE - GAP) as usize)?;
            let wide = SAMPLE + GAP + widest(&name)?;
            if x > MARGIN && x + wide > MARGIN + width {
                header.height += row;
                (x, row) = (MARGIN, 0);
            }
            row = row.max(header.write(&name, x + SAMPLE + GAP, header.height));
            header.samples.push((entry, (x, header.height)));
            x += wide + MARGIN;
        }
        header.height += row + MARGIN / 2;
        Ok(header)
    }

    /// Puts lines below each other; returns their height.
    fn write(&mut self, lines: &[Line], x: u32, y: u32) -> u32 {
        let mut height = 0;
        for line in lines {
            self.texts.push((line.clone(), (x, y + height)));
            height += line.height() as u32;
        }
        height
    }

    /// Draws on a page, every length `fine` times larger.
    pub(crate) fn draw<B: DrawingBackend>(&self, page: &DrawingArea<B, Shift>, fine: u32) -> Result<()>
    where
        B::ErrorType: 'static,
    {
        for (line, at) in &self.texts {
            draw_line(page, line, *at, fine)?;
        }
        for (entry, at) in &self.samples {
            draw_sample(page, entry, *at, fine)?;
        }
        Ok(())
    }
}

fn widest(lines: &[Line]) -> Result<u32> {
    lines.iter().try_fold(0, |widest, line| Ok(widest.max(line.width()? as u32)))
}

fn draw_sample<B>(page: &DrawingArea<B, Shift>, entry: &Entry, (x, y): (u32, u32), fine: u32) -> Result<()>
where
    B: DrawingBackend,
    B::ErrorType: 'static,
{
    let at = |dx: u32| (((x + dx) * fine) as i32, ((y + 12) * fine) as i32);
    let color = entry.look.color;
    if !entry.joined {
        let mark = EmptyElement::at(at(SAMPLE / 2)) + Polygon::new(entry.look.mark(6 * fine), color.filled());
        return Ok(page.draw(&mark)?);
    }
    let dashes: &[(u32, u32)] = if entry.look.dashed { &[(0, 6), (9, 15), (18, SAMPLE)] } else { &[(0, SAMPLE)] };
    for (start, end) in dashes {
        page.draw(&PathElement::new([at(*start), at(*end)], color.stroke_width(5 * fine / 2)))?;
    }
    Ok(())
}
