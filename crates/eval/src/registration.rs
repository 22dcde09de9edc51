//! Whether SR lies where HR lies and has its colours: what a misaligned or miscoloured pipeline is told by from a bad network.
//!
//! The shift is found by phase correlation (Kuglin and Hines, "The phase correlation image alignment method", 1975) of the
//! frequencies that an SR picture can be trusted with, whose peak is then sought between the pixels. A frequency counts by
//! the square root of its power: of those that a picture hardly has, rounding to 8 bits decides the phase.

use std::f64::consts::TAU;

use abbe_data::color::FULL_RANGE;
use abbe_data::image::Rgb8;
use abbe_data::resample::cubic;
use rustfft::num_complex::Complex64;
use serde::Serialize;

use crate::metric::Plane;
use crate::metric::fourier::{Spectrum, signed};
use crate::metric::psnr::psnr;
use crate::{Error, Protocol};

/// Shortest side of a picture that can be registered, in pixels.
const LEAST: usize = 32;
/// The highest frequency that is trusted, in cycles per pixel: that of LR at scale 4.
const HIGHEST: f64 = 0.125;
/// Where the search for the shift ends, in pixels.
const FINEST: f64 = 1.0 / 512.0;
/// What is taken for a whole number of pixels: the shift is not known better.
const WHOLE: f64 = 0.02;
/// The power of a frequency that is not there, but for the rounding of f64.
const NOTHING: f64 = 1e-9;
/// How often the shift that is left is sought again.
const PASSES: usize = 4;

/// How SR lies on HR. Channels are R, G, B; all values are in units of 8-bit numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Registration {
    /// By how many pixels (down, right) what is in SR lies away from where it is in HR.
    pub shift: [f64; 2],
    /// By what each channel of SR, less its mean, is to be multiplied to come nearest to HR: below 1 where SR has too much
    /// contrast.
    pub gain: [f64; 3],
    /// The mean of each channel of SR less that of HR.
    pub cast: [f64; 3],
    /// PSNR of R, G and B, without a border.
    pub psnr: f64,
    /// The same where both pictures are once the shift is removed.
    pub psnr_aligned: f64,
    /// The same once shift, gain and cast are removed.
    pub psnr_corrected: f64,
}

/// Registers SR on HR.
///
/// # Errors
/// Pictures of different sizes, or with a side shorter than 32 pixels.
pub fn register(sr: &Rgb8, hr: &Rgb8) -> Result<Registration, Error> {
    if sr.size() != hr.size() {
        return Err(Error::Size { sr: sr.size(), hr: hr.size() });
    }
    let protocol = Protocol::named("rgb", 1)?;
    let (height, width) = hr.size();
    if height.min(width) < LEAST {
        return Err(Error::TooSmall { height, width, protocol: protocol.name, metric: "registration", least: LEAST });
    }
    let [sr, hr] = protocol.planes(sr, hr)?;
    let shift = find_shift(&Plane::weighted(&sr, FULL_RANGE), &Plane::weighted(&hr, FULL_RANGE));
    let [aligned, inside] = [moved(&sr, shift.map(|shift| -shift)), hr.clone()].map(|planes| within(&planes, shift));
    let fits = Vec::from_iter(aligned.iter().zip(&inside).map(|(sr, hr)| Fit::new(sr, hr)));
    let corrected = Vec::from_iter(aligned.iter().zip(&fits).map(|(sr, fit)| fit.apply(sr)));
    Ok(Registration {
        shift,
        gain: std::array::from_fn(|channel| fits[channel].gain),
        cast: std::array::from_fn(|channel| fits[channel].sr - fits[channel].hr),
        psnr: psnr(&sr, &hr, &protocol),
        psnr_aligned: psnr(&aligned, &inside, &protocol),
        psnr_corrected: psnr(&corrected, &inside, &protocol),
    })
}

/// HR of one channel by least squares: `hr + gain (SR - sr)`, where `sr` and `hr` are the means.
struct Fit {
    gain: f64,
    sr: f64,
    hr: f64,
}

impl Fit {
    fn new(sr: &Plane, hr: &Plane) -> Self {
        let (of_sr, of_hr) = (sr.mean(), hr.mean());
        let covariance = sr.zip(hr, |sr, hr| (sr - of_sr) * (hr - of_hr)).mean();
        let variance = sr.map(|sr| (sr - of_sr).powi(2)).mean();
        // A flat channel has no contrast that could be too much or too little.
        let gain = if variance > 0.0 { covariance / variance } else { 1.0 };
        Self { gain, sr: of_sr, hr: of_hr }
    }

    fn apply(&self, sr: &Plane) -> Plane {
        sr.map(|value| self.hr + self.gain * (value - self.sr))
    }
}

