//! Reducing pictures by a whole number in every way that tools in use do it.
//!
//! [`crate::resample`] does it well; here it is done as others do it, too: with other kernels, orders of the passes,
//! roundings, borders, and beside the place. At a whole number each output sample has the same weights.

use std::fmt::{self, Display};

use serde::Serialize;

use crate::image::Rgb8;
use crate::resample::Kernel;

/// The shape of the weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// Cubic convolution with a = -0.5: MATLAB, Pillow, BasicSR, and torch with antialiasing.
    Bicubic,
    /// Cubic convolution with a = -0.75: OpenCV, and torch without antialiasing.
    BicubicSharp,
    /// `1 - |x|`.
    Bilinear,
    /// The mean: OpenCV's area.
    Box,
    /// Three lobes.
    Lanczos3,
    /// One sample, the one nearest to the place.
    Nearest,
}

/// How sums become 8-bit numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rounding {
    /// After each pass, the first over rows (along the height): MATLAB with 8-bit pictures.
    RowsFirst,
    /// After each pass, the first over columns (along the width): Pillow.
    ColumnsFirst,
    /// Once, at the end: BasicSR, torch.
    Once,
    /// Once, at the end, and downwards: code that forgets to round.
    Down,
}

/// What lies beyond the edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Edge {
    /// The edge pixel again and again.
    Replicate,
    /// The picture mirrored, the edge pixel twice.
    Mirror,
    /// Nothing: the weights of the samples that are there are divided by their sum (Pillow, and torch with antialiasing).
    Cut,
}

/// One way to reduce a picture.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Recipe {
    /// The shape of the weights.
    pub shape: Shape,
    /// Whether they are stretched by the scale.
    pub antialias: bool,
    /// How sums become 8-bit numbers.
    pub rounding: Rounding,
    /// What lies beyond the edge.
    pub edge: Edge,
    /// How far (down, right), in HR pixels, the samples lie beside the middle of what they stand for.
    pub shift: [f64; 2],
}

impl Shape {
    /// Those tried, the usual ones first.
    pub(super) const ALL: [Shape; 6] =
        [Shape::Bicubic, Shape::Nearest, Shape::Box, Shape::Bilinear, Shape::Lanczos3, Shape::BicubicSharp];

    fn at(self, x: f64) -> f64 {
        match self {
            Shape::Bicubic => Kernel::Bicubic.at(x),
            Shape::BicubicSharp => keys(x.abs(), -0.75),
            Shape::Bilinear => Kernel::Bilinear.at(x),
            Shape::Box | Shape::Nearest => Kernel::Box.at(x),
            Shape::Lanczos3 => Kernel::Lanczos3.at(x),
        }
    }
}

/// The cubic convolution kernel for any a (Keys 1981), at a distance of at least 0.
fn keys(x: f64, a: f64) -> f64 {
    match x {
        x if x <= 1.0 => (a + 2.0) * x * x * x - (a + 3.0) * x * x + 1.0,
        x if x < 2.0 => a * (x * x * x - 5.0 * x * x + 8.0 * x - 4.0),
        _ => 0.0,
    }
}

/// Weights of the samples from `first` on, counted from the first of the `scale` samples that an output sample stands for.
struct Stencil {
    first: i64,
    weights: Vec<f64>,
}

impl Stencil {
    fn new(shape: Shape, antialias: bool, scale: usize, shift: f64) -> Self {
        let centre = (scale as f64 - 1.0) / 2.0 + shift;
        if shape == Shape::Nearest {
            return Self { first: (centre + 0.5).floor() as i64, weights: vec![1.0] };
        }
        let stretch = if antialias { scale as f64 } else { 1.0 };
        let (from, to) = ((centre - 3.0 * stretch).ceil() as i64, (centre + 3.0 * stretch).floor() as i64);
        let weighed: Vec<(i64, f64)> = (from..=to)
            .map(|i| (i, shape.at((i as f64 - centre) / stretch)))
            .skip_while(|(_, weight)| *weight == 0.0)
            .collect();
        let sum: f64 = weighed.iter().map(|(_, weight)| weight).sum();
        let first = weighed.first().map_or(0, |(i, _)| *i);
        Self { first, weights: weighed.into_iter().map(|(_, weight)| weight / sum).collect() }
    }

