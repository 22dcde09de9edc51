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
    /// Those tried, each with or without antialiasing, the usual ones first: where two come to the same (without
    /// antialiasing at an odd scale every shape takes one sample), the earlier is named.
    pub(super) const TRIED: [(Shape, bool); 10] = [
        (Shape::Bicubic, true),
        (Shape::Nearest, false),
        (Shape::Box, true),
        (Shape::Bilinear, true),
        (Shape::Lanczos3, true),
        (Shape::BicubicSharp, true),
        (Shape::BicubicSharp, false),
        (Shape::Bicubic, false),
        (Shape::Bilinear, false),
        (Shape::Lanczos3, false),
    ];

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
        let all: Vec<(i64, f64)> = (from..=to).map(|i| (i, shape.at((i as f64 - centre) / stretch))).collect();
        let is_weighed = |(_, weight): &(i64, f64)| *weight != 0.0;
        let (start, end) = (all.iter().position(is_weighed), all.iter().rposition(is_weighed));
        let weighed = start.zip(end).map_or(&all[..], |(start, end)| &all[start..=end]);
        let sum: f64 = weighed.iter().map(|(_, weight)| weight).sum();
        let first = weighed.first().map_or(0, |(i, _)| *i);
        Self { first, weights: weighed.iter().map(|(_, weight)| weight / sum).collect() }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resample::{Border, Method, Resampler};

    /// Values that follow no pattern.
    fn noise(height: usize, width: usize) -> Rgb8 {
        let mut state = 1u32;
        let value = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        Rgb8::new(height, width, (0..3 * height * width).map(value).collect()).unwrap()
    }

    #[test]
    fn weights_of_opencvs_cubic_at_a_half() {
        // At 1/2: 1.25/8 - 2.25/4 + 1 = 0.59375; at 3/2: -0.75 (27/8 - 45/4 + 12 - 4) = -0.09375. They add up to 1.
        let stencil = Stencil::new(Shape::BicubicSharp, false, 2, 0.0);
        assert_eq!((stencil.first, stencil.weights), (-1, vec![-0.09375, 0.59375, 0.59375, -0.09375]));
    }

    #[test]
    fn a_shift_moves_the_samples() {
        // The middle of four samples is 1.5: one sample beside it are 0.5 and 2.5; nearest takes the upper of two.
        let first = |shape, shift| Stencil::new(shape, false, 4, shift).first;
        assert_eq!([0.0, -1.5, 1.0].map(|shift| first(Shape::Nearest, shift)), [2, 0, 3]);
        assert_eq!([0.0, -1.0].map(|shift| first(Shape::Bilinear, shift)), [1, 0]);
    }

    #[test]
    fn edges_of_a_line_of_four() {
        // The triangle over 4 samples, at output 0 of a line of 4 reduced by 2: places -1, 0, 1, 2 weigh 1/8, 3/8, 3/8, 1/8.
        let stencil = Stencil::new(Shape::Bilinear, true, 2, 0.0);
        let taps = |edge| stencil.taps(0, 4, 2, edge);
        let eighths = |places: &[usize]| places.iter().copied().zip([0.125, 0.375, 0.375, 0.125]).collect::<Vec<_>>();
        assert_eq!(taps(Edge::Replicate), eighths(&[0, 0, 1, 2]));
        assert_eq!(taps(Edge::Mirror), eighths(&[0, 0, 1, 2]));
        // Without the first, 7/8 are left.
        let cut: Vec<(usize, f64)> =
            [3.0, 3.0, 1.0].map(|weight: f64| weight / 8.0 / 0.875).into_iter().enumerate().collect();
        assert_eq!(taps(Edge::Cut), cut);
        assert_eq!([-1, -3, 4, 6].map(|i| mirrored(i, 4)), [0, 2, 3, 1]);
    }

    #[test]
    fn passes_with_rows_first_are_those_of_the_resampler() {
        let kernels = [
            (Shape::Bicubic, Kernel::Bicubic),
            (Shape::Bilinear, Kernel::Bilinear),
            (Shape::Box, Kernel::Box),
            (Shape::Lanczos3, Kernel::Lanczos3),
            (Shape::Nearest, Kernel::Nearest),
        ];
        for (scale, (shape, kernel), antialias) in [2, 3, 4].into_iter().flat_map(|scale| {
            kernels.map(|kernels| [(scale, kernels, true), (scale, kernels, false)]).into_iter().flatten()
        }) {
            for (edge, border) in [(Edge::Replicate, Border::Replicate), (Edge::Mirror, Border::Mirror)] {
                let hr = noise(9 * scale, 7 * scale);
                let method = Method { kernel, antialias, border };
                let expected = Resampler::to_size(hr.size(), (9, 7), &method).unwrap().rgb8(&hr).unwrap();
                let recipe = Recipe { shape, antialias, rounding: Rounding::RowsFirst, edge, shift: [0.0; 2] };
                let made: Vec<u8> =
                    sums(&hr, scale, &recipe).into_iter().map(|sum| rounded(sum, recipe.rounding)).collect();
                assert_eq!(made, expected.pixels, "{scale} {recipe:?}");
            }
        }
    }

    #[test]
    fn columns_first_is_rows_first_of_the_picture_on_its_side() {
        let hr = noise(20, 12);
        let recipe = Recipe {
            shape: Shape::Bicubic,
            antialias: true,
            rounding: Rounding::RowsFirst,
            edge: Edge::Cut,
            shift: [0.5, -1.0],
        };
        let on_its_side = Rgb8::new(12, 20, turned(&hr.pixels, 12)).unwrap();
        let other = Recipe { rounding: Rounding::ColumnsFirst, shift: [-1.0, 0.5], ..recipe };
        assert_eq!(turned(&sums(&hr, 4, &recipe), 3), sums(&on_its_side, 4, &other));
        assert_eq!([-3.0, 1.5, 254.49, 300.0].map(|sum| rounded(sum, Rounding::Once)), [0, 2, 254, 255]);
        assert_eq!([-3.0, 1.9, 300.0].map(|sum| rounded(sum, Rounding::Down)), [0, 1, 255]);
    }
}
