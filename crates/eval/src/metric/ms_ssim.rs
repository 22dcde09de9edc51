//! Multi-scale structural similarity after Wang, Simoncelli and Bovik, "Multiscale structural similarity for image quality
//! assessment", Asilomar Conference on Signals, Systems and Computers, 2003.

use super::plane::{Edge, Plane};
use super::ssim::{Terms, Variant};
use crate::Protocol;

/// The exponents of the five scales, the finest first.
const WEIGHTS: [f64; 5] = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333];

/// The shortest side of which the coarsest scale still holds the window of 11x11.
pub(crate) const LEAST: usize = 10 * 16 + 1;

/// The contrast terms of four scales and SSIM of the fifth, each not below 0, to the power of their weights, multiplied; the
/// mean over planes. Between scales means over 2x2 are taken; a picture with an odd side repeats its first row and column.
/// In [0, 1]; 1 for equal planes.
pub(crate) fn ms_ssim(sr: &[Plane], hr: &[Plane], protocol: &Protocol) -> f64 {
    let terms = Terms::new(Variant::Gaussian, protocol.peak);
    sr.iter().zip(hr).map(|(sr, hr)| of_plane(sr.clone(), hr.clone(), &terms)).sum::<f64>() / sr.len() as f64
}

fn of_plane(mut sr: Plane, mut hr: Plane, terms: &Terms) -> f64 {
    let mut product = 1.0;
    for (scale, weight) in WEIGHTS.into_iter().enumerate() {
        if scale > 0 {
            (sr, hr) = (halved(&sr), halved(&hr));
        }
        let [similarity, contrast] = terms.mean(&sr, &hr);
        let term = if scale + 1 == WEIGHTS.len() { similarity } else { contrast };
        product *= term.max(0.0).powf(weight);
    }
    product
}

fn halved(plane: &Plane) -> Plane {
    plane.padded(plane.oddness(), 0, Edge::Replicate).pooled(2)
}

#[cfg(test)]
mod tests {
    use super::super::plane::tests::plane;
    use super::*;

    #[test]
    fn constant_planes_leave_the_luminance_term_of_the_coarsest_scale() {
        // No variance at any scale, so every contrast term is 1; SSIM of the fifth is that of means 100 and 110,
        // 22006.5025 / 22106.5025, here to the power 0.1333.
        let (a, b) = ([plane(161, 162, |_, _| 100.0)], [plane(161, 162, |_, _| 110.0)]);
        let expected = (22_006.502_5f64 / 22_106.502_5).powf(0.1333);
        let found = ms_ssim(&a, &b, &Protocol::named("y", 4).unwrap());
        assert!((found - expected).abs() < 1e-9, "{found}");
    }

    #[test]
    fn reversed_contrast_is_zero() {
        let a = [plane(161, 161, |y, x| f64::from((x / 16 + y / 16) as u8 % 2) * 255.0)];
        let b = [a[0].map(|value| 255.0 - value)];
        assert_eq!(ms_ssim(&a, &b, &Protocol::named("y", 4).unwrap()), 0.0);
    }

    #[test]
    fn an_odd_plane_repeats_its_first_row_and_column() {
        // 1 2 3 becomes 1 1 2 3 in both directions: blocks 1 1, then 2 3.
        let halved = halved(&plane(3, 3, |_, x| x as f64 + 1.0));
        assert_eq!((halved.height, halved.values), (2, vec![1.0, 2.5, 1.0, 2.5]));
    }
}
