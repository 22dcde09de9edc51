//! Visual information fidelity in the pixel domain after Sheikh and Bovik, "Image information and visual quality", IEEE
//! Transactions on Image Processing 15(2), 2006, and the authors' program `vifp_mscale`.

use abbe_data::color::FULL_RANGE;

use super::filter::{gaussian, separable};
use super::plane::Plane;
use crate::Protocol;

/// Variance of the visual noise.
const NOISE: f64 = 2.0;
/// What counts as no variance.
const EPS: f64 = 1e-8;
/// Sides of the windows of the four scales, the finest first; their standard deviation is a fifth.
const WINDOWS: [usize; 4] = [17, 9, 5, 3];

/// The shortest side that the four scales leave something of.
pub(crate) const LEAST: usize = 41;

/// The information that an eye can have of HR from SR over what it can have from HR itself, of luma in full range. 1 for
/// equal planes, more where SR has more contrast; not symmetric.
pub(crate) fn vifp(sr: &[Plane], hr: &[Plane], _: &Protocol) -> f64 {
    let [mut sr, mut hr] = [sr, hr].map(|planes| Plane::weighted(planes, FULL_RANGE));
    let mut information = [0.0; 2];
    for (scale, size) in WINDOWS.into_iter().enumerate() {
        let window = gaussian(size, size as f64 / 5.0);
        if scale > 0 {
            [sr, hr] = [sr, hr].map(|plane| every_other(&separable(&plane, &window, &window)));
        }
        let of_scale = information_of(&sr, &hr, &window);
        information = [information[0] + of_scale[0], information[1] + of_scale[1]];
    }
    (information[0] + EPS) / (information[1] + EPS)
}

fn every_other(plane: &Plane) -> Plane {
    let (height, width) = (plane.height.div_ceil(2), plane.width.div_ceil(2));
    let values = (0..plane.height).step_by(2).flat_map(|y| plane.row(y).iter().step_by(2)).copied().collect();
    Plane { height, width, values }
}

/// The information from SR and from HR at one scale, in decades.
fn information_of(sr: &Plane, hr: &Plane, window: &[f64]) -> [f64; 2] {
    let mean = |plane: &Plane| separable(plane, window, window);
    let product = |a: &Plane, b: &Plane| mean(&a.zip(b, |a, b| a * b));
    let (of_sr, of_hr) = (mean(sr), mean(hr));
    let variance = |squares: Plane, mean: &Plane| squares.zip(mean, |square, mean| (square - mean * mean).max(0.0));
    let sr_variance = variance(product(sr, sr), &of_sr);
    let hr_variance = variance(product(hr, hr), &of_hr);
    let covariance = product(sr, hr).zip(&of_sr.zip(&of_hr, |sr, hr| sr * hr), |product, means| product - means);
    let mut sum = [0.0; 2];
    for ((&sr, &hr), &both) in sr_variance.values.iter().zip(&hr_variance.values).zip(&covariance.values) {
        let [from_sr, from_hr] = at(sr, hr, both);
        sum = [sum[0] + from_sr, sum[1] + from_hr];
    }
    sum
}

/// SR is seen as HR times a gain, plus noise of its own: both from the variances of SR and HR and their covariance.
fn at(sr: f64, hr: f64, both: f64) -> [f64; 2] {
    let gain = if hr >= EPS { both / (hr + EPS) } else { 0.0 };
    let (gain, noise) = match () {
        () if sr < EPS => (0.0, 0.0),
        () if hr < EPS || gain < 0.0 => (0.0, sr),
        () => (gain, sr - gain * both),
    };
    let hr = if hr >= EPS { hr } else { 0.0 };
    [(1.0 + gain * gain * hr / (noise.max(EPS) + NOISE)).log10(), (1.0 + hr / NOISE).log10()]
}

#[cfg(test)]
mod tests {
    use super::super::plane::tests::plane;
    use super::*;

    #[test]
    fn information_of_a_gain_of_a_half() {
        // SR = HR / 2: with the variance 8 of HR, SR has 2 and the covariance is 4, so the gain is 1/2 and no noise is added.
        // From SR log10(1 + 8/4 / 2) = log10(2), from HR log10(1 + 8/2) = log10(5).
        let [from_sr, from_hr] = at(2.0, 8.0, 4.0);
        assert!((from_sr - 2f64.log10()).abs() < 1e-8 && (from_hr - 5f64.log10()).abs() < 1e-12);
        // Reversed contrast and a flat SR tell nothing; a flat HR has nothing to tell.
        assert_eq!((at(2.0, 8.0, -4.0)[0], at(0.0, 8.0, 0.0)[0], at(2.0, 0.0, 0.0)), (0.0, 0.0, [0.0; 2]));
    }

    #[test]
    fn a_constant_error_changes_no_variance() {
        let hr = [plane(41, 43, |y, x| ((y * 31 + x * 17) % 200) as f64)];
        let sr = [hr[0].map(|value| value + 5.0)];
        assert!((vifp(&sr, &hr, &Protocol::named("y", 4).unwrap()) - 1.0).abs() < 1e-6);
    }
}
