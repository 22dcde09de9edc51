//! The natural image quality evaluator after Mittal, Soundararajan and Bovik, "Making a 'completely blind' image quality
//! analyzer", IEEE Signal Processing Letters 20(3), 2013: how far the statistics of a picture lie from those of 125 good
//! photographs. It sees SR alone.
//!
//! Where a picture is flat its difference from the local mean is 0. Other programs are left with rounding errors there, whose
//! signs then count: pyiqa 0.1.16 and BasicSR 1.4.2 differ from each other by 0.3 % on two pictures of Set5 for that.

use abbe_data::color::FULL_RANGE;
use abbe_data::resample::{Border, Method, Resampler};

use super::aggd::Aggd;
use super::filter::{gaussian, separable};
use super::plane::{Edge, Plane};
use crate::Error;

/// Side of the blocks whose statistics are taken, in pixels; half of it at the second scale.
const BLOCK: usize = 96;
/// Features of a block at both scales.
const FEATURES: usize = 36;
/// Neighbours whose products are looked at, as (down, right) of a pixel, or the other way round: the products are the same.
const NEIGHBOURS: [(usize, isize); 4] = [(0, 1), (1, 0), (1, 1), (1, -1)];

/// What is left of 0 by rounding is less; true differences are larger.
const ROUNDING: f64 = 1e-10;

/// The shortest side that a block fits in.
pub(crate) const LEAST: usize = BLOCK;

/// The mean and the covariance of the features of the good photographs, f64 in little-endian order; see the README there.
static PRISTINE: &[u8] = include_bytes!("../../parameters/niqe/pristine.f64");

/// The distance of the luma of SR, rounded to whole levels, from good photographs. NaN where fewer than two blocks of 96x96
/// have any structure.
///
/// # Errors
/// A picture too large to be halved.
pub(crate) fn niqe(sr: &[Plane]) -> Result<f64, Error> {
    let luma = whole_blocks(&Plane::weighted(sr, FULL_RANGE).map(f64::round));
    let [fine, coarse] = [(&luma, BLOCK), (&halved(&luma)?, BLOCK / 2)].map(|(luma, side)| features(luma, side));
    let blocks = Vec::from_iter(fine.into_iter().zip(coarse).map(|(fine, coarse)| [fine, coarse].concat()));
    let pristine = pristine();
    let (good, covariance_of_good) = pristine.split_at(FEATURES);
    let apart = Vec::from_iter(means(&blocks).iter().zip(good).map(|(found, good)| found - good));
    let spread = covariance(&blocks).into_iter().zip(covariance_of_good).map(|(found, good)| (found + good) / 2.0);
    Ok(distance(spread.collect(), &apart))
}

fn pristine() -> Vec<f64> {
    PRISTINE.as_chunks::<8>().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect()
}

/// The part of the plane that is whole blocks, from the upper left.
fn whole_blocks(plane: &Plane) -> Plane {
    let [height, width] = [plane.height, plane.width].map(|side| side / BLOCK * BLOCK);
    let values = (0..height).flat_map(|y| &plane.row(y)[..width]).copied().collect();
    Plane { height, width, values }
}

/// Half as high and wide, as MATLAB's `imresize` does it.
fn halved(plane: &Plane) -> Result<Plane, Error> {
    let (height, width) = (plane.height / 2, plane.width / 2);
    let method = Method::bicubic(Border::Mirror);
    let resampler = Resampler::to_size((plane.height, plane.width), (height, width), &method)?;
    Ok(Plane { height, width, values: resampler.planes(&plane.values)? })
}

/// 18 features of each block of `side` x `side` pixels: of the plane less its local mean over its local contrast, and of the
/// products of neighbours in it.
fn features(plane: &Plane, side: usize) -> Vec<Vec<f64>> {
    let plane = normalised(plane);
    let corners = (0..plane.height / side).flat_map(|y| (0..plane.width / side).map(move |x| (y * side, x * side)));
    let block = |(top, left)| {
        let rows = (top..top + side).map(|y| &plane.row(y)[left..left + side]);
        of_block(&Vec::from_iter(rows.flatten().copied()), side)
    };
    corners.map(block).collect()
}

fn normalised(plane: &Plane) -> Plane {
    let window = gaussian(7, 7.0 / 6.0);
    let local = |plane: &Plane| separable(&plane.padded(3, 3, Edge::Replicate), &window, &window);
    let mean = local(plane);
    let contrast =
        local(&plane.map(|value| value * value)).zip(&mean, |square, mean| (square - mean * mean).abs().sqrt());
    let apart = plane.zip(&mean, |value, mean| value - mean);
    apart.zip(&contrast, |apart, contrast| if apart.abs() > ROUNDING { apart / (contrast + 1.0) } else { 0.0 })
}

/// The features of one block; the neighbours of its last row and column are in its first ones.
fn of_block(block: &[f64], side: usize) -> Vec<f64> {
    let own = Aggd::fit(block.iter().copied());
    let mut features = vec![own.shape, (own.scales[0] + own.scales[1]) / 2.0];
    for (down, right) in NEIGHBOURS {
        let neighbour =
            |y: usize, x: usize| block[(y + down) % side * side + (x + side).wrapping_add_signed(right) % side];
        let products = Aggd::fit((0..side * side).map(|at| block[at] * neighbour(at / side, at % side)));
        features.extend([products.shape, products.mean(), products.scales[0], products.scales[1]]);
    }
    features
}

