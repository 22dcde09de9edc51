//! Random changes of a patch's colours, the same for LR and HR.

use multiversion::multiversion;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::random::Draws;

/// The changes and their ranges, as torchvision's ColorJitter defines them; each patch draws its own numbers and the
/// order of the changes.
///
/// A mean over the picture, which contrast needs, is that of the HR patch for both: LR still shows what HR shows.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Jitter {
    /// A factor in [0, 10] for every value.
    pub brightness: Option<[f64; 2]>,
    /// A factor in [0, 10] for the difference from the mean luma of the patch.
    pub contrast: Option<[f64; 2]>,
    /// A factor in [0, 10] for the difference from the pixel's luma.
    pub saturation: Option<[f64; 2]>,
    /// By how much of a full circle the hue is turned, in [-0.5, 0.5].
    pub hue: Option<[f64; 2]>,
    /// Whether red, green and blue change places, each of the six orders equally likely; last of all.
    #[serde(default)]
    pub permute_channels: bool,
}

/// One change with its number.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Change {
    Brightness(f32),
    Contrast(f32),
    Saturation(f32),
    Hue(f32),
    Permute([usize; 3]),
}

type Pixel = [f32; 3];

impl Jitter {
    /// [`Error::Range`] for a range that is empty or beyond its limits.
    pub fn check(&self) -> Result<(), Error> {
        let Self { brightness, contrast, saturation, hue, .. } = *self;
        check("data.jitter.brightness", brightness, [0.0, 10.0])?;
        check("data.jitter.contrast", contrast, [0.0, 10.0])?;
        check("data.jitter.saturation", saturation, [0.0, 10.0])?;
        check("data.jitter.hue", hue, [-0.5, 0.5])
    }

    /// Changes an HR patch and its LR patch, pixels of three values in [0, 1], one after the other.
    pub fn apply(&self, draws: &mut Draws, hr: &mut [f32], lr: &mut [f32]) {
        let (hr, lr) = (hr.as_chunks_mut().0, lr.as_chunks_mut().0);
        self.draw(draws).into_iter().for_each(|change| change.apply(hr, lr));
    }

    fn draw(&self, draws: &mut Draws) -> Vec<Change> {
        type Make = fn(f32) -> Change;
        let kinds: [(_, Make); 4] = [
            (self.brightness, Change::Brightness),
            (self.contrast, Change::Contrast),
            (self.saturation, Change::Saturation),
            (self.hue, Change::Hue),
        ];
        let asked = kinds.into_iter().filter_map(|(range, change)| Some((range?, change)));
        let mut changes: Vec<_> = asked.map(|(range, change)| change(draws.between(range) as f32)).collect();
        shuffle(&mut changes, draws);
        if self.permute_channels {
            let mut order = [0, 1, 2];
            shuffle(&mut order, draws);
            changes.push(Change::Permute(order));
        }
        changes
    }
}

/// Every order equally likely (Fisher and Yates).
fn shuffle<T>(items: &mut [T], draws: &mut Draws) {
    for last in (1..items.len()).rev() {
        items.swap(last, draws.below(last as u32 + 1) as usize);
    }
}

/// [`Error::Range`] unless the range, if there is one, is ordered and within its limits.
pub(crate) fn check(key: &'static str, range: Option<[f64; 2]>, [least, most]: [f64; 2]) -> Result<(), Error> {
    match range {
        Some([low, high]) if !(least <= low && low <= high && high <= most) => {
            Err(Error::Range { key, least, most, found: [low, high] })
        }
        _ => Ok(()),
    }
}

impl Change {
    fn apply(self, hr: &mut [Pixel], lr: &mut [Pixel]) {
        match self {
            Self::Brightness(factor) => each(hr, lr, |pixel| blend(pixel, 0.0, factor)),
            Self::Contrast(factor) => {
                let mean = hr.iter().map(|&pixel| f64::from(luma(pixel))).sum::<f64>() / hr.len() as f64;
                each(hr, lr, |pixel| blend(pixel, mean as f32, factor));
            }
            Self::Saturation(factor) => each(hr, lr, |pixel| blend(pixel, luma(pixel), factor)),
            Self::Hue(turn) => each(hr, lr, |pixel| turned(pixel, turn)),
            Self::Permute(order) => each(hr, lr, |pixel| order.map(|channel| pixel[channel])),
        }
    }
}

#[multiversion(targets("x86_64+avx2"))]
fn each(hr: &mut [Pixel], lr: &mut [Pixel], change: impl Fn(Pixel) -> Pixel) {
    for pixels in [hr, lr] {
        pixels.iter_mut().for_each(|pixel| *pixel = change(*pixel));
    }
}

/// Each value's difference from `base`, times `factor`; clamped to [0, 1].
fn blend(pixel: Pixel, base: f32, factor: f32) -> Pixel {
    pixel.map(|value| (factor * value + (1.0 - factor) * base).clamp(0.0, 1.0))
}

/// The luma of BT.601 with the four digits that torchvision uses.
fn luma([red, green, blue]: Pixel) -> f32 {
    0.2989 * red + 0.587 * green + 0.114 * blue
}

