//! Gradient magnitude similarity deviation after Xue, Zhang, Mou and Bovik, "Gradient magnitude similarity deviation: a
//! highly efficient perceptual image quality index", IEEE Transactions on Image Processing 23(2), 2014.

use abbe_data::color::FULL_RANGE;

use super::filter::{PREWITT, gradient};
use super::plane::{Edge, Plane};
use super::similarity;
use crate::Protocol;

/// The paper's constant, in units of squared 8-bit values.
const T: f64 = 170.0;

/// The standard deviation (with n) of the similarity of gradients, taken of luma in full range after means over 2x2, with
/// zeros beyond the edges. 0 for equal planes.
pub(crate) fn gmsd(sr: &[Plane], hr: &[Plane], _: &Protocol) -> f64 {
    let [sr, hr] = [sr, hr].map(|planes| {
        let luma = Plane::weighted(planes, FULL_RANGE);
        gradient(&luma.padded(0, luma.oddness(), Edge::Zero).pooled(2), &PREWITT)
    });
    let map = sr.zip(&hr, |sr, hr| similarity(sr, hr, T));
    let mean = map.mean();
    map.map(|value| (value - mean).powi(2)).mean().sqrt()
}

#[cfg(test)]
mod tests {
    use super::super::plane::tests::plane;
    use super::*;

    #[test]
    fn one_edge_that_is_lost() {
        // 8x8 black; in b the last two columns are 3: after means over 2x2, 4x4 with a last column of 3. Prewitt of b, zeros
        // beyond: along the row only column 2 has a difference, 3 - 0, smoothed to 3 in the inner rows and 3·2/3 = 2 in the
        // outer. Down, a row has 3/3 = 1 in columns 2 and 3: so has its difference to the zeros beyond the outer rows.
        let a = [plane(8, 8, |_, _| 0.0)];
        let b = [plane(8, 8, |_, x| f64::from(x >= 6) * 3.0)];
        let outer = [0.0, 0.0, (2.0f64 * 2.0 + 1.0).sqrt(), 1.0];
        let inner = [0.0, 0.0, 3.0, 0.0];
        let map = [outer, inner, inner, outer].concat().into_iter().map(|g| 170.0 / (g * g + 170.0));
        let map = Vec::from_iter(map);
        let mean = map.iter().sum::<f64>() / 16.0;
        let expected = (map.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 16.0).sqrt();
        let found = gmsd(&a, &b, &Protocol::named("y", 4).unwrap());
        assert!((found - expected).abs() < 1e-12, "{found} {expected}");
    }
}
