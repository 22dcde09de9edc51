//! Which kernel made an LR picture from its HR picture, and whether it lies where it should.

use serde::Serialize;

use super::stencil::{Edge, Recipe, Rounding, Shape, rounded, sums};
use crate::image::Rgb8;

/// The side, in LR pixels, of the patch on which kernels are compared, and how far its edge may reach into it.
const PATCH: usize = 64;
const MARGIN: usize = 5;

/// The way of reducing that comes closest to an LR picture, and how close, over all values of the picture.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Fit {
    /// The way.
    pub recipe: Recipe,
    /// Share of values that are the same.
    pub identical: f64,
    /// Mean of the absolute differences, in levels of 0..=255.
    pub mean: f64,
    /// The largest.
    pub max: u8,
    /// Correlation with the LR picture, -1 to 1; where one has no contrast, 1 if they differ by no more than noise, else 0.
    pub correlation: f64,
}

/// Levels by which noise and compression make pictures of the same thing differ on average, at most.
const NOISE: f64 = 8.0;

impl Fit {
    /// Whether the LR picture was made so: at most a value in a hundred differs, or none by more than a level (tools weigh
    /// with numbers of different length).
    pub fn is_known(&self) -> bool {
        self.identical >= 0.99 || self.max <= 1
    }

    /// Whether the LR picture shows something else.
    pub fn is_other_picture(&self) -> bool {
        !self.is_known() && self.correlation < 0.5 && self.mean > NOISE
    }

    /// Whether its samples lie beside their places.
    pub fn is_shifted(&self) -> bool {
        self.recipe.shift != [0.0; 2]
    }
}

/// The best of all kernels, orders, roundings and borders; where none makes the picture, those at other places, too. Kernels
/// are compared on the patch with the most contrast: where there is one colour, all make the same. None for pictures without
/// a pixel.
///
/// The sides of `hr` must be `scale` times those of `lr`.
pub(super) fn find(hr: &Rgb8, lr: &Rgb8, scale: usize) -> Option<Fit> {
    let patch = Patch::all(hr, lr, scale).max_by_key(Patch::contrast)?;
    let mut found = patch.best([0.0; 2])?;
    if !found.is_known() {
        let moved = [patch.best(patch.place()), patch.best_of([first_sample(scale)])];
        found = moved.into_iter().flatten().filter(|moved| moved.mean < 0.8 * found.mean).fold(found, better);
    }
    let edges = [Edge::Replicate, Edge::Mirror, Edge::Cut].map(|edge| Recipe { edge, ..found.recipe });
    edges
        .iter()
        .map(|recipe| compare(recipe, sums(hr, scale, recipe).into_iter().zip(lr.pixels.iter().copied())))
        .reduce(better)
}

/// The first sample of each square: the nearest neighbour of OpenCV and torch.
fn first_sample(scale: usize) -> Recipe {
    let shift = [-(scale as f64 - 1.0) / 2.0; 2];
    Recipe { shape: Shape::Nearest, antialias: false, rounding: Rounding::Once, edge: Edge::Replicate, shift }
}

/// The closer one, of two equally close ones the first.
fn better(a: Fit, b: Fit) -> Fit {
    if b.mean < a.mean { b } else { a }
}

/// A part of both pictures, as a picture of its own.
struct Patch {
    hr: Rgb8,
    lr: Rgb8,
    scale: usize,
    /// LR pixels at each edge that are not looked at.
    margin: (usize, usize),
}

impl Patch {
    /// Patches whose insides cover the picture but for its own margin.
    fn all(hr: &Rgb8, lr: &Rgb8, scale: usize) -> impl Iterator<Item = Self> {
        let (height, width) = (lr.height.min(PATCH), lr.width.min(PATCH));
        let margin = |length: usize| MARGIN.min((length - 1) / 2);
        let patch = move |(top, left)| {
            Some(Self {
                hr: hr.crop(top * scale, left * scale, height * scale, width * scale).ok()?,
                lr: lr.crop(top, left, height, width).ok()?,
                scale,
                margin: (margin(height), margin(width)),
            })
        };
        starts(lr.height).flat_map(|top| starts(lr.width).map(move |left| (top, left))).filter_map(patch)
    }

    /// The sum of the differences between neighbouring values of LR inside.
    fn contrast(&self) -> u64 {
        let Self { lr, margin: (top, left), .. } = self;
        let row = |y: usize| &lr.pixels[3 * lr.width * y..][3 * left..3 * (lr.width - left)];
        let sum = |a: &[u8], b: &[u8]| a.iter().zip(b).map(|(a, b)| u64::from(a.abs_diff(*b))).sum::<u64>();
        let across = (*top..lr.height - top).map(|y| sum(row(y), &row(y)[3..]));
        let down = (*top + 1..lr.height - top).map(|y| sum(row(y - 1), row(y)));
        across.chain(down).sum()
    }