/// The pixel with its hue turned; its value (largest channel) and saturation stay.
///
/// Along the circle of hues each channel is a trapezoid: `value` for a third, `value - chroma` for a third, with ramps
/// of a sixth between (Smith, "Color gamut transform pairs", 1978). A grey pixel has no hue and stays.
#[inline(always)]
fn turned(pixel: Pixel, turn: f32) -> Pixel {
    let [red, green, blue] = pixel;
    let value = red.max(green).max(blue);
    let chroma = value - red.min(green).min(blue);
    if chroma == 0.0 {
        return pixel;
    }
    let sixths = match value {
        _ if value == red => (green - blue) / chroma,
        _ if value == green => 2.0 + (blue - red) / chroma,
        _ => 4.0 + (red - green) / chroma,
    };
    // Red is largest about 0, green about 2, blue about 4 sixths.
    [0.0, 2.0, 4.0].map(|centre| {
        let place = sixths + 6.0 * turn - centre + 3.0;
        let distance = place - 6.0 * (place / 6.0).floor() - 3.0; // in [-3, 3]
        value - chroma * (distance.abs() - 1.0).clamp(0.0, 1.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Purpose;

    fn changed(change: Change, pixels: &[Pixel]) -> Vec<Pixel> {
        let (mut hr, mut lr) = (pixels.to_vec(), pixels.to_vec());
        change.apply(&mut hr, &mut lr);
        assert_eq!(hr, lr);
        hr
    }

    fn assert_near(found: &[Pixel], expected: &[Pixel]) {
        let near = found.as_flattened().iter().zip(expected.as_flattened()).all(|(a, b)| (a - b).abs() < 1e-6);
        assert!(near && found.len() == expected.len(), "{found:?} is not {expected:?}");
    }

    #[test]
    fn brightness_contrast_and_saturation_by_hand() {
        // 1.5 x 0.4 = 0.6, 1.5 x 0.8 = 1.2, clamped.
        assert_near(&changed(Change::Brightness(1.5), &[[0.4, 0.8, 0.0]]), &[[0.6, 1.0, 0.0]]);
        // The lumas of red and blue are 0.2989 and 0.114, their mean 0.20645; halfway to it.
        let contrast = changed(Change::Contrast(0.5), &[[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]);
        let (far, near) = (0.5 + 0.103225, 0.103225);
        assert_near(&contrast, &[[far, near, near], [near, near, far]]);
        // Without saturation a pixel is its luma: 0.5 x 0.2989 + 0.587 = 0.73645.
        assert_near(&changed(Change::Saturation(0.0), &[[0.5, 1.0, 0.0]]), &[[0.73645; 3]]);
    }

    #[test]
    fn hue_by_hand() {
        // A third of the circle: red becomes green, green blue, blue red. A sixth: red becomes yellow.
        let primaries = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
        assert_near(&changed(Change::Hue(1.0 / 3.0), &primaries), &[primaries[1], primaries[2], primaries[0]]);
        assert_near(&changed(Change::Hue(1.0 / 6.0), &primaries[..1]), &[[1.0, 1.0, 0.0]]);
        // (0.2, 0.6, 0.4): value 0.6, chroma 0.4, hue 2 + 0.2 / 0.4 = 2.5 sixths. Half a circle on: 5.5 sixths, where
        // red is 0.5 from its centre: full; blue is 1.5 from its: 0.6 - 0.4 x 0.5; green 2.5 or more: 0.2.
        assert_near(&changed(Change::Hue(-0.5), &[[0.2, 0.6, 0.4], [0.3; 3]]), &[[0.6, 0.2, 0.4], [0.3; 3]]);
    }

    #[test]
    fn contrast_takes_the_mean_of_hr_for_both() {
        let (mut hr, mut lr) = ([[0.0; 3], [1.0; 3]], [[0.5; 3]]);
        Change::Contrast(0.0).apply(&mut hr, &mut lr);
        // The lumas' weights add up to 0.9999.
        assert_near(&[hr[0], lr[0]], &[[0.49995; 3]; 2]);
    }

    #[test]
    fn draws_are_in_their_ranges_and_in_every_order() {
        let jitter = Jitter {
            brightness: Some([0.5, 2.0]),
            hue: Some([-0.1, 0.1]),
            permute_channels: true,
            ..Jitter::default()
        };
        let mut first = std::collections::BTreeSet::new();
        let mut orders = std::collections::BTreeSet::new();
        for index in 0..100 {
            let changes = jitter.draw(&mut Draws::new(0, Purpose::Jitter, 0, index));
            assert_eq!(changes.len(), 3);
            for change in &changes {
                match *change {
                    Change::Brightness(factor) => assert!((0.5..=2.0).contains(&factor)),
                    Change::Hue(turn) => assert!((-0.1..=0.1).contains(&turn)),
                    Change::Permute(order) => drop(orders.insert(order)),
                    other => panic!("{other:?} was not asked for"),
                }
            }
            first.insert(matches!(changes[0], Change::Hue(_)));
        }
        assert_eq!((first.len(), orders.len()), (2, 6));
    }

    #[test]
    fn ranges_are_checked() {
        let error = |jitter: Jitter| jitter.check().unwrap_err().to_string();
        let expected = "data.jitter.contrast: expected [low, high] with 0 <= low <= high <= 10, found [2.0, 1.0]";
        assert_eq!(error(Jitter { contrast: Some([2.0, 1.0]), ..Jitter::default() }), expected);
        assert!(error(Jitter { hue: Some([0.0, f64::NAN]), ..Jitter::default() }).starts_with("data.jitter.hue"));
        assert!(Jitter { hue: Some([-0.5, 0.5]), ..Jitter::default() }.check().is_ok());
    }
}
