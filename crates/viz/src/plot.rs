//! Curves or points in a pair of axes.

use std::ops::Range;

use anyhow::{Context, Result};
use plotters::coord::Shift;
use plotters::coord::ranged1d::{Ranged, ValueFormatter};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

use crate::look::Look;
use crate::text::{FAMILY, PALE};

/// Where only positive values span more than this factor the axis is logarithmic.
const WIDE: f64 = 30.0;
/// At most this many numbers on an axis: more would overlap where a logarithmic axis is dense.
const LABELS: usize = 5;

/// One pair of axes.
pub(crate) struct Plot {
    pub title: String,
    /// What the horizontal axis is, and whether its numbers are whole.
    pub x: (&'static str, bool),
    /// What the vertical axis is, where the title does not say it.
    pub y: String,
    pub curves: Vec<Curve>,
    /// Where a dashed line stands across, in values of the horizontal axis.
    pub lines: Vec<f64>,
}

/// One curve, or points that are not joined.
pub(crate) struct Curve {
    pub look: Look,
    pub joined: bool,
    /// (x, y); what is not finite is left out.
    pub points: Vec<(f64, f64)>,
}

impl Plot {
    /// Draws into the area, every length `fine` times larger than it is to appear.
    pub(crate) fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>, fine: u32) -> Result<()>
    where
        B::ErrorType: 'static,
    {
        let (x, y) = (self.range(|point| point.0)?, self.range(|point| point.1)?);
        let y_label = if self.y.is_empty() { 78 } else { 96 };
        let mut builder = ChartBuilder::on(area);
        builder
            .margin(8 * fine)
            .margin_left(16 * fine)
            .margin_right(40 * fine)
            .x_label_area_size(44 * fine)
            .y_label_area_size(y_label * fine);
        let joined = self.curves.iter().any(|curve| curve.joined);
        let x = match x.end - x.start {
            0.0 if self.x.1 => x.start - 1.0..x.end + 1.0, // so that a whole number stands on the axis
            span if joined && span > 0.0 => x,
            _ => padded(x),
        };
        if self.is_wide()? {
            let y = (y.start / 1.2..y.end * 1.2).log_scale();
            self.draw_in(builder.build_cartesian_2d(x.clone(), y)?, fine, &x, &short)
        } else {
            let y = padded(y);
            self.draw_in(builder.build_cartesian_2d(x.clone(), y.clone())?, fine, &x, &|value| tick(value, &y))
        }
    }

    /// Whether the vertical axis is logarithmic.
    pub(crate) fn is_wide(&self) -> Result<bool> {
        let y = self.range(|point| point.1)?;
        let joined = self.curves.iter().any(|curve| curve.joined);
        Ok(joined && y.start > 0.0 && y.end > WIDE * y.start)
    }

    fn draw_in<B, Y>(
        &self,
        mut chart: ChartContext<B, Cartesian2d<RangedCoordf64, Y>>,
        fine: u32,
        x: &Range<f64>,
        y_tick: &dyn Fn(f64) -> String,
    ) -> Result<()>
    where
        B: DrawingBackend,
        B::ErrorType: 'static,
        Y: Ranged<ValueType = f64> + ValueFormatter<f64>,
    {
        let whole = |value: f64| if value.fract() == 0.0 && value >= 0.0 { format!("{value}") } else { String::new() };
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(RGBColor(230, 230, 230).stroke_width(fine))
            .axis_style(RGBColor(140, 140, 140).stroke_width(fine))
            .set_all_tick_mark_size(5 * fine)
            .label_style((FAMILY, 14 * fine).into_font().color(&PALE))
            .x_desc(self.x.0)
            .y_desc(&self.y)
            .x_labels(LABELS)
            .y_labels(LABELS)
            .x_label_formatter(&|value| if self.x.1 { whole(*value) } else { tick(*value, x) })
            .y_label_formatter(&|value| y_tick(*value))
            .draw()?;
        self.draw_lines(&chart, fine)?;
        for curve in &self.curves {
            curve.draw(&mut chart, fine)?;
        }
        Ok(())
    }

    fn draw_lines<B, Y>(&self, chart: &ChartContext<B, Cartesian2d<RangedCoordf64, Y>>, fine: u32) -> Result<()>
    where
        B: DrawingBackend,
        B::ErrorType: 'static,
        Y: Ranged<ValueType = f64>,
    {
        let area = chart.plotting_area();
        let (columns, rows) = area.get_pixel_range();
        let y = chart.y_range();
        for x in self.lines.iter().filter(|x| chart.x_range().start < **x && **x < chart.x_range().end) {
            let (x, _) = area.map_coordinate(&(*x, y.start));
            for top in rows.clone().step_by(8 * fine as usize) {
                let bottom = (top + 4 * fine as i32).min(rows.end);
                let points = [top, bottom].map(|y| (x - columns.start, y - rows.start));
                area.strip_coord_spec().draw(&PathElement::new(points, PALE.stroke_width(fine)))?;
            }
        }
        Ok(())
    }