/// The shift of SR against HR. What a pass finds is removed before the next, because the window favours small shifts.
fn find_shift(sr: &Plane, hr: &Plane) -> [f64; 2] {
    let mut shift = [0.0; 2];
    for _ in 0..PASSES {
        let back = moved(std::slice::from_ref(sr), shift.map(|shift| -shift));
        let [sr, hr] = [within(&back, shift), within(std::slice::from_ref(hr), shift)];
        if sr[0].height.min(sr[0].width) < LEAST / 2 {
            return [0.0; 2]; // hardly anything of SR is in HR at all
        }
        let left = peak(&correlation(&sr[0], &hr[0]));
        shift = [shift[0] + left[0], shift[1] + left[1]];
    }
    shift.map(|shift| if (shift - shift.round()).abs() < WHOLE { shift.round() } else { shift })
}

/// The part of planes that is still picture after they were moved by `shift`: as much is cut from every side.
fn within(planes: &[Plane], shift: [f64; 2]) -> Vec<Plane> {
    let [top, left] = shift.map(|shift| if shift == 0.0 { 0 } else { shift.abs().ceil() as usize + 2 });
    let cut = |plane: &Plane| {
        let (height, width) = (plane.height.saturating_sub(2 * top), plane.width.saturating_sub(2 * left));
        let values = (top..top + height).flat_map(|y| &plane.row(y)[left..left + width]).copied().collect();
        Plane { height, width, values }
    };
    planes.iter().map(cut).collect()
}

/// Planes whose content is moved by `shift` (down, right), between pixels by cubic interpolation (a = -0.5).
fn moved(planes: &[Plane], shift: [f64; 2]) -> Vec<Plane> {
    let along = |length: usize, shift: f64| {
        let tap = move |i: usize| {
            let position = i as f64 - shift;
            let first = position.floor() - 1.0;
            std::array::from_fn::<_, 4, _>(|k| {
                let source = first + k as f64;
                (source.clamp(0.0, (length - 1) as f64) as usize, cubic(position - source))
            })
        };
        Vec::from_iter((0..length).map(tap))
    };
    let of_plane = |plane: &Plane| {
        let (rows, columns) = (along(plane.height, shift[0]), along(plane.width, shift[1]));
        let down = |taps: &[(usize, f64); 4], x: usize| taps.iter().map(|&(y, tap)| tap * plane.row(y)[x]).sum::<f64>();
        let line = |taps| Vec::from_iter((0..plane.width).map(|x| down(taps, x)));
        let right = |line: Vec<f64>| {
            let sample = |taps: &[(usize, f64); 4]| taps.iter().map(|&(x, tap)| tap * line[x]).sum::<f64>();
            Vec::from_iter(columns.iter().map(sample))
        };
        Plane { values: rows.iter().flat_map(|taps| right(line(taps))).collect(), ..*plane }
    };
    planes.iter().map(of_plane).collect()
}

/// One frequency (down, right; cycles per pixel) and how it counts, with the phase by which SR differs from HR there.
type Phase = ([f64; 2], Complex64);

/// The trusted frequencies' phases, and where their correlation is largest among whole pixels.
fn correlation(sr: &Plane, hr: &Plane) -> (Vec<Phase>, [f64; 2]) {
    let (sr, hr) = (Spectrum::of(&windowed(sr)), Spectrum::of(&windowed(hr)));
    let mut cross = hr.clone();
    let mut phases = Vec::new();
    for (i, value) in cross.values.iter_mut().enumerate() {
        let index = [i / hr.width, i % hr.width];
        let frequency = [signed(index[0], hr.height) / hr.height as f64, signed(index[1], hr.width) / hr.width as f64];
        let product = sr.values[i] * hr.values[i].conj();
        let trusted = frequency[0].hypot(frequency[1]) <= HIGHEST && product.norm() > NOTHING;
        *value = if trusted { product / product.norm().sqrt() } else { Complex64::ZERO };
        if trusted {
            phases.push((frequency, *value));
        }
    }
    let (height, width) = (cross.height, cross.width);
    let values = cross.inverse().values;
    let best = (0..values.len()).max_by(|&a, &b| values[a].re.total_cmp(&values[b].re)).unwrap_or(0);
    (phases, [signed(best / width, height), signed(best % width, width)])
}

/// The shift of largest correlation near whole pixels: the best of a 5x5 grid, again and again on a grid of half the step.
fn peak((phases, whole): &(Vec<Phase>, [f64; 2])) -> [f64; 2] {
    if phases.is_empty() {
        return [0.0; 2];
    }
    let strength = |[down, right]: [f64; 2]| -> f64 {
        let turned = |([y, x], phase): &Phase| (phase * Complex64::cis(TAU * (y * down + x * right))).re;
        phases.iter().map(turned).sum()
    };
    let (mut best, mut step) = (*whole, 0.5);
    while step >= FINEST {
        let grid =
            (0..25).map(|i| [best[0] + (f64::from(i / 5) - 2.0) * step, best[1] + (f64::from(i % 5) - 2.0) * step]);
        let measured = grid.map(|shift| (strength(shift), shift));
        best = measured.max_by(|(a, _), (b, _)| a.total_cmp(b)).map_or(best, |(_, shift)| shift);
        step /= 2.0;
    }
    best
}