    /// The sample that stands for each tap of output sample `x` of a line of `n`, and its weight.
    fn taps(&self, x: usize, n: usize, scale: usize, edge: Edge) -> Vec<(usize, f64)> {
        let n = n as i64;
        let start = (x * scale) as i64 + self.first;
        let all = self.weights.iter().enumerate().map(|(k, &weight)| (start + k as i64, weight));
        match edge {
            Edge::Replicate => all.map(|(i, weight)| (i.clamp(0, n - 1) as usize, weight)).collect(),
            Edge::Mirror => all.map(|(i, weight)| (mirrored(i, n), weight)).collect(),
            Edge::Cut => {
                let inside: Vec<_> = all.filter(|(i, _)| (0..n).contains(i)).collect();
                let sum: f64 = inside.iter().map(|(_, weight)| weight).sum();
                inside.into_iter().map(|(i, weight)| (i as usize, weight / sum)).collect()
            }
        }
    }

    /// `[rows, length]` reduced to `[rows / scale, length]`.
    fn reduce<T: Copy>(&self, values: &[T], length: usize, scale: usize, edge: Edge) -> Vec<f64>
    where
        f64: From<T>,
    {
        let rows = values.len() / length;
        let mut out = vec![0.0; rows / scale * length];
        for (y, out) in out.chunks_exact_mut(length).enumerate() {
            for (row, weight) in self.taps(y, rows, scale, edge) {
                let row = &values[row * length..][..length];
                out.iter_mut().zip(row).for_each(|(out, &value)| *out += weight * f64::from(value));
            }
        }
        out
    }
}

fn mirrored(i: i64, n: i64) -> usize {
    let turn = i.rem_euclid(2 * n);
    turn.min(2 * n - 1 - turn) as usize
}

/// `[rows, columns]` pixels to `[columns, rows]`.
fn turned<T: Copy>(values: &[T], columns: usize) -> Vec<T> {
    let pixels = values.as_chunks::<3>().0;
    let rows = pixels.len() / columns;
    (0..pixels.len()).flat_map(|i| pixels[i % rows * columns + i / rows]).collect()
}

/// What comes out of two passes before the last rounding: `[H / scale, W / scale, 3]`. The sides of `hr` must be multiples
/// of `scale`.
pub(super) fn sums(hr: &Rgb8, scale: usize, recipe: &Recipe) -> Vec<f64> {
    let stencil = |shift| Stencil::new(recipe.shape, recipe.antialias, scale, shift);
    let [down, right] = recipe.shift.map(stencil);
    let between = |sums: Vec<f64>| match recipe.rounding {
        Rounding::RowsFirst | Rounding::ColumnsFirst => sums.into_iter().map(nearest).collect(),
        Rounding::Once | Rounding::Down => sums,
    };
    let (height, width) = (hr.height, hr.width);
    if recipe.rounding == Rounding::ColumnsFirst {
        let first = between(right.reduce(&turned(&hr.pixels, width), 3 * height, scale, recipe.edge));
        return down.reduce(&turned(&first, height), 3 * (width / scale), scale, recipe.edge);
    }
    let first = between(down.reduce(&hr.pixels, 3 * width, scale, recipe.edge));
    let second = right.reduce(&turned(&first, width), 3 * (height / scale), scale, recipe.edge);
    turned(&second, height / scale)
}

/// The last rounding.
pub(super) fn rounded(sum: f64, rounding: Rounding) -> u8 {
    match rounding {
        Rounding::Down => sum.clamp(0.0, 255.0) as u8,
        _ => nearest(sum) as u8,
    }
}

/// Rounded to the nearest whole number, halves up, and clamped to 0..=255.
fn nearest(sum: f64) -> f64 {
    (sum + 0.5).floor().clamp(0.0, 255.0)
}

impl Display for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let shape = match self.shape {
            Shape::Bicubic => "bicubic (a = -0.5)",
            Shape::BicubicSharp => "bicubic (a = -0.75)",
            Shape::Bilinear => "bilinear",
            Shape::Box => "box",
            Shape::Lanczos3 => "lanczos3",
            Shape::Nearest => "nearest",
        };
        let rounding = match self.rounding {
            Rounding::RowsFirst => "8-bit passes, rows first",
            Rounding::ColumnsFirst => "8-bit passes, columns first",
            Rounding::Once => "rounded once",
            Rounding::Down => "rounded down",
        };
        write!(f, "{shape}")?;
        if self.shape == Shape::Nearest {
            return Ok(());
        }
        let edge = match self.edge {
            Edge::Replicate => "replicate border",
            Edge::Mirror => "mirror border",
            Edge::Cut => "weights cut at the border",
        };
        let antialias = if self.antialias { "antialiased" } else { "not antialiased" };
        write!(f, ", {antialias}, ")?;
        if self.shape != Shape::Box {
            write!(f, "{edge}, ")?;
        }
        f.write_str(rounding)
    }
}
