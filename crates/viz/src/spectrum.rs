//! Which frequencies a method restores: radially averaged spectra.

use abbe_data::color::luma;
use abbe_data::image::Rgb8;
use anyhow::{Result, ensure};
use rustfft::FftPlanner;
use rustfft::num_complex::Complex;
use std::f64::consts::PI;

use crate::chart::{Body, Chart};
use crate::grid::Panel;
use crate::header::Entry;
use crate::look::Look;
use crate::plot::{Curve, Plot};
use crate::zoom::same_size;

/// At most this many rings between no and the highest frequency.
const RINGS: usize = 64;
/// Shortest side of a picture that has a spectrum worth drawing, in pixels.
const LEAST: usize = 16;

/// Two plots over the spatial frequency in cycles per pixel, up to 0.5 (one light and one dark pixel in turn): the power of
/// `hr` and of each panel, and how far each panel agrees with `hr`. A method may have the power of HR at high frequencies
/// and yet not its details: only the second plot tells restored from invented ones. A dashed line marks the highest
/// frequency that LR can hold at this `scale`.
///
/// Luma less its mean is weighted by a Hann window and transformed; power and products are summed over rings of equal
/// width. Agreement is the Fourier ring correlation (Saxton and Baumeister 1982): 1 where equal, 0 where unrelated.
///
/// # Errors
/// When there is no panel, the pictures differ in size or have fewer than 16 rows or columns.
pub fn spectrum(hr: &Panel, panels: &[Panel], scale: usize, heading: &str) -> Result<Chart> {
    ensure!(!panels.is_empty() && scale > 0, "a spectrum needs at least one picture and a scale above 0");
    same_size(hr, panels)?;
    let (height, width) = hr.picture.size();
    ensure!(
        height.min(width) >= LEAST,
        "`{}` is {height} x {width} (height x width): a spectrum needs at least {LEAST} x {LEAST}",
        hr.title
    );
    let reference = transform(hr.picture);
    let mut power = Vec::new();
    let mut agreement = Vec::new();
    let mut key = Vec::new();
    for (i, panel) in panels.iter().enumerate() {
        let rings = Rings::of(&transform(panel.picture), &reference, (height, width));
        let curve = |points| Curve { look: Look::of(i), joined: true, points };
        power.push(curve(rings.curve(|ring| ring.panel / ring.count)));
        agreement.push(curve(rings.curve(|ring| ring.product / (ring.panel * ring.hr).sqrt())));
        key.push(Entry { look: Look::of(i), joined: true, name: panel.title.clone() });
    }
    let rings = Rings::of(&reference, &reference, (height, width));
    power.push(Curve { look: Look::REFERENCE, joined: true, points: rings.curve(|ring| ring.hr / ring.count) });
    key.push(Entry { look: Look::REFERENCE, joined: true, name: hr.title.clone() });
    let plot = |title: &str, y: &str, curves| {
        let title = title.to_owned();
        let lines = vec![0.5 / scale as f64];
        Body::Plot(Plot { title, x: ("spatial frequency in cycles per pixel", false), y: y.into(), curves, lines })
    };
    let mut plots = vec![plot("power of luma; dashed: highest frequency in LR", "power", power)];
    // Flat pictures have no power, and nothing that could agree.
    if agreement.iter().flat_map(|curve| &curve.points).any(|(_, value)| value.is_finite()) {
        plots.push(plot("agreement with HR (Fourier ring correlation)", "correlation", agreement));
    }
    Chart::new(heading, key, plots)
}

/// The two-dimensional Fourier transform of the windowed luma, row by row.
fn transform(picture: &Rgb8) -> Vec<Complex<f64>> {
    let (height, width) = picture.size();
    let y = luma(picture);
    let mean = y.iter().sum::<f64>() / y.len() as f64;
    let (rows, columns) = (hann(height), hann(width));
    let weighted = |(i, y): (usize, &f64)| Complex::new((y - mean) * rows[i / width] * columns[i % width], 0.0);
    let mut values: Vec<Complex<f64>> = y.iter().enumerate().map(weighted).collect();
    let mut planner = FftPlanner::new();
    planner.plan_fft_forward(width).process(&mut values);
    let mut columns = transposed(&values, width);
    planner.plan_fft_forward(height).process(&mut columns);
    transposed(&columns, height)
}

/// The window sin²(π (i + 1/2) / n), which fades to nothing at both ends.
fn hann(length: usize) -> Vec<f64> {
    (0..length).map(|i| (PI * (i as f64 + 0.5) / length as f64).sin().powi(2)).collect()
}

fn transposed(values: &[Complex<f64>], width: usize) -> Vec<Complex<f64>> {
    (0..width).flat_map(|x| values.iter().skip(x).step_by(width).copied()).collect()
}

/// Sums over the frequencies of one ring.
#[derive(Clone, Default)]
struct Ring {
    count: f64,
    panel: f64,
    hr: f64,
    product: f64,
}

/// Rings of equal width from 0 to 0.5 cycles per pixel.
struct Rings(Vec<Ring>);

