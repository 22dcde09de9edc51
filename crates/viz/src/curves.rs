//! Loss curves from a run's log: one chart per loss term, one colour per phase.

use abbe_data::image::Rgb8;
use abbe_data::resample::{self, Border};
use abbe_run::LogRow;
use anyhow::{Result, ensure};
use plotters::coord::Shift;
use plotters::prelude::*;

use crate::chart::{Chart, color};
use crate::layout;
use crate::text::{self, FAMILY, Line, white};

/// Width and height of one chart, in pixels.
const CHART: (u32, u32) = (620, 300);
/// How many times larger a PNG is drawn before it is reduced: plotters neither smooths lines well nor sets text finely.
const FINE: u32 = 4;
/// Distance of the header's text from the left edge, in pixels.
const LEFT: u32 = 20;
/// Distance of the header's text from the upper edge, in pixels.
const TOP: u32 = 16;

/// The loss curves of a log (see [`abbe_run::read_log`]) as pixels: every number under `terms`, over the steps of all
/// phases one after another, on a logarithmic axis where a term spans more than a factor of 30.
///
/// # Errors
/// When the log holds no number.
pub fn png(log: &[LogRow], heading: &str) -> Result<Rgb8> {
    let figure = Figure::new(log, heading)?;
    let (width, height) = figure.size()?;
    let (fine_width, fine_height) = (width * FINE, height * FINE);
    let mut fine = white(fine_height as usize, fine_width as usize)?;
    figure.draw(&BitMapBackend::with_buffer(&mut fine.pixels, (fine_width, fine_height)).into_drawing_area(), FINE)?;
    Ok(resample::bicubic(&fine, height as usize, width as usize, Border::Replicate))
}

/// The same as the text of an SVG file; its fonts are the reader's sans-serif.
///
/// # Errors
/// When the log holds no number.
pub fn svg(log: &[LogRow], heading: &str) -> Result<String> {
    let figure = Figure::new(log, heading)?;
    let mut text = String::new();
    figure.draw(&SVGBackend::with_string(&mut text, figure.size()?).into_drawing_area(), 1)?;
    Ok(text)
}

/// The log rearranged by term.
struct Figure {
    heading: Vec<Line>,
    phases: Vec<String>,
    charts: Vec<Chart>,
}

impl Figure {
    fn new(log: &[LogRow], heading: &str) -> Result<Self> {
        text::register()?;
        let mut figure = Figure { heading: layout::heading(heading), phases: Vec::new(), charts: Vec::new() };
        for (step, row) in log.iter().enumerate() {
            let phase = place(&mut figure.phases, |name| *name == row.phase, || row.phase.clone());
            for (term, value) in row.terms.iter().filter_map(|(term, value)| Some((term, value.as_f64()?))) {
                let chart = place(&mut figure.charts, |chart| chart.term == *term, || Chart::new(term));
                figure.charts[chart].push(phase, step as f64, value);
            }
        }
        ensure!(!figure.charts.is_empty(), "the log holds no loss: expected numbers under `terms`, found none");
        Ok(figure)
    }

    /// Height of the strip above the charts, in pixels.
    fn header(&self) -> u32 {
        let lines: usize = self.heading.iter().map(Line::height).sum();
        TOP + (lines + phase_line("", 0).height()) as u32
    }

    fn columns(&self) -> usize {
        self.charts.len().min(2)
    }

    fn rows(&self) -> usize {
        self.charts.len().div_ceil(self.columns())
    }

    /// (width, height) in pixels; as wide as the charts, or as the header if that is wider.
    fn size(&self) -> Result<(u32, u32)> {
        let mut width = (CHART.0 * self.columns() as u32) as usize;
        let mut phases = 0;
        for (phase, name) in self.phases.iter().enumerate() {
            phases += phase_line(name, phase).width()? + LEFT as usize;
        }
        for line in &self.heading {
            width = width.max(line.width()? + 2 * LEFT as usize);
        }
        Ok((width.max(phases + LEFT as usize) as u32, self.header() + CHART.1 * self.rows() as u32))
    }