    /// The best at a place: first of the kernels, then of the roundings. Kernels are tried with rounding downwards, too: its
    /// bias would hide which of two similar ones it is.
    fn best(&self, shift: [f64; 2]) -> Option<Fit> {
        let recipe = |(shape, antialias), rounding| Recipe { shape, antialias, rounding, edge: Edge::Replicate, shift };
        let kernels = Shape::TRIED.into_iter();
        let kernels =
            kernels.flat_map(|tried| [Rounding::Once, Rounding::Down].map(|rounding| recipe(tried, rounding)));
        let kernel = self.best_of(kernels)?.recipe;
        let roundings = [Rounding::RowsFirst, Rounding::ColumnsFirst, Rounding::Once, Rounding::Down];
        self.best_of(roundings.map(|rounding| Recipe { rounding, ..kernel }))
    }

    fn best_of(&self, recipes: impl IntoIterator<Item = Recipe>) -> Option<Fit> {
        recipes.into_iter().map(|recipe| self.fit(&recipe)).reduce(better)
    }

    /// The place, in steps of half an HR pixel, at which the bicubic kernel comes closest: down, right, and down again.
    fn place(&self) -> [f64; 2] {
        let steps = 2 * self.scale as i32;
        let mut shift = [0.0; 2];
        for axis in [0, 1, 0] {
            let moved = (-steps..=steps).map(|step| {
                let mut shift = shift;
                shift[axis] = f64::from(step) / 2.0;
                Recipe {
                    shape: Shape::Bicubic,
                    antialias: true,
                    rounding: Rounding::Once,
                    edge: Edge::Replicate,
                    shift,
                }
            });
            shift = self.best_of(moved).map_or(shift, |fit| fit.recipe.shift);
        }
        shift
    }

    fn fit(&self, recipe: &Recipe) -> Fit {
        let (height, width) = self.lr.size();
        let rows = self.margin.0..height - self.margin.0;
        let columns = self.margin.1..width - self.margin.1;
        let values = sums(&self.hr, self.scale, recipe).into_iter().zip(self.lr.pixels.iter().copied()).enumerate();
        let inside = |i: usize| rows.contains(&(i / 3 / width)) && columns.contains(&(i / 3 % width));
        compare(recipe, values.filter(|&(i, _)| inside(i)).map(|(_, pair)| pair))
    }
}

/// Where patches begin on a line of LR pixels.
fn starts(length: usize) -> impl Iterator<Item = usize> {
    let last = length.saturating_sub(PATCH);
    (0..last).step_by(PATCH - 2 * MARGIN).chain([last])
}

