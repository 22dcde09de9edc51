//! Brings one picture onto a part of another: Gauss-Newton steps on the differences of their values (Lucas and Kanade, "An
//! iterative image registration technique", 1981), from coarse to fine.

use super::hash::Window;
use super::symmetry::Symmetry;
use super::thumb::{Level, Thumb};

/// Steps at each level; a picture that finds its place needs fewer.
const STEPS: usize = 10;

/// What the correlation of values must be at the proposed place, and after the steps at each level.
const START: f64 = 0.4;
const END: f64 = 0.6;

/// The part of the outer picture's height and width that the inner one may cover.
const PART: std::ops::Range<f64> = 0.4..1.2;

/// Where a picture lies in another, and how well it fits there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Placed {
    /// Pixels of the outer one for one of the inner one's, along a line.
    pub scale: f64,
    /// Correlation of the values, -1 to 1.
    pub values: f64,
    /// Correlation of the differences between neighbouring values, -1 to 1.
    pub edges: f64,
}

/// A picture at three sizes, with its own size in pixels.
pub(super) struct Pyramid {
    size: (usize, usize),
    levels: [Level; 3],
}

impl Pyramid {
    pub fn new(thumb: &Thumb) -> Self {
        Self { size: thumb.size, levels: thumb.levels() }
    }

    /// The same of the turned picture.
    pub fn turned(&self, symmetry: Symmetry) -> Self {
        let turn = |level: &Level| {
            let side = level.side;
            let at = |i: usize| {
                let (y, x) = symmetry.source(side, i / side, i % side);
                level.values[y * side + x]
            };
            Level { side, values: (0..side * side).map(at).collect() }
        };
        Self { size: symmetry.size(self.size), levels: self.levels.each_ref().map(turn) }
    }
}

/// Places `inner` in `outer`, beginning near `window` of it; none if it fits badly there or drifts away.
pub(super) fn place(inner: &Pyramid, outer: &Pyramid, window: &Window) -> Option<Placed> {
    let mut at = start(inner.size, outer.size, window);
    let mut sampled = Sampled::new(inner, outer, 2, at).filter(|sampled| sampled.values() > START)?;
    for level in [2, 1] {
        for _ in 0..STEPS {
            let step = sampled.step()?;
            at = std::array::from_fn(|k| at[k] + step[k]);
            sampled = Sampled::new(inner, outer, level, at)?;
        }
        if sampled.values() < END {
            return None;
        }
    }
    Some(Placed { scale: at[0], values: sampled.values(), edges: sampled.edges() })
}

/// The scale of the window, and the row and column at which the inner picture then begins if their middles agree.
fn start(inner: (usize, usize), outer: (usize, usize), window: &Window) -> [f64; 3] {
    let [height, width] = [window.height * outer.0 as f64, window.width * outer.1 as f64];
    let [own_height, own_width] = [inner.0 as f64, inner.1 as f64];
    let scale = (height / own_height * width / own_width).sqrt();
    let top = window.top * outer.0 as f64 + (height - scale * own_height) / 2.0;
    let left = window.left * outer.1 as f64 + (width - scale * own_width) / 2.0;
    [scale, top, left]
}

/// Both pictures at the samples of a level of the inner one.
struct Sampled {
    side: usize,
    inner: Vec<f32>,
    outer: Vec<f32>,
    /// How each sample of the outer one changes with scale, row and column.
    slopes: Vec<[f32; 3]>,
}

