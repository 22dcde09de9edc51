//! Charts on a page: a heading, a key, and plots in two columns.

use abbe_data::image::Rgb8;
use abbe_data::resample::{self, Border};
use anyhow::{Result, ensure};
use plotters::coord::Shift;
use plotters::prelude::*;

use crate::bars::Bars;
use crate::layout::{detail, heading as heading_lines};
use crate::look::Look;
use crate::plot::Plot;
use crate::recorder::{Recorder, Text};
use crate::text::{self, FAMILY, INK, Line, substitutes, white};

/// Width of a plot, in pixels.
const WIDTH: u32 = 620;
/// Height of a plot of curves under its title, in pixels.
const HEIGHT: u32 = 280;
/// How many times larger a PNG is drawn before it is reduced: plotters neither smooths lines well nor sets text finely.
const FINE: u32 = 4;
/// Distance of text from the edges, in pixels.
const MARGIN: u32 = 20;
/// Width of a sample of a look in the key, in pixels.
const SAMPLE: u32 = 24;

/// A figure of lines and text, for PNG and SVG.
pub struct Chart {
    heading: Vec<Line>,
    key: Vec<Entry>,
    plots: Vec<Body>,
}

/// What a look stands for.
pub(crate) struct Entry {
    pub look: Look,
    /// Whether the look is that of a curve, not of points.
    pub joined: bool,
    pub name: String,
}

/// One plot.
pub(crate) enum Body {
    Plot(Plot),
    Bars(Bars),
}

/// A line of text, or a sample of a look, at its place (x, y) in pixels.
enum Item<'a> {
    Text(Line),
    Sample(&'a Entry),
}

impl Chart {
    pub(crate) fn new(heading: &str, key: Vec<Entry>, plots: Vec<Body>) -> Result<Self> {
        text::register()?;
        ensure!(!plots.is_empty(), "a chart needs something to draw, found nothing");
        Ok(Self { heading: heading_lines(heading), key, plots })
    }

    /// The pixels.
    ///
    /// # Errors
    /// A figure too large for memory.
    pub fn png(&self) -> Result<Rgb8> {
        let (width, height) = self.size()?;
        let (fine_width, fine_height) = (width * FINE, height * FINE);
        let mut fine = white(fine_height as usize, fine_width as usize)?;
        self.draw(&BitMapBackend::with_buffer(&mut fine.pixels, (fine_width, fine_height)).into_drawing_area(), FINE)?;
        Ok(resample::bicubic(&fine, height as usize, width as usize, Border::Replicate))
    }

    /// The text of an SVG file. Its font is the reader's sans-serif, set as wide as ours, so that nothing overlaps there.
    ///
    /// # Errors
    /// None that a caller can cause.
    pub fn svg(&self) -> Result<String> {
        let mut svg = String::new();
        self.draw(&SVGBackend::with_string(&mut svg, self.size()?).into_drawing_area(), 1)?;
        let mut parts = svg.split("<text ");
        let mut fitted = parts.next().unwrap_or_default().to_owned();
        for (part, Text { width, .. }) in parts.zip(self.texts(1)?) {
            fitted += &format!("<text textLength=\"{width}\" lengthAdjust=\"spacingAndGlyphs\" {part}");
        }
        Ok(fitted)
    }

    /// Every text in the order in which it is drawn.
    fn texts(&self, fine: u32) -> Result<Vec<Text>> {
        let (width, height) = self.size()?;
        let mut texts = Vec::new();
        self.draw(&Recorder { size: (width * fine, height * fine), texts: &mut texts }.into_drawing_area(), fine)?;
        Ok(texts)
    }

    fn columns(&self) -> usize {
        self.plots.len().min(2)
    }

    /// (width, height) in pixels.
    fn size(&self) -> Result<(u32, u32)> {
        let rows = self.plots.chunks(self.columns()).map(row_height).collect::<Result<Vec<u32>>>()?;
        Ok((self.columns() as u32 * WIDTH, self.header()?.1 + rows.iter().sum::<u32>()))
    }

    /// What stands above the plots, and its height in pixels.
    fn header(&self) -> Result<(Vec<(Item<'_>, (u32, u32))>, u32)> {
        let width = self.columns() as u32 * WIDTH - 2 * MARGIN;
        let mut items = Vec::new();
        let mut y = MARGIN;
        for line in self.heading.iter().chain(self.note()?.iter()) {
            for line in line.wrapped(width as usize)? {
                let height = line.height() as u32;
                items.push((Item::Text(line), (MARGIN, y)));
                y += height;
            }
        }
        let mut x = MARGIN;
        let mut row_height = 0;
        for entry in &self.key {
            let lines = Line::new(&entry.name, 17, INK).wrapped((width - SAMPLE - MARGIN) as usize)?;
            let wide = widest(&lines)? + SAMPLE + MARGIN;
            if x > MARGIN && x + wide > width {
                (x, y, row_height) = (MARGIN, y + row_height, 0);
            }
            items.push((Item::Sample(entry), (x, y)));
            let mut top = y;
            for line in lines {
                let height = line.height() as u32;
                items.push((Item::Text(line), (x + SAMPLE + 8, top)));
                top += height;
            }
            row_height = row_height.max(top - y);
            x += wide + 8;
        }
        Ok((items, y + row_height + MARGIN / 2))
    }

    /// A word on characters that the font lacks.
    fn note(&self) -> Result<Option<Line>> {
        let mut lines = self.heading.clone();
        lines.extend(self.key.iter().map(|entry| detail(&entry.name)));
        for plot in &self.plots {
            lines.push(detail(plot.title()));
            if let Body::Bars(bars) = plot {
                lines.extend(bars.rows.iter().map(|(name, _)| detail(name)));
            }
        }
        Ok(substitutes(&lines)?.map(|note| detail(&note)))
    }

    /// Draws on an area that is `fine` times as large as [`Chart::size`].
    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>, fine: u32) -> Result<()>
    where
        B::ErrorType: 'static,
    {
        area.fill(&WHITE)?;
        let (items, mut top) = self.header()?;
        for (item, at) in &items {
            match item {
                Item::Text(line) => draw_line(area, line, *at, fine)?,
                Item::Sample(entry) => draw_sample(area, entry, *at, fine)?,
            }
        }
        for row in self.plots.chunks(self.columns()) {
            let height = row_height(row)?;
            for (i, plot) in row.iter().enumerate() {
                let corner = ((i as u32 * WIDTH * fine) as i32, (top * fine) as i32);
                plot.draw(&area.clone().shrink(corner, (WIDTH * fine, height * fine)), title_height(row)?, fine)?;
            }
            top += height;
        }
        Ok(area.present()?)
    }
}

