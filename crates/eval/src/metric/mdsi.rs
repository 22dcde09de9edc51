//! Mean deviation similarity index after Nafchi, Shahkolaei, Hedjam and Cheriet, "Mean deviation similarity index: efficient
//! and reliable full-reference image quality evaluator", IEEE Access 4, 2016.

use rustfft::num_complex::Complex64;

use super::filter::{PREWITT, gradient};
use super::plane::{Edge, Plane};
use super::{similarity, viewing_blocks};
use crate::Protocol;

/// Luma L and the chromaticities H and M of the paper.
const LHM: [[f64; 3]; 3] = [[0.2989, 0.587, 0.114], [0.3, 0.04, -0.35], [0.34, -0.6, 0.17]];
/// The paper's constants, in units of squared 8-bit values.
const C: [f64; 3] = [140.0, 55.0, 550.0];
/// The share of gradients; that of chromaticity is the rest.
const ALPHA: f64 = 0.6;
/// The exponent before and that after the deviation is taken.
const POWER: f64 = 0.25;

/// The mean absolute deviation of the fourth root of gradient and chromaticity similarity, to the power 1/4. Where the
/// similarity is negative its root is complex. 0 for equal planes.
pub(crate) fn mdsi(sr: &[Plane], hr: &[Plane], _: &Protocol) -> f64 {
    let [sr, hr] = [sr, hr].map(|planes| LHM.map(|weights| averaged(&Plane::weighted(planes, weights))));
    let gradients = gradients_alike(&sr[0], &hr[0]);
    let colours = colours_alike(&sr, &hr);
    let roots = gradients.iter().zip(&colours).map(|(g, c)| Complex64::from(ALPHA * g + (1.0 - ALPHA) * c).powf(POWER));
    let roots = Vec::from_iter(roots);
    let mean = roots.iter().sum::<Complex64>() / roots.len() as f64;
    (roots.iter().map(|root| (root - mean).norm()).sum::<f64>() / roots.len() as f64).powf(POWER)
}

/// Means over blocks of pixels seen as one, after zeros are put around the plane.
fn averaged(plane: &Plane) -> Plane {
    let side = viewing_blocks(plane);
    plane.padded((side - 1) / 2, side / 2, Edge::Zero).pooled(side)
}

/// Equation 4 of the paper: what SR and HR share with each other and with the mean of both.
fn gradients_alike(sr: &Plane, hr: &Plane) -> Vec<f64> {
    let both = gradient(&sr.zip(hr, |sr, hr| (sr + hr) / 2.0), &PREWITT);
    let (sr, hr) = (gradient(sr, &PREWITT), gradient(hr, &PREWITT));
    let samples = sr.values.iter().zip(&hr.values).zip(&both.values);
    let alike = |((&sr, &hr), &both): ((&f64, &f64), &f64)| {
        similarity(sr, hr, C[0]) + similarity(sr, both, C[1]) - similarity(hr, both, C[1])
    };
    samples.map(alike).collect()
}

/// Equation 6 of the paper: H and M together.
fn colours_alike([_, h1, m1]: &[Plane; 3], [_, h2, m2]: &[Plane; 3]) -> Vec<f64> {
    let products = h1.zip(h2, |a, b| a * b).zip(&m1.zip(m2, |a, b| a * b), |h, m| h + m);
    let squares = |a: &Plane, b: &Plane| a.zip(b, |a, b| a * a + b * b);
    let squares = squares(h1, h2).zip(&squares(m1, m2), |h, m| h + m);
    products.zip(&squares, |products, squares| (2.0 * products + C[2]) / (squares + C[2])).values
}

#[cfg(test)]
mod tests {
    use super::super::plane::tests::plane;
    use super::*;

    fn of(a: &[Plane], b: &[Plane]) -> f64 {
        mdsi(a, b, &Protocol::named("rgb", 4).unwrap())
    }

    #[test]
    fn half_the_picture_in_other_colours() {
        // Black against H = 0, M ≠ 0 without a gradient in L is not to be had in RGB, so the parts are tested alone:
        // on one half M1 = 10, M2 = -10, so 2·(-100) + 550 over 200 + 550 = 350 / 750.
        let zero = plane(2, 2, |_, _| 0.0);
        let m = |sign: f64| plane(2, 2, move |_, x| f64::from(x == 1) * sign * 10.0);
        let found = colours_alike(&[zero.clone(), zero.clone(), m(1.0)], &[zero.clone(), zero, m(-1.0)]);
        assert_eq!(found, [1.0, 350.0 / 750.0, 1.0, 350.0 / 750.0]);
    }

    #[test]
    fn swapped_channels_of_one_colour_are_one_similarity_everywhere() {
        // A constant colour has one similarity wherever the gradient to the zeros beyond the edges does not reach; in a
        // large picture the deviation tends to 0, although the colours differ. That is the metric's own blindness.
        let flat = |[r, g, b]: [f64; 3]| [r, g, b].map(|value| plane(200, 200, |_, _| value));
        let found = of(&flat([50.0, 100.0, 200.0]), &flat([200.0, 100.0, 50.0]));
        assert!(found > 0.0 && found < 0.35, "{found}");
        assert_eq!(of(&flat([9.0; 3]), &flat([9.0; 3])), 0.0);
    }

    #[test]
    fn a_negative_similarity_has_a_complex_root() {
        // (-1)^(1/4) has the angle 45 degrees.
        let root = Complex64::from(-1.0).powf(POWER);
        assert!((root - Complex64::new(0.5f64.sqrt(), 0.5f64.sqrt())).norm() < 1e-15);
    }
}
