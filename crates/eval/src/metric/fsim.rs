//! Feature similarity after Zhang, Zhang, Mou and Zhang, "FSIM: a feature similarity index for image quality assessment",
//! IEEE Transactions on Image Processing 20(8), 2011.

use super::filter::{SCHARR, gradient};
use super::phase_congruency::Filters;
use super::{Plane, YIQ, similarity, viewing_blocks};
use crate::Protocol;

/// The paper's constants for phase congruency, gradients, and each of I and Q, the latter in units of squared 8-bit values.
const T: [f64; 3] = [0.85, 160.0, 200.0];
/// The exponent of colour.
const LAMBDA: f64 = 0.03;

/// The shortest side.
pub(crate) const LEAST: usize = 2;

/// FSIM, of luma alone. In [0, 1]; 1 for equal planes.
pub(crate) fn fsim(sr: &[Plane], hr: &[Plane], _: &Protocol) -> f64 {
    pooled(sr, hr, false)
}

/// FSIMc, which weighs I and Q too; of one plane it is FSIM.
pub(crate) fn fsimc(sr: &[Plane], hr: &[Plane], _: &Protocol) -> f64 {
    pooled(sr, hr, true)
}

/// The similarity of phase congruency and gradients (and colour), weighted by the larger phase congruency.
fn pooled(sr: &[Plane], hr: &[Plane], colour: bool) -> f64 {
    let [sr, hr] = [sr, hr].map(|planes| {
        let side = viewing_blocks(&planes[0]);
        YIQ.map(|weights| Plane::weighted(planes, weights).pooled(side))
    });
    let filters = Filters::new(sr[0].height, sr[0].width);
    let [sr_phase, hr_phase] = [&sr, &hr].map(|[luma, ..]| filters.phase_congruency(luma));
    let gradients = gradient(&sr[0], &SCHARR).zip(&gradient(&hr[0], &SCHARR), |sr, hr| similarity(sr, hr, T[1]));
    let mut alike =
        sr_phase.zip(&hr_phase, |sr, hr| similarity(sr, hr, T[0])).zip(&gradients, |phase, gradient| phase * gradient);
    if colour {
        let [i, q] = [1, 2].map(|axis| sr[axis].zip(&hr[axis], |sr, hr| similarity(sr, hr, T[2])));
        alike = alike.zip(&i.zip(&q, |i, q| (i * q).abs().powf(LAMBDA)), |alike, colours| alike * colours);
    }
    let weights = sr_phase.zip(&hr_phase, f64::max);
    alike.zip(&weights, |alike, weight| alike * weight).mean() / weights.mean()
}

#[cfg(test)]
mod tests {
    use super::super::plane::tests::plane;
    use super::*;

    #[test]
    fn a_tint_of_the_same_luma_is_noticed_by_colour_alone() {
        // A tint adds a constant to R, G and B each. If their luma is 0, FSIM sees nothing, while I and Q differ by constants
        // from those of grey, 0: FSIMc = FSIM · (S_I S_Q)^0.03.
        let pattern = plane(32, 32, |y, x| ((y / 4 + x / 4) % 2) as f64 * 60.0 + 90.0);
        let tinted = |[r, g, b]: [f64; 3]| [r, g, b].map(|offset| pattern.map(|value| value + offset));
        // .299 r + .587 g + .114 b = 0 for (11.4, 0, -29.9); I = .5959·11.4 + .3213·29.9 = 16.4001, Q = .2115·11.4 -
        // .3112·29.9 = -6.8938.
        let (sr, hr) = (tinted([11.4, 0.0, -29.9]), tinted([0.0; 3]));
        let protocol = Protocol::named("rgb", 4).unwrap();
        assert!((fsim(&sr, &hr, &protocol) - 1.0).abs() < 1e-9);
        let expected = (200.0 / (16.4001f64.powi(2) + 200.0) * 200.0 / (6.8938f64.powi(2) + 200.0)).powf(0.03);
        assert!((fsimc(&sr, &hr, &protocol) - expected).abs() < 1e-5);
    }
}