    /// Draws on an area that is `fine` times as large as [`Figure::size`].
    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>, fine: u32) -> Result<()>
    where
        B::ErrorType: 'static,
    {
        area.fill(&WHITE)?;
        let (header, charts) = area.split_vertically(self.header() * fine);
        self.draw_header(&header, fine)?;
        for (chart, area) in self.charts.iter().zip(charts.split_evenly((self.rows(), self.columns()))) {
            chart.draw(&area, fine)?;
        }
        Ok(area.present()?)
    }

    /// The heading, and below it each phase's name in its colour.
    fn draw_header<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>, fine: u32) -> Result<()>
    where
        B::ErrorType: 'static,
    {
        let mut top = TOP;
        for line in &self.heading {
            draw_line(area, line, (LEFT, top), fine)?;
            top += line.height() as u32;
        }
        let mut left = LEFT;
        for (phase, name) in self.phases.iter().enumerate() {
            let line = phase_line(name, phase);
            draw_line(area, &line, (left, top), fine)?;
            left += line.width()? as u32 + LEFT;
        }
        Ok(())
    }
}

fn phase_line(name: &str, phase: usize) -> Line {
    Line { text: name.to_owned(), size: 17, color: color(phase) }
}

fn draw_line<B: DrawingBackend>(area: &DrawingArea<B, Shift>, line: &Line, (x, y): (u32, u32), fine: u32) -> Result<()>
where
    B::ErrorType: 'static,
{
    let style = (FAMILY, line.size as u32 * fine).into_font().color(&line.color);
    Ok(area.draw_text(&line.text, &style, ((x * fine) as i32, (y * fine) as i32))?)
}

/// Index of the item that fits; a new one is appended when none does.
fn place<T>(items: &mut Vec<T>, fits: impl Fn(&T) -> bool, new: impl Fn() -> T) -> usize {
    items.iter().position(fits).unwrap_or_else(|| {
        items.push(new());
        items.len() - 1
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;

    fn log(steps: &[(&str, &[(&str, f64)])]) -> Vec<LogRow> {
        let row = |(phase, terms): &(&str, &[(&str, f64)])| LogRow {
            phase: (*phase).into(),
            step: 0,
            epoch: 0,
            seconds: 0.0,
            lr: 1e-4,
            terms: terms.iter().map(|(term, value)| ((*term).into(), json!(value))).collect(),
            raw: Map::from_iter([("not drawn".into(), json!(1.0))]),
        };
        steps.iter().map(row).collect()
    }

    fn has(picture: &Rgb8, color: RGBColor) -> bool {
        picture.pixels.chunks_exact(3).any(|pixel| {
            // a thin line is mixed with the white around it
            pixel.iter().zip([color.0, color.1, color.2]).all(|(value, expected)| value.abs_diff(expected) < 85)
        })
    }

    #[test]
    fn every_term_gets_a_chart_and_every_phase_its_color() {
        let warm_up: &[_] = &[("pixel", 0.5)];
        let adversarial: &[_] = &[("pixel", 0.25), ("adversarial", 1e-6)];
        let log = log(&[("warm-up", warm_up), ("warm-up", &[("pixel", 0.001)]), ("adversarial", adversarial)]);
        let header = Figure::new(&log, "Training loss").unwrap().header();
        let picture = png(&log, "Training loss").unwrap();
        assert_eq!(picture.size(), ((header + CHART.1) as usize, 2 * CHART.0 as usize));
        let side = CHART.0 as usize;
        let chart = |left, width| picture.crop(header as usize, left, CHART.1 as usize, width).unwrap();
        assert!(has(&chart(0, side), color(0)) && has(&chart(0, side), color(1)), "pixel is in both phases");
        assert!(!has(&chart(side, side), color(0)) && has(&chart(side, side), color(1)), "adversarial is in one");
    }

    #[test]
    fn long_headings_and_many_phases_widen_the_figure() {
        let names: Vec<String> = (0..20).map(|i| format!("a phase with the number {i}")).collect();
        let steps: Vec<(&str, &[_])> = names.iter().map(|name| (name.as_str(), &[("pixel", 0.5)][..])).collect();
        assert!(png(&log(&steps), "").unwrap().width > 20 * 100);
        assert!(png(&log(&steps[..1]), &"notice ".repeat(100)).unwrap().width > 700 * 5);
    }

    #[test]
    fn the_svg_holds_the_same_names() {
        let svg = svg(
            &log(&[("warm-up", &[("pixel", 0.5)]), ("warm-up", &[("pixel", 0.4)])]),
            "Training loss\nVGG-19 random",
        )
        .unwrap();
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
        assert!(
            svg.contains("warm-up")
                && svg.contains("pixel")
                && svg.contains("VGG-19 random")
                && !svg.contains("not drawn")
        );
    }

    #[test]
    fn an_empty_log_is_an_error() {
        assert!(png(&[], "").unwrap_err().to_string().contains("`terms`"));
        assert!(svg(&log(&[("warm-up", &[])]), "").is_err());
    }
}