impl Sampled {
    fn new(inner: &Pyramid, outer: &Pyramid, level: usize, [scale, top, left]: [f64; 3]) -> Option<Self> {
        let part = |own: usize, other: usize| scale * own as f64 / other as f64;
        let parts = [part(inner.size.0, outer.size.0), part(inner.size.1, outer.size.1)];
        if !parts.iter().all(|part| PART.contains(part)) {
            return None;
        }
        let small = &inner.levels[level];
        let large = &outer.levels[if parts[0].min(parts[1]) > 0.75 { level } else { level - 1 }];
        let side = small.side;
        // Samples of `large` for a pixel of the outer picture, and pixels of the inner picture for a sample of `small`.
        let rows = large.side as f32 / outer.size.0 as f32;
        let columns = large.side as f32 / outer.size.1 as f32;
        let own = |i: usize, length: usize| (i as f32 + 0.5) * length as f32 / side as f32;
        let mut sampled = Self { side, inner: small.values.clone(), outer: vec![], slopes: vec![] };
        for i in 0..side * side {
            let (y, x) = (own(i / side, inner.size.0), own(i % side, inner.size.1));
            let row = (top as f32 + scale as f32 * y) * rows - 0.5;
            let column = (left as f32 + scale as f32 * x) * columns - 0.5;
            let down = (large.at(row + 0.5, column) - large.at(row - 0.5, column)) * rows;
            let across = (large.at(row, column + 0.5) - large.at(row, column - 0.5)) * columns;
            sampled.outer.push(large.at(row, column));
            sampled.slopes.push([down * y + across * x, down, across]);
        }
        Some(sampled)
    }

    /// The change of scale, row and column that brings the values closest, both with mean 0 and variance 1.
    fn step(&self) -> Option<[f64; 3]> {
        let (inner, outer) = (Normal::of(&self.inner)?, Normal::of(&self.outer)?);
        let count = self.slopes.len() as f64;
        let mean = [0, 1, 2].map(|k| self.slopes.iter().map(|slope| f64::from(slope[k])).sum::<f64>() / count);
        let (mut matrix, mut right) = ([[0.0; 3]; 3], [0.0; 3]);
        for (slope, (a, b)) in self.slopes.iter().zip(self.inner.iter().zip(&self.outer)) {
            let slope = [0, 1, 2].map(|k| (f64::from(slope[k]) - mean[k]) / outer.spread);
            let difference = inner.at(*a) - outer.at(*b);
            for k in 0..3 {
                right[k] += slope[k] * difference;
                (0..3).for_each(|l| matrix[k][l] += slope[k] * slope[l]);
            }
        }
        solve(matrix, right)
    }

    fn values(&self) -> f64 {
        correlation(&self.inner, &self.outer)
    }

    fn edges(&self) -> f64 {
        let edges = |values: &[f32]| -> Vec<f32> {
            let side = self.side;
            let inside = (0..side * (side - 1)).filter(|i| i % side != side - 1);
            inside.flat_map(|i| [values[i + 1] - values[i], values[i + side] - values[i]]).collect()
        };
        correlation(&edges(&self.inner), &edges(&self.outer))
    }
}

/// What brings values to mean 0 and variance 1.
struct Normal {
    mean: f64,
    spread: f64,
}

impl Normal {
    /// None of values that are all but the same.
    fn of(values: &[f32]) -> Option<Self> {
        let count = values.len() as f64;
        let mean = values.iter().map(|&value| f64::from(value)).sum::<f64>() / count;
        let spread = (values.iter().map(|&value| (f64::from(value) - mean).powi(2)).sum::<f64>() / count).sqrt();
        (spread > 1e-3).then_some(Self { mean, spread })
    }

    fn at(&self, value: f32) -> f64 {
        (f64::from(value) - self.mean) / self.spread
    }
}

/// Pearson's; 0 where one of the two is flat.
fn correlation(a: &[f32], b: &[f32]) -> f64 {
    let (Some(normal_a), Some(normal_b)) = (Normal::of(a), Normal::of(b)) else { return 0.0 };
    a.iter().zip(b).map(|(&a, &b)| normal_a.at(a) * normal_b.at(b)).sum::<f64>() / a.len() as f64
}

