//! The chart of one loss term.

use std::ops::Range;

use anyhow::{Context, Result};
use plotters::coord::Shift;
use plotters::coord::ranged1d::{Ranged, ValueFormatter};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

use crate::text::{FAMILY, INK, PALE};

/// Points drawn per curve; longer ones are averaged over equal runs of steps.
const POINTS: usize = 300;
/// A term that spans more than this factor gets a logarithmic axis.
const WIDE: f64 = 30.0;
/// At most this many numbers on the vertical axis: more would overlap where a logarithmic axis is dense.
const LABELS: usize = 5;
/// Colours of the phases, told apart by colour-blind readers too (Okabe and Ito's palette).
const COLORS: [RGBColor; 5] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
];

/// Colour of the phase with this index.
pub(crate) fn color(phase: usize) -> RGBColor {
    COLORS[phase % COLORS.len()]
}

/// One loss term over the steps.
pub(crate) struct Chart {
    pub term: String,
    /// (step, value), one list per phase.
    curves: Vec<Vec<(f64, f64)>>,
}

impl Chart {
    pub(crate) fn new(term: &str) -> Self {
        Self { term: term.to_owned(), curves: Vec::new() }
    }

    pub(crate) fn push(&mut self, phase: usize, step: f64, value: f64) {
        self.curves.resize(self.curves.len().max(phase + 1), Vec::new());
        self.curves[phase].push((step, value));
    }

    /// Draws the chart, every length `fine` times larger than it is to appear.
    pub(crate) fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>, fine: u32) -> Result<()>
    where
        B::ErrorType: 'static,
    {
        let run = self.curves.iter().map(Vec::len).max().unwrap_or(0).div_ceil(POINTS);
        let curves: Vec<Vec<(f64, f64)>> = self.curves.iter().map(|curve| averaged(curve, run)).collect();
        let name = if run > 1 { format!("{} (means of {run} steps)", self.term) } else { self.term.clone() };
        let is_wide = |values: &Range<f64>| values.start > 0.0 && values.end > WIDE * values.start;
        let (mut steps, values) = (range(&curves, |point| point.0)?, range(&curves, |point| point.1)?);
        if steps.is_empty() {
            steps = steps.start - 0.5..steps.end + 0.5;
        }
        let mut builder = ChartBuilder::on(area);
        builder.margin(12 * fine).margin_right(24 * fine).x_label_area_size(40 * fine).y_label_area_size(64 * fine);
        let name = if is_wide(&values) { format!("{name}, logarithmic") } else { name };
        builder.caption(name, (FAMILY, 17 * fine).into_font().color(&INK));
        if is_wide(&values) {
            draw_curves(
                builder.build_cartesian_2d(steps, (values.start / 1.2..values.end * 1.2).log_scale())?,
                &curves,
                fine,
            )
        } else {
            draw_curves(builder.build_cartesian_2d(steps, padded(values))?, &curves, fine)
        }
    }
}

fn draw_curves<B, Y>(
    mut chart: ChartContext<B, Cartesian2d<RangedCoordf64, Y>>,
    curves: &[Vec<(f64, f64)>],
    fine: u32,
) -> Result<()>
where
    B: DrawingBackend,
    B::ErrorType: 'static,
    Y: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    let label = (FAMILY, 14 * fine).into_font().color(&PALE);
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(RGBColor(230, 230, 230).stroke_width(fine))
        .axis_style(RGBColor(160, 160, 160).stroke_width(fine))
        .set_all_tick_mark_size(5 * fine)
        .label_style(label)
        .x_desc("step")
        .y_labels(LABELS)
        .x_label_formatter(&|step| if step.fract() == 0.0 { format!("{step:.0}") } else { String::new() })
        .y_label_formatter(&|value| tick(*value))
        .draw()?;
    for (phase, curve) in curves.iter().enumerate() {
        chart.draw_series(LineSeries::new(curve.iter().copied(), color(phase).stroke_width(fine * 3 / 2)))?;
        if let [point] = curve[..] {
            chart.draw_series([Circle::new(point, 3 * fine, color(phase).filled())])?;
        }
    }
    Ok(())
}

/// Means of `run` points each, in order.
fn averaged(curve: &[(f64, f64)], run: usize) -> Vec<(f64, f64)> {
    let mean = |points: &[(f64, f64)]| {
        let sum = points.iter().fold((0.0, 0.0), |sum, point| (sum.0 + point.0, sum.1 + point.1));
        (sum.0 / points.len() as f64, sum.1 / points.len() as f64)
    };
    curve.chunks(run.max(1)).map(mean).collect()
}

/// Smallest and largest of a coordinate over all curves.
fn range(curves: &[Vec<(f64, f64)>], coordinate: impl Fn(&(f64, f64)) -> f64) -> Result<Range<f64>> {
    let values = || curves.iter().flatten().map(&coordinate);
    let low = values().reduce(f64::min).context("a chart needs at least one point")?;
    Ok(low..values().fold(low, f64::max))
}

/// A little air above and below; a constant gets an axis too.
fn padded(values: Range<f64>) -> Range<f64> {
    let air = match values.end - values.start {
        0.0 => values.end.abs().max(1e-6) * 0.1,
        span => span * 0.05,
    };
    values.start - air..values.end + air
}

/// A number for an axis: three digits, in powers of ten where zeros would not be read.
fn tick(value: f64) -> String {
    let digits: f64 = format!("{value:.2e}").parse().unwrap_or(value);
    match digits.abs() {
        0.0 => "0".to_owned(),
        size if !(1e-3..1e5).contains(&size) => format!("{digits:e}"),
        _ => digits.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_curves_become_means_of_equal_runs() {
        // five points in runs of two: (0 + 1)/2, (2 + 3)/2, and the last alone
        let curve = [(0.0, 10.0), (1.0, 20.0), (2.0, 30.0), (3.0, 50.0), (4.0, 7.0)];
        assert_eq!(averaged(&curve, 2), [(0.5, 15.0), (2.5, 40.0), (4.0, 7.0)]);
    }

    #[test]
    fn ticks_are_short() {
        assert_eq!([0.0, 0.1 + 0.2, 1234.0, -0.05, 1e-5, 2e6].map(tick), ["0", "0.3", "1230", "-0.05", "1e-5", "2e6"]);
    }
}