    /// Smallest and largest of a coordinate over all curves.
    fn range(&self, coordinate: impl Fn(&(f64, f64)) -> f64) -> Result<Range<f64>> {
        let values = || self.curves.iter().flat_map(|curve| curve.finite()).map(|point| coordinate(&point));
        let low = values().reduce(f64::min).with_context(|| format!("`{}` has no finite value to draw", self.title))?;
        Ok(low..values().fold(low, f64::max))
    }
}

impl Curve {
    fn finite(&self) -> impl Iterator<Item = (f64, f64)> + Clone {
        self.points.iter().copied().filter(|(x, y)| x.is_finite() && y.is_finite())
    }

    fn draw<B, Y>(&self, chart: &mut ChartContext<B, Cartesian2d<RangedCoordf64, Y>>, fine: u32) -> Result<()>
    where
        B: DrawingBackend,
        B::ErrorType: 'static,
        Y: Ranged<ValueType = f64>,
    {
        let style = self.look.color.stroke_width(fine * 3 / 2);
        match (self.joined, self.look.dashed) {
            (true, true) => {
                chart.draw_series(DashedLineSeries::new(self.finite(), 6 * fine, 4 * fine, style))?;
            }
            (true, false) => {
                chart.draw_series(LineSeries::new(self.finite(), style))?;
            }
            _ => {}
        }
        if !self.joined || self.finite().count() == 1 {
            let mark = self.look.mark(6 * fine);
            let mark = |point| EmptyElement::at(point) + Polygon::new(mark.clone(), self.look.color.filled());
            chart.draw_series(self.finite().map(mark))?;
        }
        Ok(())
    }
}

/// A little air on either side; a constant gets an axis too.
fn padded(values: Range<f64>) -> Range<f64> {
    let size = values.start.abs().max(values.end.abs());
    let air = match values.end - values.start {
        span if span <= 1e-9 * size => size.max(1e-6) * 0.1,
        span => span * 0.05,
    };
    values.start - air..values.end + air
}

/// A number for an axis with this range: digits as far as neighbours differ, powers of ten where zeros would not be read.
fn tick(value: f64, axis: &Range<f64>) -> String {
    let size = axis.start.abs().max(axis.end.abs());
    let step = (axis.end - axis.start) / LABELS as f64;
    if value.abs() < step / 100.0 {
        return "0".to_owned();
    }
    let digits = |unit: f64| ((unit / step).log10() - 0.1).ceil().clamp(0.0, 5.0) as usize;
    if (1e-3..1e5).contains(&size) {
        return format!("{value:.0$}", digits(1.0));
    }
    format!("{value:.0$e}", digits(10_f64.powf(value.abs().log10().floor())))
}

/// A number for a logarithmic axis: three digits.
fn short(value: f64) -> String {
    let digits: f64 = format!("{value:.2e}").parse().unwrap_or(value);
    if (1e-3..1e5).contains(&digits.abs()) { digits.to_string() } else { format!("{digits:e}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_digits_that_tell_them_apart() {
        // a fifth of the range: 0.2 needs one digit, 0.0014 three, 400 none
        assert_eq!([0.2, 0.6, 1.0].map(|value| tick(value, &(0.0..1.0))), ["0.2", "0.6", "1.0"]);
        assert_eq!([31.772, 31.774].map(|value| tick(value, &(31.771..31.778))), ["31.772", "31.774"]);
        assert_eq!([0.0, 500.0, 1e3].map(|value| tick(value, &(0.0..2e3))), ["0", "500", "1000"]);
        assert_eq!([1e-5, 1.5e-5].map(|value| tick(value, &(4e-6..1.9e-5))), ["1.0e-5", "1.5e-5"]);
        assert_eq!([0.5, 1234.0, 1e-5, 2e6].map(short), ["0.5", "1230", "1e-5", "2e6"]);
    }

    #[test]
    fn axes_have_air_and_constants_have_axes() {
        assert_eq!(padded(0.0..10.0), -0.5..10.5);
        assert_eq!(padded(10.0..10.0), 9.0..11.0);
        assert!(!padded(0.0..0.0).is_empty() && !padded(0.1..0.1 + 1e-16).is_empty());
    }
}
