//! Metrics of methods as horizontal bars.

use anyhow::{Result, ensure};
use plotters::coord::Shift;
use plotters::prelude::*;

use crate::chart::{Body, Chart, WIDTH, draw_line};
use crate::layout::detail;
use crate::look::Look;
use crate::text::{INK, Line, PALE};

/// Width of the column of names, in pixels.
const NAMES: u32 = 220;
/// Room for a number beside a bar, in pixels.
const NUMBER: u32 = 90;
/// Distance from the edges, in pixels.
const MARGIN: u32 = 20;
/// Height of a bar, in pixels.
const BAR: u32 = 18;

/// One metric of several methods.
#[derive(Clone, Debug)]
pub struct Metric {
    /// Its name with its convention, such as `psnr_y_crop4`.
    pub name: String,
    /// Whether a higher value is better.
    pub higher_is_better: bool,
    /// One value per method; none where it was not measured. An infinite one (the PSNR of equal pictures) gets a full bar.
    pub values: Vec<Option<f64>>,
}

/// For each metric one bar per method, from zero, with its value beside it.
///
/// # Errors
/// When there is no method or no metric, or a metric has not one value per method.
pub fn bars(methods: &[&str], metrics: &[Metric], heading: &str) -> Result<Chart> {
    ensure!(!methods.is_empty(), "a chart of metrics needs at least one method, found none");
    let body = |metric: &Metric| {
        let Metric { name, higher_is_better, values } = metric;
        ensure!(values.len() == methods.len(), "`{name}`: {} values for {} methods", values.len(), methods.len());
        let better = if *higher_is_better { "higher" } else { "lower" };
        let rows = methods.iter().map(|name| (*name).to_owned()).zip(values.iter().copied()).collect();
        Ok(Body::Bars(Bars { title: format!("{name}, {better} is better"), rows }))
    };
    Chart::new(heading, Vec::new(), metrics.iter().map(body).collect::<Result<_>>()?)
}

/// The bars of one metric.
pub(crate) struct Bars {
    pub title: String,
    /// Name and value.
    pub rows: Vec<(String, Option<f64>)>,
}

impl Bars {
    /// Height in pixels.
    pub(crate) fn height(&self) -> Result<u32> {
        self.rows.iter().try_fold(MARGIN, |height, (name, _)| Ok(height + row_height(&name_lines(name)?)))
    }

    /// Draws into an area [`WIDTH`] pixels wide, every length `fine` times larger.
    pub(crate) fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>, fine: u32) -> Result<()>
    where
        B::ErrorType: 'static,
    {
        let finite = || self.rows.iter().filter_map(|(_, value)| *value).filter(|value| value.is_finite());
        let (low, high) = (finite().fold(0.0, f64::min), finite().fold(0.0, f64::max));
        let span = if high > low { high - low } else { 1.0 };
        let room = f64::from(WIDTH - NAMES - NUMBER - 3 * MARGIN);
        let place = |value: f64| NAMES + 2 * MARGIN + ((value.clamp(low, low + span) - low) / span * room) as u32;
        let mut top = MARGIN / 2;
        for (name, value) in &self.rows {
            let lines = name_lines(name)?;
            let height = row_height(&lines);
            for (i, line) in lines.iter().enumerate() {
                draw_line(area, line, (MARGIN, top + i as u32 * line.height() as u32), fine)?;
            }
            let (from, to) =
                value.map_or((place(0.0), place(0.0)), |value| (place(value.min(0.0)), place(value.max(0.0))));
            let at = |x: u32, y: u32| ((x * fine) as i32, (y * fine) as i32);
            area.draw(&Rectangle::new([at(from, top + 2), at(to, top + 2 + BAR)], Look::of(0).color.filled()))?;
            let number = Line::new(&value.map_or("not measured".to_owned(), number), 14, INK);
            draw_line(area, &number, (to + 6, top + 1), fine)?;
            let axis = [at(place(0.0), top - 4), at(place(0.0), top + height - 4)];
            area.draw(&PathElement::new(axis, PALE.stroke_width(fine)))?;
            top += height;
        }
        Ok(())
    }
}

/// Two decimals from 10 on, such as for dB, else four, as papers print them.
fn number(value: f64) -> String {
    let decimals = if value.abs() >= 10.0 { 2 } else { 4 };
    format!("{value:.decimals$}")
}

fn name_lines(name: &str) -> Result<Vec<Line>> {
    Line { color: INK, ..detail(name) }.wrapped(NAMES as usize)
}

fn row_height(lines: &[Line]) -> u32 {
    lines.iter().map(|line| line.height() as u32).sum::<u32>().max(BAR) + 10
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::tests::assert_tidy;
    use crate::grid::tests::NAMES as LONG;

    fn metric(name: &str, values: &[f64]) -> Metric {
        Metric { name: name.into(), higher_is_better: true, values: values.iter().copied().map(Some).collect() }
    }

    #[test]
    fn nothing_overlaps_for_any_names_and_values() {
        for count in 1..=8 {
            for name in LONG {
                let values: Vec<f64> = (0..count).map(|i| 10_f64.powi(i as i32 - 3)).collect();
                let mut metrics = vec![metric(name, &values), metric("psnr_y_crop4", &vec![f64::INFINITY; count])];
                metrics.push(metric("minus", &vec![-0.5; count]));
                metrics.push(Metric { values: vec![None; count], ..metric("lpips", &[]) });
                for shown in 1..=metrics.len() {
                    let chart = bars(&vec![name; count], &metrics[..shown], name).unwrap();
                    assert_tidy(&chart, &format!("{count} methods, {shown} metrics, {name}"));
                }
            }
        }
    }

    #[test]
    fn a_bar_is_as_long_as_its_value() {
        // 620 - 220 - 90 - 60 = 250 pixels for the largest; half of it for half the value. Bars begin at 220 + 40.
        let chart = bars(&["a", "b"], &[metric("psnr", &[10.0, 20.0])], "").unwrap().png().unwrap();
        let blue = |row: &[u8]| row.chunks_exact(3).filter(|pixel| pixel[2] > 150 && pixel[0] < 60).count();
        let lengths: Vec<usize> =
            chart.pixels.chunks_exact(3 * chart.width).map(blue).filter(|&blue| blue > 20).collect();
        assert!(lengths.iter().all(|length| length.abs_diff(125) < 4 || length.abs_diff(250) < 4), "{lengths:?}");
        assert!(lengths.len().abs_diff(2 * BAR as usize) < 5, "{lengths:?}");
    }

    #[test]
    fn values_without_a_method_are_an_error() {
        assert!(bars(&["a", "b"], &[metric("psnr", &[1.0])], "").is_err());
        assert!(bars(&[], &[], "").is_err() && bars(&["a"], &[], "").is_err());
    }
}
