//! Charts on a page: a heading, a key, and plots in two columns.

use abbe_data::image::Rgb8;
use abbe_data::resample::{self, Border};
use anyhow::{Result, ensure};
use plotters::coord::Shift;
use plotters::prelude::*;

use crate::bars::Bars;
use crate::header::{Entry, Header};
use crate::layout::{detail, heading as heading_lines};
use crate::plot::Plot;
use crate::recorder::{Recorder, Text};
use crate::text::{self, FAMILY, INK, Line, substitutes, white};

/// Width of a plot, in pixels.
pub(crate) const WIDTH: u32 = 620;
/// Height of a plot of curves under its title, in pixels.
const HEIGHT: u32 = 280;
/// How many times larger a figure is drawn: plotters does not smooth lines well, and places things on whole units.
const FINE: u32 = 4;
/// Distance of text from the edges, in pixels.
const MARGIN: u32 = 20;

/// A figure of lines and text, for PNG and SVG.
pub struct Chart {
    header: Header,
    plots: Vec<Body>,
}

/// One plot.
pub(crate) enum Body {
    Plot(Plot),
    Bars(Bars),
}

impl Chart {
    pub(crate) fn new(heading: &str, key: Vec<Entry>, plots: Vec<Body>) -> Result<Self> {
        text::register()?;
        ensure!(!plots.is_empty(), "a chart needs something to draw, found nothing");
        let mut lines = heading_lines(heading);
        let names = key.iter().map(|entry| entry.name.as_str()).chain(plots.iter().flat_map(Body::texts));
        let names: Vec<Line> = names.map(detail).collect();
        lines.extend(substitutes(lines.iter().chain(&names))?.map(|note| detail(&note)));
        Ok(Self { header: Header::new(&lines, key, columns(&plots) as u32 * WIDTH)?, plots })
    }

    /// The pixels.
    ///
    /// # Errors
    /// A plot without a finite number.
    pub fn png(&self) -> Result<Rgb8> {
        let (width, height) = self.size()?;
        let fine = (width * FINE, height * FINE);
        let mut large = white(fine.1 as usize, fine.0 as usize)?;
        let texts = self.record(BitMapBackend::with_buffer(&mut large.pixels, fine))?;
        let mut page = resample::bicubic(&large, height as usize, width as usize, Border::Replicate);
        texts.iter().try_for_each(|text| text.write(&mut page))?;
        Ok(page)
    }

    /// The text of an SVG file. Its font is the reader's sans-serif, set as wide as ours, so that nothing overlaps there.
    ///
    /// # Errors
    /// A plot without a finite number.
    pub fn svg(&self) -> Result<String> {
        let (width, height) = self.size()?;
        let fine = (width * FINE, height * FINE);
        let mut svg = String::new();
        let texts = self.record(SVGBackend::with_string(&mut svg, fine))?;
        let size = format!("width=\"{}\" height=\"{}\"", fine.0, fine.1);
        let mut svg = svg.replacen(&size, &format!("width=\"{width}\" height=\"{height}\""), 1);
        svg.truncate(svg.trim_end().len() - "</svg>".len());
        for text in texts.iter().filter(|text| !text.line.text.is_empty()) {
            svg += &text.svg(FINE)?;
        }
        Ok(svg + "</svg>\n")
    }

    /// Draws all but the text, and returns that.
    fn record<B: DrawingBackend>(&self, inner: B) -> Result<Vec<Text>>
    where
        B::ErrorType: 'static,
    {
        let mut texts = Vec::new();
        self.draw(&Recorder { inner, fine: FINE, texts: &mut texts }.into_drawing_area())?;
        Ok(texts)
    }

    /// (width, height) in pixels.
    fn size(&self) -> Result<(u32, u32)> {
        let columns = columns(&self.plots);
        let height = |total, row| Ok::<u32, anyhow::Error>(total + row_height(row)?);
        Ok((columns as u32 * WIDTH, self.plots.chunks(columns).try_fold(self.header.height, height)?))
    }