/// Solves `matrix * x = right` by Cramer's rule; none of a singular matrix.
fn solve(matrix: [[f64; 3]; 3], right: [f64; 3]) -> Option<[f64; 3]> {
    let determinant = |[a, b, c]: [[f64; 3]; 3]| {
        a[0] * (b[1] * c[2] - b[2] * c[1]) - a[1] * (b[0] * c[2] - b[2] * c[0]) + a[2] * (b[0] * c[1] - b[1] * c[0])
    };
    let replaced = |k: usize| {
        let mut changed = matrix;
        (0..3).for_each(|row| changed[row][k] = right[row]);
        determinant(changed)
    };
    let found = [0, 1, 2].map(|k| replaced(k) / determinant(matrix));
    found.iter().all(|value| value.is_finite()).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Rgb8;
    use crate::resample::{Border, bicubic};

    /// Smooth waves that repeat nowhere in the picture.
    fn picture(height: usize, width: usize) -> Rgb8 {
        let value =
            |y: f64, x: f64| (y / 9.0).sin() * (x / 14.0).cos() + (x * y / 900.0).sin() + (x / 31.0 - y / 17.0).cos();
        let pixel = |i: usize| [(128.0 + 40.0 * value((i / width) as f64, (i % width) as f64)) as u8; 3];
        Rgb8::new(height, width, (0..height * width).flat_map(pixel).collect()).unwrap()
    }

    fn pyramid(picture: &Rgb8) -> Pyramid {
        Pyramid::new(&Thumb::new(picture).unwrap())
    }

    const WHOLE: Window = Window { top: 0.0, left: 0.0, height: 1.0, width: 1.0, aspect: 0.0 };

    #[test]
    fn a_reduced_and_cut_picture_finds_its_place() {
        // 160 x 208 of 200 x 240 pixels, from row 20 and column 16, reduced to 100 x 130: 1.6 pixels for each.
        let outer = picture(200, 240);
        let inner = bicubic(&outer.crop(20, 16, 160, 208).unwrap(), 100, 130, Border::Replicate);
        let near = Window { top: 0.06, left: 0.1, height: 0.85, width: 0.85, aspect: 0.0 };
        let placed = place(&pyramid(&inner), &pyramid(&outer), &near).unwrap();
        assert!((placed.scale - 1.6).abs() < 0.02 && placed.edges > 0.95, "{placed:?}");
    }

    #[test]
    fn a_mirrored_picture_is_found_once_it_is_turned_back() {
        let outer = pyramid(&picture(150, 200));
        let mirrored = outer.turned(Symmetry(1));
        assert!(place(&mirrored, &outer, &WHOLE).is_none_or(|placed| placed.edges < 0.5));
        let placed = place(&mirrored.turned(Symmetry(1)), &outer, &WHOLE).unwrap();
        assert!((placed.scale - 1.0).abs() < 1e-3 && placed.edges > 0.999, "{placed:?}");
        let standing = outer.turned(Symmetry(4));
        assert_eq!((standing.size, standing.levels[0].values[1]), ((200, 150), outer.levels[0].values[128]));
    }

    #[test]
    fn three_equations_are_solved() {
        // x = 1, y = 2, z = 3: 2 + 2 = 4, 2 * 2 + 3 = 7, 1 + 3 * 3 = 10.
        let matrix = [[2.0, 1.0, 0.0], [0.0, 2.0, 1.0], [1.0, 0.0, 3.0]];
        assert_eq!(solve(matrix, [4.0, 7.0, 10.0]), Some([1.0, 2.0, 3.0]));
        assert_eq!(solve([[1.0; 3]; 3], [1.0; 3]), None);
    }

    #[test]
    fn the_middle_of_a_window_is_where_a_picture_begins_to_look() {
        // A window of 50 x 100 pixels at (50, 100) for a picture of 25 x 50: two pixels for each, and no rest.
        let window = Window { top: 0.5, left: 0.5, height: 0.5, width: 0.5, aspect: 0.0 };
        assert_eq!(start((25, 50), (100, 200), &window), [2.0, 50.0, 100.0]);
    }
}