/// The mean of each feature over the blocks that have it.
fn means(blocks: &[Vec<f64>]) -> Vec<f64> {
    let mean = |feature: usize| {
        let found = Vec::from_iter(blocks.iter().map(|block| block[feature]).filter(|value| !value.is_nan()));
        found.iter().sum::<f64>() / found.len() as f64
    };
    (0..FEATURES).map(mean).collect()
}

/// The covariance (n - 1) of the features over the blocks that have all of them, `[FEATURES, FEATURES]`.
fn covariance(blocks: &[Vec<f64>]) -> Vec<f64> {
    let whole = Vec::from_iter(blocks.iter().filter(|block| block.iter().all(|value| !value.is_nan())).cloned());
    let means = means(&whole);
    let of = |i: usize, j: usize| {
        let products = whole.iter().map(|block| (block[i] - means[i]) * (block[j] - means[j]));
        products.sum::<f64>() / (whole.len() as f64 - 1.0)
    };
    (0..FEATURES * FEATURES).map(|at| of(at / FEATURES, at % FEATURES)).collect()
}

/// The length of `apart` in units of the spread, the root of dᵀ S⁻¹ d, by the factors L Lᵀ of S (Cholesky): it is the length
/// of y where L y = d. NaN for a matrix that is not positive definite.
fn distance(mut spread: Vec<f64>, apart: &[f64]) -> f64 {
    let side = apart.len();
    let mut solved = vec![0.0; side];
    for i in 0..side {
        for j in 0..=i {
            let known: f64 = (0..j).map(|k| spread[i * side + k] * spread[j * side + k]).sum();
            let rest = spread[i * side + j] - known;
            spread[i * side + j] = if i == j { rest.sqrt() } else { rest / spread[j * side + j] };
        }
        let known: f64 = (0..i).map(|k| spread[i * side + k] * solved[k]).sum();
        solved[i] = (apart[i] - known) / spread[i * side + i];
    }
    solved.iter().map(|value| value * value).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::super::plane::tests::plane;
    use super::*;

    #[test]
    fn a_distance_in_two_dimensions() {
        // S = (4 2; 2 2) has the inverse (2 -2; -2 4) / 4. For d = (2, 3): (8 - 24 + 36) / 4 = 5.
        assert!((distance(vec![4.0, 2.0, 2.0, 2.0], &[2.0, 3.0]) - 5f64.sqrt()).abs() < 1e-12);
        assert!(distance(vec![1.0, 2.0, 2.0, 1.0], &[1.0, 1.0]).is_nan());
    }

    #[test]
    fn means_and_covariance_leave_out_what_is_missing() {
        // Feature 0: 1, 3 and 8, of which the last has no feature 1. Means 4 and 4; the covariance of (1, 2) and (3, 6) is
        // (-1)(-2) + 1 * 2 = 4 over 1.
        let block = |first: f64, second: f64| [vec![first, second], vec![0.0; FEATURES - 2]].concat();
        let blocks = [block(1.0, 2.0), block(3.0, 6.0), block(8.0, f64::NAN)];
        assert_eq!(means(&blocks)[..2], [4.0, 4.0]);
        assert_eq!(covariance(&blocks)[..2], [2.0, 4.0]);
    }

    #[test]
    fn a_block_is_seen_over_its_local_contrast() {
        // Columns of 0 and 2 in turn: with the Gaussian's taps at odd distances adding up to p, the local mean beside a 0 is
        // 2p, the mean square 4p, the contrast 2 sqrt(p (1 - p)).
        let taps = gaussian(7, 7.0 / 6.0);
        let p = 2.0 * (taps[0] + taps[2]);
        let found = normalised(&plane(9, 9, |_, x| (x % 2 * 2) as f64)).row(4)[4];
        assert!((found + 2.0 * p / (2.0 * (p * (1.0 - p)).sqrt() + 1.0)).abs() < 1e-12, "{found}");
    }

    #[test]
    fn neighbours_go_round_the_block() {
        // 3x3, -1 but for 2 at the upper right corner: its right neighbour is the left of its row. Of the products of
        // neighbours two are -2 and seven 1, in every direction.
        let block = [-1.0, -1.0, 2.0, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0];
        let found = of_block(&block, 3);
        let products = Aggd::fit([[-2.0; 2].as_slice(), &[1.0; 7]].concat().into_iter());
        let expected = [products.shape, products.mean(), products.scales[0], products.scales[1]];
        assert!(found.len() == 18 && found[2..].chunks(4).all(|found| found == expected), "{found:?}");
    }

    #[test]
    fn the_statistics_of_good_photographs_are_whole() {
        let pristine = pristine();
        assert_eq!(pristine.len(), FEATURES + FEATURES * FEATURES);
        let (mean, spread) = pristine.split_at(FEATURES);
        assert_eq!(distance(spread.to_vec(), &[0.0; FEATURES]), 0.0);
        assert!(mean.iter().all(|value| value.is_finite()) && distance(spread.to_vec(), mean) > 1.0);
    }

    #[test]
    fn one_block_or_no_structure_gives_no_value() {
        let flat = plane(96, 192, |_, _| 100.0);
        let one = plane(96, 96, |y, x| (y * 37 % 101 + x * 91 % 67) as f64);
        assert!(niqe(&[flat]).unwrap().is_nan() && niqe(&[one]).unwrap().is_nan());
    }
}