    /// Draws on a page that is [`FINE`] times as large as [`Chart::size`].
    fn draw<B: DrawingBackend>(&self, page: &DrawingArea<B, Shift>) -> Result<()>
    where
        B::ErrorType: 'static,
    {
        page.fill(&WHITE)?;
        self.header.draw(page, FINE)?;
        let mut top = self.header.height;
        for row in self.plots.chunks(columns(&self.plots)) {
            let (title, height) = (title_height(row)?, row_height(row)?);
            for (i, plot) in row.iter().enumerate() {
                let corner = ((i as u32 * WIDTH * FINE) as i32, (top * FINE) as i32);
                plot.draw(&page.clone().shrink(corner, (WIDTH * FINE, height * FINE)), title)?;
            }
            top += height;
        }
        Ok(page.present()?)
    }
}

impl Body {
    fn title(&self) -> Result<Vec<Line>> {
        let title = match self {
            Body::Plot(plot) if plot.is_wide()? => format!("{}, logarithmic", plot.title),
            Body::Plot(Plot { title, .. }) | Body::Bars(Bars { title, .. }) => title.clone(),
        };
        Line::new(&title, 17, INK).wrapped((WIDTH - 2 * MARGIN) as usize)
    }

    /// Every name in it.
    fn texts(&self) -> Vec<&str> {
        match self {
            Body::Plot(plot) => vec![&plot.title],
            Body::Bars(bars) => bars.rows.iter().map(|(name, _)| name.as_str()).chain([bars.title.as_str()]).collect(),
        }
    }

    /// The title in the upper `title` pixels, the plot below.
    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>, title: u32) -> Result<()>
    where
        B::ErrorType: 'static,
    {
        let mut y = 0;
        for line in self.title()? {
            draw_line(area, &line, (MARGIN, y), FINE)?;
            y += line.height() as u32;
        }
        let (_, below) = area.split_vertically(title * FINE);
        match self {
            Body::Plot(plot) => plot.draw(&below, FINE),
            Body::Bars(bars) => bars.draw(&below, FINE),
        }
    }
}

/// Plots beside each other.
fn columns(plots: &[Body]) -> usize {
    plots.len().clamp(1, 2)
}

/// Height of the tallest title of a row, in pixels.
fn title_height(row: &[Body]) -> Result<u32> {
    row.iter().try_fold(0, |tallest, plot| {
        Ok(plot.title()?.iter().map(|line| line.height() as u32).sum::<u32>().max(tallest))
    })
}

/// Height of the tallest plot of a row with its title, in pixels.
fn row_height(row: &[Body]) -> Result<u32> {
    let body = |plot: &Body| match plot {
        Body::Plot(_) => Ok(HEIGHT),
        Body::Bars(bars) => bars.height(),
    };
    let tallest = row.iter().try_fold(0, |tallest, plot| anyhow::Ok(body(plot)?.max(tallest)))?;
    Ok(title_height(row)? + tallest + MARGIN / 2)
}

/// Draws a line of text below and right of (x, y), a pixel of the page; `fine` times larger.
pub(crate) fn draw_line<B>(area: &DrawingArea<B, Shift>, line: &Line, (x, y): (u32, u32), fine: u32) -> Result<()>
where
    B: DrawingBackend,
    B::ErrorType: 'static,
{
    let y = y + line.size as u32 / 4;
    let style = (FAMILY, line.size as u32 * fine).into_font().color(&line.color);
    Ok(area.draw_text(&line.text, &style, ((x * fine) as i32, (y * fine) as i32))?)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::layout::tests::overlap;

    /// Text neither leaves the page nor meets other text.
    pub(crate) fn assert_tidy(chart: &Chart, what: &str) {
        let (width, height) = chart.size().unwrap();
        let mut shapes = String::new();
        let texts = chart.record(SVGBackend::with_string(&mut shapes, (width * FINE, height * FINE))).unwrap();
        let texts: Vec<_> = texts.iter().filter(|text| !text.line.text.is_empty()).collect();
        for (i, text) in texts.iter().enumerate() {
            let name = &text.line.text;
            let (rows, columns) = text.area();
            let inside =
                rows.start > 0 && rows.end < height as usize && columns.start > 0 && columns.end < width as usize;
            assert!(inside, "{what}: `{name}` leaves the page: {rows:?} {columns:?}");
            for other in &texts[i + 1..] {
                assert!(!overlap(&text.area(), &other.area()), "{what}: `{name}` meets `{}`", other.line.text);
            }
        }
    }
}