/// The plane without its mean, faded out towards the edges (Hann), so that opposite edges do not count as an edge.
fn windowed(plane: &Plane) -> Plane {
    let mean = plane.mean();
    let hann = |i: usize, side: usize| 0.5 - 0.5 * (TAU * (i as f64 + 0.5) / side as f64).cos();
    let value = |(i, value): (usize, &f64)| {
        (value - mean) * hann(i / plane.width, plane.height) * hann(i % plane.width, plane.width)
    };
    Plane { values: plane.values.iter().enumerate().map(value).collect(), ..*plane }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A picture of waves of several lengths, the slowest of 40 pixels, moved by `shift` (down, right).
    fn waves(height: usize, width: usize, [down, right]: [f64; 2], colour: impl Fn(f64) -> [f64; 3]) -> Rgb8 {
        let value = |y: f64, x: f64| {
            let wave = |a: f64, b: f64, c: f64| (y * a + x * b + c).sin();
            128.0
                + 30.0 * wave(0.31, 0.17, 0.0)
                + 25.0 * wave(-0.11, 0.37, 1.0)
                + 20.0 * wave(0.53, -0.43, 2.0)
                + 15.0 * wave(0.19, -0.67, 3.0)
                + 12.0 * (y * y / 300.0 + x * 0.09).sin()
                + 10.0 * (x * x / 410.0).sin()
        };
        let pixel =
            |i: usize| colour(value((i / width) as f64 - down, (i % width) as f64 - right)).map(|v| v.round() as u8);
        Rgb8 { height, width, pixels: (0..height * width).flat_map(pixel).collect() }
    }

    fn grey(value: f64) -> [f64; 3] {
        [value; 3]
    }

    #[test]
    fn equal_pictures_lie_where_they_are() {
        let hr = waves(64, 80, [0.0; 2], grey);
        let found = register(&hr, &hr).unwrap();
        assert_eq!((found.shift, found.cast, found.psnr_corrected), ([0.0; 2], [0.0; 3], f64::INFINITY));
        assert!(found.gain.iter().all(|gain| (gain - 1.0).abs() < 1e-12));
    }

    #[test]
    fn a_known_shift_is_found_and_removed() {
        let hr = waves(96, 120, [0.0; 2], grey);
        for shift in [[3.0, -5.0], [1.5, 1.5], [-0.375, 0.25], [0.0, 0.5]] {
            let found = register(&waves(96, 120, shift, grey), &hr).unwrap();
            let error = (found.shift[0] - shift[0]).hypot(found.shift[1] - shift[1]);
            assert!(error < 0.03, "{shift:?}: {found:?}");
            assert!(found.psnr < 33.0 && found.psnr_aligned > 38.0, "{shift:?}: {found:?}");
        }
    }

    #[test]
    fn a_known_gain_and_cast_are_found_and_removed() {
        let hr = waves(64, 64, [0.0; 2], grey);
        // Red has half the contrast about 128, so it is to be multiplied by 2; blue lies 20 too low.
        let sr = waves(64, 64, [0.0; 2], |value| [128.0 + (value - 128.0) / 2.0, value, value - 20.0]);
        let found = register(&sr, &hr).unwrap();
        let expected = [2.0, 1.0, 1.0].iter().zip(found.gain).all(|(expected, gain)| (gain - expected).abs() < 0.01);
        assert!(expected && found.shift == [0.0; 2], "{found:?}");
        assert!(found.cast[0].abs() < 2.0 && found.cast[1] == 0.0 && found.cast[2] == -20.0, "{found:?}");
        assert!(found.psnr == found.psnr_aligned && found.psnr < 25.0 && found.psnr_corrected > 45.0, "{found:?}");
    }

    #[test]
    fn what_cannot_be_registered() {
        let (small, flat) = (waves(31, 64, [0.0; 2], grey), Rgb8 { height: 32, width: 32, pixels: vec![9; 3072] });
        assert!(register(&small, &small).unwrap_err().to_string().contains("32x32"));
        assert!(register(&small, &flat).unwrap_err().to_string().contains("31x64"));
        let found = register(&flat, &flat).unwrap();
        assert_eq!((found.shift, found.gain, found.psnr_corrected), ([0.0; 2], [1.0; 3], f64::INFINITY));
    }
}