/// How close sums come, rounded, to LR values.
fn compare(recipe: &Recipe, pairs: impl Iterator<Item = (f64, u8)>) -> Fit {
    let (mut count, mut same, mut total, mut max) = (0u64, 0u64, 0u64, 0);
    let mut moments = [0.0; 5];
    for (sum, lr) in pairs {
        let made = rounded(sum, recipe.rounding);
        let difference = made.abs_diff(lr);
        count += 1;
        same += u64::from(difference == 0);
        total += u64::from(difference);
        max = max.max(difference);
        let (a, b) = (f64::from(made), f64::from(lr));
        moments.iter_mut().zip([a, b, a * a, b * b, a * b]).for_each(|(moment, value)| *moment += value);
    }
    let n = count as f64;
    let [a, b, aa, bb, ab] = moments.map(|moment| moment / n);
    let spread = ((aa - a * a).max(0.0) * (bb - b * b).max(0.0)).sqrt();
    let alike = if total as f64 / n > NOISE { 0.0 } else { 1.0 }; // where one of them has no contrast
    let correlation = if spread > 0.0 { (ab - a * b) / spread } else { alike };
    Fit { recipe: *recipe, identical: same as f64 / n, mean: total as f64 / n, max, correlation }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::image::{Conversion, read};
    use crate::resample::{Border, bicubic};

    /// Values that follow no pattern, made a little smooth as photographs are.
    fn hr(seed: u32, side: usize) -> Rgb8 {
        let mut state = seed;
        let value = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        let coarse = Rgb8::new(side / 2, side / 2, (0..3 * side * side / 4).map(value).collect()).unwrap();
        bicubic(&coarse, side, side, Border::Mirror)
    }

    fn made(hr: &Rgb8, scale: usize, recipe: &Recipe) -> Rgb8 {
        let pixels = sums(hr, scale, recipe).into_iter().map(|sum| rounded(sum, recipe.rounding)).collect();
        Rgb8::new(hr.height / scale, hr.width / scale, pixels).unwrap()
    }

    const MATLAB: Recipe = Recipe {
        shape: Shape::Bicubic,
        antialias: true,
        rounding: Rounding::RowsFirst,
        edge: Edge::Replicate,
        shift: [0.0; 2],
    };

    #[test]
    fn every_kernel_and_rounding_is_recognised() {
        let hr = hr(1, 96);
        for (shape, antialias) in Shape::TRIED {
            for rounding in [Rounding::RowsFirst, Rounding::ColumnsFirst, Rounding::Once, Rounding::Down] {
                let recipe = Recipe { shape, antialias, rounding, ..MATLAB };
                let fit = find(&hr, &made(&hr, 4, &recipe), 4).unwrap();
                assert!(
                    fit.identical == 1.0 && fit.mean == 0.0 && fit.max == 0 && fit.is_known(),
                    "{recipe:?}: {fit:?}"
                );
                assert!(!fit.is_shifted() && !fit.is_other_picture());
                if shape == Shape::Nearest {
                    assert_eq!(fit.recipe.shape, shape); // it has one sample: neither antialiasing nor rounding matters
                } else {
                    assert_eq!(
                        (fit.recipe.shape, fit.recipe.antialias, fit.recipe.rounding),
                        (shape, antialias, rounding)
                    );
                }
            }
        }
    }

    #[test]
    fn every_border_is_recognised() {
        let hr = hr(2, 72);
        for (scale, edge) in
            [2, 3, 8].into_iter().flat_map(|scale| [Edge::Replicate, Edge::Mirror, Edge::Cut].map(|edge| (scale, edge)))
        {
            let recipe = Recipe { edge, ..MATLAB };
            let fit = find(&hr, &made(&hr, scale, &recipe), scale).unwrap();
            assert_eq!((fit.recipe, fit.identical), (recipe, 1.0), "scale {scale}");
        }
    }

    #[test]
    fn lr_beside_its_place_is_measured() {
        let hr = hr(3, 160);
        for shift in [[1.5, 1.5], [-2.0, 0.5], [0.0, -1.0]] {
            let fit = find(&hr, &made(&hr, 4, &Recipe { shift, ..MATLAB }), 4).unwrap();
            assert_eq!((fit.recipe.shift, fit.identical), (shift, 1.0), "{fit:?}");
        }
        // Every fourth sample, from the first on.
        let fit = find(&hr, &made(&hr, 4, &first_sample(4)), 4).unwrap();
        assert_eq!((fit.recipe.shape, fit.recipe.shift, fit.identical), (Shape::Nearest, [-1.5; 2], 1.0));
    }

    #[test]
    fn noise_is_no_kernel_and_another_picture_is_told() {
        let clean = hr(4, 160);
        let mut lr = made(&clean, 4, &MATLAB);
        lr.pixels.iter_mut().enumerate().for_each(|(i, value)| *value = value.saturating_add((i * i % 23) as u8));
        let fit = find(&clean, &lr, 4).unwrap();
        assert!(
            !fit.is_known() && !fit.is_shifted() && !fit.is_other_picture() && fit.recipe.shape == Shape::Bicubic,
            "{fit:?}"
        );
        assert!(find(&clean, &made(&hr(5, 160), 4, &MATLAB), 4).unwrap().is_other_picture());
        // Of one pixel or one colour every kernel makes the same: the usual one is named.
        let grey = |side: usize| Rgb8::new(side, side, vec![99; 3 * side * side]).unwrap();
        assert_eq!(find(&grey(4), &grey(1), 4).unwrap().recipe, MATLAB);
        assert_eq!(find(&grey(80), &grey(20), 4).unwrap().correlation, 1.0);
    }

    #[test]
    fn the_kernel_is_told_where_there_is_contrast() {
        // LR is 160 x 160; one colour in all but its outer 30 pixels, or in all but a square of 40 in the lower right corner.
        let (frame, corner) = ([120, 120, 400], [0, 0, 480]);
        for ([top, left, side], shape) in [(frame, Shape::Lanczos3), (corner, Shape::Box)] {
            let mut hr = hr(6, 640);
            for y in 0..640 {
                let is_grey = |x: usize| match side {
                    400 => (top..top + side).contains(&y) && (left..left + side).contains(&x),
                    _ => y < side || x < side,
                };
                (0..640).filter(|&x| is_grey(x)).for_each(|x| hr.pixels[3 * (640 * y + x)..][..3].fill(99));
            }
            let recipe = Recipe { shape, ..MATLAB };
            let fit = find(&hr, &made(&hr, 4, &recipe), 4).unwrap();
            assert_eq!((fit.recipe, fit.identical), (recipe, 1.0));
        }
    }

    #[test]
    fn the_benchmarks_files_come_from_matlabs_kernel() {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/Set5");
        if !data.exists() {
            return println!("skipped: {} is absent", data.display());
        }
        for (scale, name) in [2, 3, 4]
            .into_iter()
            .flat_map(|scale| ["baby", "bird", "butterfly", "head", "woman"].map(|name| (scale, name)))
        {
            let picture = |kind| read(&data.join(format!("{kind}_x{scale}/{name}.png")), Conversion::Convert).unwrap();
            let fit = find(&picture("HR"), &picture("LR"), scale).unwrap();
            assert_eq!((fit.recipe, fit.identical), (MATLAB, 1.0), "{name} x{scale}");
        }
    }
}
