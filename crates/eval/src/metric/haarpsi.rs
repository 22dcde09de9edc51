//! Haar wavelet-based perceptual similarity index after Reisenhofer, Bosse, Kutyniok and Wiegand, "A Haar wavelet-based
//! perceptual similarity index for image quality assessment", Signal Processing: Image Communication 61, 2018.

use super::filter::separable;
use super::plane::{Edge, Plane};
use super::{YIQ, similarity};
use crate::Protocol;

/// The paper's constants: what steadies the similarity of 8-bit magnitudes, and the steepness of the logistic function.
const C: f64 = 30.0;
const ALPHA: f64 = 4.2;

/// The shortest side that holds the widest wavelet after means over 2x2.
pub(crate) const LEAST: usize = 16;

/// The similarity of fine wavelet coefficients of luma, weighted by the coarse ones, and of I and Q where there is colour;
/// zeros beyond the edges. In [0, 1]; 1 for equal planes.
pub(crate) fn haarpsi(sr: &[Plane], hr: &[Plane], _: &Protocol) -> f64 {
    let [sr, hr] = [sr, hr].map(|planes| {
        let colours = if planes.len() == 3 { 3 } else { 1 };
        Vec::from_iter(YIQ[..colours].iter().map(|&weights| {
            let plane = Plane::weighted(planes, weights);
            plane.padded(0, plane.oddness(), Edge::Zero).pooled(2)
        }))
    });
    let mut sum = [0.0; 2];
    let mut add = |map: &Plane, weights: &Plane| {
        let squashed = map.zip(weights, |value, weight| weight * logistic(ALPHA * value));
        sum = [sum[0] + squashed.values.iter().sum::<f64>(), sum[1] + weights.values.iter().sum::<f64>()];
    };
    let weights = [false, true].map(|across| {
        let magnitudes = |planes: &[Plane]| [2, 4, 8].map(|side| coefficients(&planes[0], side, across));
        let ([sr1, sr2, sr3], [hr1, hr2, hr3]) = (magnitudes(&sr), magnitudes(&hr));
        let weights = sr3.zip(&hr3, f64::max);
        add(&halves(&alike(&sr1, &hr1), &alike(&sr2, &hr2)), &weights);
        weights
    });
    if let ([_, sr_i, sr_q], [_, hr_i, hr_q]) = (&sr[..], &hr[..]) {
        let [sr_i, sr_q, hr_i, hr_q] = [sr_i, sr_q, hr_i, hr_q].map(blurred);
        add(&halves(&alike(&sr_i, &hr_i), &alike(&sr_q, &hr_q)), &halves(&weights[0], &weights[1]));
    }
    // Black pictures have no coefficient that could differ.
    if sum[1] == 0.0 { 1.0 } else { (logit(sum[0] / sum[1]) / ALPHA).powi(2) }
}

/// The magnitudes of the coefficients of the Haar wavelet with this side, down or across.
fn coefficients(plane: &Plane, side: usize, across: bool) -> Plane {
    let smooth = vec![1.0; side];
    let step = Vec::from_iter((0..side).map(|i| if i < side / 2 { 1.0 } else { -1.0 } / side as f64));
    let padded = plane.padded(side / 2 - 1, side / 2, Edge::Zero);
    let found = if across { separable(&padded, &smooth, &step) } else { separable(&padded, &step, &smooth) };
    found.map(f64::abs)
}

/// The magnitudes of the means over 2x2 at each sample.
fn blurred(plane: &Plane) -> Plane {
    separable(&plane.padded(0, 1, Edge::Zero), &[0.5; 2], &[0.5; 2]).map(f64::abs)
}

fn alike(sr: &Plane, hr: &Plane) -> Plane {
    sr.zip(hr, |sr, hr| similarity(sr, hr, C))
}

fn halves(a: &Plane, b: &Plane) -> Plane {
    a.zip(b, |a, b| (a + b) / 2.0)
}

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn logit(p: f64) -> f64 {
    (p / (1.0 - p)).ln()
}

#[cfg(test)]
mod tests {
    use super::super::plane::tests::plane;
    use super::*;

    fn of(a: &[Plane], b: &[Plane]) -> f64 {
        haarpsi(a, b, &Protocol::named("rgb", 4).unwrap())
    }

    #[test]
    fn the_coefficient_of_a_step() {
        // Columns 0 0 0 0 8 8 8 8: a wavelet of 4x4 across the step has (4·2·0 - 4·2·8) / 4 = -16.
        let step = plane(8, 8, |_, x| f64::from(x >= 4) * 8.0);
        // It begins one sample before its position: columns 2 to 5 are those of position 3.
        assert_eq!(coefficients(&step, 4, true).row(4)[3], 16.0);
        assert_eq!(coefficients(&step, 4, false).row(4)[3], 0.0);
    }

    #[test]
    fn no_structure_in_common() {
        // Against black every similarity is 30 / (m² + 30), and the logistic mean lies between those of the least and the
        // largest: 1 is reached where nothing differs alone.
        let (a, black) = ([plane(16, 16, |y, x| ((x / 2 + y / 2) % 2) as f64 * 255.0)], [plane(16, 16, |_, _| 0.0)]);
        assert!((of(&a, &a) - 1.0).abs() < 1e-12);
        assert_eq!(of(&black, &black), 1.0);
        let found = of(&a, &black);
        assert!(found < 0.35, "{found}");
        // Grey as three channels adds I = Q = 0, similarity 1, with the mean of the weights.
        let grey = |a: &[Plane; 1]| [a[0].clone(), a[0].clone(), a[0].clone()];
        assert!(of(&grey(&a), &grey(&black)) > found);
    }
}