impl Rings {
    fn of(panel: &[Complex<f64>], hr: &[Complex<f64>], (height, width): (usize, usize)) -> Self {
        let mut rings = vec![Ring::default(); RINGS.min(height.min(width) / 2)];
        let count = rings.len() as f64;
        for (i, (a, b)) in panel.iter().zip(hr).enumerate() {
            let frequency = cycles(i / width, height).hypot(cycles(i % width, width));
            if let Some(ring) = rings.get_mut((frequency * 2.0 * count) as usize) {
                ring.count += 1.0;
                ring.panel += a.norm_sqr();
                ring.hr += b.norm_sqr();
                ring.product += (a * b.conj()).re;
            }
        }
        Self(rings)
    }

    /// A value of each ring over the frequency in its middle.
    fn curve(&self, value: impl Fn(&Ring) -> f64) -> Vec<(f64, f64)> {
        let middle = |i: usize| (i as f64 + 0.5) / (2 * self.0.len()) as f64;
        self.0.iter().enumerate().map(|(i, ring)| (middle(i), value(ring))).collect()
    }
}

/// The frequency of a coefficient, in cycles per pixel, without its sign.
fn cycles(index: usize, length: usize) -> f64 {
    index.min(length - index) as f64 / length as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::tests::assert_tidy;
    use crate::grid::tests::{NAMES, panel, picture};

    /// Gray stripes of the given length in pixels, along the rows or columns.
    fn stripes(height: usize, width: usize, period: f64, upright: bool) -> Rgb8 {
        let gray = |i: usize| {
            let along = if upright { i % width } else { i / width };
            [(128.0 + 100.0 * (2.0 * PI * along as f64 / period).cos()).round() as u8; 3]
        };
        Rgb8::new(height, width, (0..height * width).flat_map(gray).collect()).unwrap()
    }

    fn strongest(picture: &Rgb8) -> f64 {
        let values = transform(picture);
        let power = Rings::of(&values, &values, picture.size()).curve(|ring| ring.panel);
        power.into_iter().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap().0
    }

    #[test]
    fn stripes_have_the_frequency_of_their_period() {
        // 8 pixels are 0.125 cycles per pixel; of 64 pixels there are 32 rings, 1/64 wide
        for upright in [false, true] {
            for (height, width) in [(64, 64), (70, 99)] {
                let found = strongest(&stripes(height, width, 8.0, upright));
                assert!((found - 0.125).abs() <= 1.0 / 64.0, "{found}");
            }
        }
    }

    #[test]
    fn a_picture_agrees_with_itself_and_its_negative_is_its_opposite() {
        let a = picture(40, 50);
        let negative = Rgb8::new(40, 50, a.pixels.iter().map(|value| 255 - value).collect()).unwrap();
        let agreement = |other: &Rgb8| {
            Rings::of(&transform(other), &transform(&a), (40, 50))
                .curve(|ring| ring.product / (ring.panel * ring.hr).sqrt())
        };
        assert!(agreement(&a).iter().all(|(_, value)| (value - 1.0).abs() < 1e-9));
        assert!(agreement(&negative).iter().all(|(_, value)| (value + 1.0).abs() < 1e-9));
    }

    #[test]
    fn the_power_is_that_of_the_windowed_luma() {
        // Parseval: for N values the sum of |F|² is N times the sum of their squares
        let picture = picture(16, 18);
        let power: f64 = transform(&picture).iter().map(Complex::norm_sqr).sum();
        let y = luma(&picture);
        let mean = y.iter().sum::<f64>() / y.len() as f64;
        let window: Vec<f64> =
            hann(16).iter().flat_map(|row| hann(18).into_iter().map(move |column| row * column)).collect();
        let squares: f64 = y.iter().zip(window).map(|(y, window)| ((y - mean) * window).powi(2)).sum();
        assert!((power / (y.len() as f64 * squares) - 1.0).abs() < 1e-12);
        // sin²(π/8) = 0.1464, sin²(3π/8) = 0.8536, and back
        assert!(
            hann(4).iter().zip([0.1464, 0.8536, 0.8536, 0.1464]).all(|(found, window)| (found - window).abs() < 1e-4)
        );
    }

    #[test]
    fn nothing_overlaps_for_any_names_and_sizes() {
        for (height, width) in [(16, 16), (40, 40), (40, 400)] {
            let hr = picture(height, width);
            for name in NAMES {
                for count in [1, 2, 8] {
                    let chart = spectrum(&panel(name, &hr), &vec![panel(name, &hr); count], 4, name).unwrap();
                    assert_tidy(&chart, &format!("{count} spectra of {height} x {width}, {name}"));
                }
            }
        }
    }

    #[test]
    fn small_pictures_are_errors_and_flat_ones_are_not() {
        let (small, flat) = (picture(15, 40), Rgb8::new(20, 20, vec![7; 1200]).unwrap());
        let of = |picture| spectrum(&panel("HR", picture), &[panel("SR", picture)], 4, "");
        assert!(of(&small).err().unwrap().to_string().contains("15 x 40"));
        assert_tidy(&of(&flat).unwrap(), "one colour");
        assert!(spectrum(&panel("HR", &small), &[], 4, "").is_err());
    }
}
