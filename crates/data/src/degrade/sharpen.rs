use serde::{Deserialize, Serialize};

use super::check::range;
use super::convolve::gaussian_blur;
use super::planes::Planes;
use crate::Error;

/// Unsharp masking where a picture differs from its blur by more than a threshold (Real-ESRGAN, arXiv 2107.10833,
/// section 3.4).
///
/// With r = picture - blur and m = 1 where |r| > threshold, else 0: the result is s k + (1 - s) picture, where s is m
/// blurred and k is picture + weight r, clamped to [0, 1].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sharpen {
    /// How much of the difference is added, in [0, 10].
    pub weight: f64,
    /// Side of the Gaussian kernel in pixels, in 3..=255, an even one is made odd by adding 1; its sigma is
    /// 0.15 side + 0.35, as OpenCV chooses it.
    pub radius: usize,
    /// The least difference that is sharpened, in 8-bit levels, in [0, 255].
    pub threshold: f64,
}

impl Sharpen {
    pub(super) fn check(&self, key: &str) -> Result<(), Error> {
        range(format!("{key}.weight"), [self.weight; 2], 0.0, 10.0)?;
        range(format!("{key}.radius"), [self.radius; 2], 3, 255)?;
        range(format!("{key}.threshold"), [self.threshold; 2], 0.0, 255.0)
    }

    pub(super) fn apply(&self, picture: &Planes) -> Planes {
        let blur = self.blur(picture);
        let threshold = (self.threshold / 255.0) as f32;
        let pairs = || picture.values.iter().zip(&blur.values);
        let differs = |(value, blur): (&f32, &f32)| f32::from((value - blur).abs() > threshold);
        let mask = self.blur(&Planes { values: pairs().map(differs).collect(), ..*picture });
        let sharpened = |((value, blur), share): ((&f32, &f32), &f32)| {
            let sharp = (value + self.weight as f32 * (value - blur)).clamp(0.0, 1.0);
            share * sharp + (1.0 - share) * value
        };
        Planes { values: pairs().zip(&mask.values).map(sharpened).collect(), ..*picture }
    }

    fn blur(&self, picture: &Planes) -> Planes {
        let side = self.radius | 1;
        let sigma = 0.15 * side as f64 + 0.35;
        gaussian_blur(picture, side, sigma, 0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_of_one_row() {
        // Side 3: sigma 0.8, neighbours weigh exp(-1 / 1.28) = 0.457833 before and a = 0.238994 after normalisation,
        // the centre 0.522011. At a step from 1/4 to 3/4 the blur is 1/4 + a/2 on the lower side, r = -a/2 = -0.119497,
        // above 10/255 there and on the upper side only. The mask's blur there is 1 - a = 0.761006. So the lower pixel
        // becomes 1/4 - (1 - a) a/4 = 0.204531, and the upper one its mirror 0.795469.
        let row = [0.25, 0.25, 0.25, 0.75, 0.75, 0.75];
        let picture = Planes { height: 1, width: 6, values: row.repeat(3) };
        let sharp = Sharpen { weight: 0.5, radius: 3, threshold: 10.0 }.apply(&picture);
        let expected = [0.25, 0.25, 0.204531, 0.795469, 0.75, 0.75].repeat(3);
        assert!(sharp.values.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{:?}", sharp.values);
        let untouched = Sharpen { weight: 0.5, radius: 3, threshold: 31.0 }.apply(&picture);
        assert_eq!(untouched, picture); // 31 levels are more than a/2 * 255 = 30.47
    }

    #[test]
    fn numpy_gives_the_same_pixels() {
        let value = |y: usize, x: usize, c: usize| (37 * y * y + 11 * x * x + 5 * x * y + 83 * c + 7) % 256;
        let values = (0..3 * 66).map(|i| value(i / 11 % 6, i % 11, i / 66) as f32 / 255.0).collect();
        let picture = Planes { height: 6, width: 11, values };
        let golden = include_str!("../../tests/golden/degrade/sharpen.txt");
        assert_eq!(golden.lines().count(), 3);
        for line in golden.lines() {
            let numbers: Vec<f64> = line.split(' ').map(|number| number.parse().unwrap()).collect();
            let sharpen = Sharpen { weight: numbers[0], radius: numbers[1] as usize, threshold: numbers[2] };
            let sharp = sharpen.apply(&picture);
            assert!(sharp != picture && sharp.values.len() == numbers.len() - 3);
            let error = sharp.values.iter().zip(&numbers[3..]).map(|(a, b)| (f64::from(*a) - b).abs());
            assert!(error.fold(0.0, f64::max) < 3e-6, "{sharpen:?}");
        }
    }

    #[test]
    fn an_even_radius_is_made_odd() {
        let picture = Planes { height: 5, width: 5, values: (0..75).map(|i| (i % 7) as f32 / 6.0).collect() };
        let sharpen = |radius| Sharpen { weight: 0.5, radius, threshold: 10.0 }.apply(&picture);
        assert_eq!(sharpen(50), sharpen(51));
        assert_ne!(sharpen(50), sharpen(53));
    }
}