impl Body {
    fn title(&self) -> &str {
        match self {
            Body::Plot(plot) => &plot.title,
            Body::Bars(bars) => &bars.title,
        }
    }

    fn title_lines(&self) -> Result<Vec<Line>> {
        let logarithmic = match self {
            Body::Plot(plot) if plot.is_wide()? => ", logarithmic",
            _ => "",
        };
        Line::new(&format!("{}{logarithmic}", self.title()), 17, INK).wrapped((WIDTH - 2 * MARGIN) as usize)
    }

    /// The title in the upper `title` pixels, the plot below.
    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>, title: u32, fine: u32) -> Result<()>
    where
        B::ErrorType: 'static,
    {
        let mut y = 0;
        for line in self.title_lines()? {
            draw_line(area, &line, (MARGIN, y), fine)?;
            y += line.height() as u32;
        }
        let (_, body) = area.split_vertically(title * fine);
        match self {
            Body::Plot(plot) => plot.draw(&body, fine),
            Body::Bars(bars) => bars.draw(&body, WIDTH, fine),
        }
    }
}

/// Height of the tallest title of a row, in pixels.
fn title_height(row: &[Body]) -> Result<u32> {
    row.iter().try_fold(0, |tallest, plot| {
        Ok(plot.title_lines()?.iter().map(|line| line.height() as u32).sum::<u32>().max(tallest))
    })
}

/// Height of the tallest plot of a row with its title, in pixels.
fn row_height(row: &[Body]) -> Result<u32> {
    let body = |plot: &Body| match plot {
        Body::Plot(_) => Ok(HEIGHT),
        Body::Bars(bars) => bars.height(WIDTH),
    };
    let tallest = row.iter().try_fold(0, |tallest, plot| anyhow::Ok(body(plot)?.max(tallest)))?;
    Ok(title_height(row)? + tallest + MARGIN / 2)
}

fn widest(lines: &[Line]) -> Result<u32> {
    lines.iter().try_fold(0, |widest, line| Ok(widest.max(line.width()? as u32)))
}

/// Draws a line of text at (x, y), a pixel of the page; `fine` times larger.
pub(crate) fn draw_line<B>(area: &DrawingArea<B, Shift>, line: &Line, (x, y): (u32, u32), fine: u32) -> Result<()>
where
    B: DrawingBackend,
    B::ErrorType: 'static,
{
    let style = (FAMILY, line.size as u32 * fine).into_font().color(&line.color);
    let top = y + line.size as u32 / 4;
    Ok(area.draw_text(&line.text, &style, ((x * fine) as i32, (top * fine) as i32))?)
}

fn draw_sample<B>(area: &DrawingArea<B, Shift>, entry: &Entry, (x, y): (u32, u32), fine: u32) -> Result<()>
where
    B: DrawingBackend,
    B::ErrorType: 'static,
{
    let at = |dx: u32| (((x + dx) * fine) as i32, ((y + 12) * fine) as i32);
    let color = entry.look.color;
    if !entry.joined {
        let mark = EmptyElement::at(at(SAMPLE / 2)) + Polygon::new(entry.look.mark(6 * fine), color.filled());
        return Ok(area.draw(&mark)?);
    }
    let dashes = if entry.look.dashed { vec![0..6, 9..15, 18..24] } else { vec![0..SAMPLE] };
    for dash in dashes {
        let line = [at(dash.start), at(dash.end)];
        area.draw(&PathElement::new(line, color.stroke_width(5 * fine / 2)))?;
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Text neither leaves the page nor meets other text.
    pub(crate) fn assert_tidy(chart: &Chart, what: &str) {
        let (width, height) = chart.size().unwrap();
        let texts = chart.texts(FINE).unwrap();
        let texts: Vec<_> = texts.iter().filter(|text| text.width > 0).map(|text| text.corners).collect();
        for (i, area @ [start, end]) in texts.iter().enumerate() {
            let inside =
                start.0 >= 0 && start.1 >= 0 && end.0 <= (width * FINE) as i32 && end.1 <= (height * FINE) as i32;
            assert!(inside, "{what}: {area:?} leaves the page");
            for other in &texts[i + 1..] {
                let apart =
                    end.0 <= other[0].0 || other[1].0 <= start.0 || end.1 <= other[0].1 || other[1].1 <= start.1;
                assert!(apart, "{what}: {area:?} meets {other:?}");
            }
        }
    }
}
