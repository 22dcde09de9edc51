//! Luma and colour differences of RGB pixels.
//!
//! Two lumas are in use, and their results are not comparable: Y of ITU-R BT.601 in studio range (black 16, white 235), on
//! which the tables of super-resolution are computed, and luma in full range (black 0, white 255).

use crate::image::Rgb8;

/// The weights of R, G and B in [0, 1] in Y, Cb and Cr, in units of 8-bit numbers, as in MATLAB's `rgb2ycbcr`.
pub const YCBCR: [[f64; 3]; 3] = [[65.481, 128.553, 24.966], [-37.797, -74.203, 112.0], [112.0, -93.786, -18.214]];

/// What is added to Y, Cb and Cr: black has these.
pub const YCBCR_OFFSET: [f64; 3] = [16.0, 128.0, 128.0];

/// The weights of R, G and B in luma of full range (ITU-R BT.601).
pub const FULL_RANGE: [f64; 3] = [0.299, 0.587, 0.114];

const FROM_YCBCR: [[f64; 3]; 3] = inverse(YCBCR);

/// Y of each pixel in studio range, `height * width` values in 16.0..=235.0, not rounded, as BasicSR compares pictures:
/// `Y = 16 + (65.481 R + 128.553 G + 24.966 B) / 255` with R, G, B in 0..=255.
pub fn luma(picture: &Rgb8) -> Vec<f64> {
    pixels(picture).map(|pixel| YCBCR_OFFSET[0] + dot(YCBCR[0], pixel) / 255.0).collect()
}

/// [`luma`] rounded to whole numbers, as MATLAB's `rgb2ycbcr` gives it for 8-bit pixels.
pub fn luma_rounded(picture: &Rgb8) -> Vec<f64> {
    luma(picture).into_iter().map(f64::round).collect()
}

/// Luma of each pixel in full range, `height * width` values in 0.0..=255.0, not rounded:
/// `0.299 R + 0.587 G + 0.114 B` with R, G, B in 0..=255.
pub fn luma_full_range(picture: &Rgb8) -> Vec<f64> {
    pixels(picture).map(|pixel| dot(FULL_RANGE, pixel)).collect()
}

/// Y, Cb, Cr in studio range of one pixel (ITU-R BT.601), as MATLAB's `rgb2ycbcr` has it, not rounded: R, G, B in
/// 0.0..=255.0 give Y in 16.0..=235.0, Cb and Cr in 16.0..=240.0 with 128 for grey.
///
/// ```text
/// Y  =  16 + (65.481 R + 128.553 G +  24.966 B) / 255
/// Cb = 128 + (-37.797 R - 74.203 G + 112.000 B) / 255
/// Cr = 128 + (112.000 R - 93.786 G -  18.214 B) / 255
/// ```
pub fn rgb_to_ycbcr(rgb: [f64; 3]) -> [f64; 3] {
    let [y, cb, cr] = YCBCR.map(|weights| dot(weights, rgb) / 255.0);
    [YCBCR_OFFSET[0] + y, YCBCR_OFFSET[1] + cb, YCBCR_OFFSET[2] + cr]
}

/// The inverse of [`rgb_to_ycbcr`], as MATLAB's `ycbcr2rgb` has it, neither rounded nor clamped: not every Y, Cb, Cr is a
/// colour.
pub fn ycbcr_to_rgb([y, cb, cr]: [f64; 3]) -> [f64; 3] {
    let differences = [y - YCBCR_OFFSET[0], cb - YCBCR_OFFSET[1], cr - YCBCR_OFFSET[2]];
    FROM_YCBCR.map(|weights| 255.0 * dot(weights, differences))
}

/// [`rgb_to_ycbcr`] of 8-bit pixels, rounded: `[H, W, 3]` in, the same out, Y, Cb, Cr of each pixel.
pub fn ycbcr8(picture: &Rgb8) -> Vec<u8> {
    pixels(picture).flat_map(|pixel| rgb_to_ycbcr(pixel).map(to_u8)).collect()
}

/// [`ycbcr_to_rgb`] of one 8-bit pixel, rounded and clamped. A colour that went through 8-bit YCbCr comes back with an
/// error of at most 2.
pub fn rgb8(ycbcr: [u8; 3]) -> [u8; 3] {
    ycbcr_to_rgb(ycbcr.map(f64::from)).map(to_u8)
}

fn pixels(picture: &Rgb8) -> impl Iterator<Item = [f64; 3]> {
    picture.pixels.as_chunks::<3>().0.iter().map(|pixel| pixel.map(f64::from))
}

const fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn to_u8(value: f64) -> u8 {
    value.round().clamp(0.0, 255.0) as u8
}

/// By Cramer's rule: the columns of the inverse are the cross products of the rows, over the determinant.
const fn inverse([a, b, c]: [[f64; 3]; 3]) -> [[f64; 3]; 3] {
    let [p, q, r] = [cross(b, c), cross(c, a), cross(a, b)];
    let d = dot(a, p);
    [[p[0] / d, q[0] / d, r[0] / d], [p[1] / d, q[1] / d, r[1] / d], [p[2] / d, q[2] / d, r[2] / d]]
}

const fn cross(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: &[f64], expected: &[f64]) -> bool {
        found.len() == expected.len() && found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-9)
    }

    /// Black, white, red.
    fn picture() -> Rgb8 {
        Rgb8::new(1, 3, [[0; 3], [255; 3], [255, 0, 0]].concat()).unwrap()
    }

    #[test]
    fn luma_of_black_white_and_red() {
        // The three weights add up to 219, so white is 16 + 219 = 235. Red is 16 + 65.481 = 81.481.
        assert!(close(&luma(&picture()), &[16.0, 235.0, 81.481]));
        assert_eq!(luma_rounded(&picture()), [16.0, 235.0, 81.0]);
        // Full range: the weights add up to 1, red is 255 * 0.299 = 76.245.
        assert!(close(&luma_full_range(&picture()), &[0.0, 255.0, 76.245]));
    }

    #[test]
    fn ycbcr_of_grey_blue_and_red() {
        // The weights of Cb and of Cr add up to 0: grey has 128. Blue is 16 + 24.966, 128 + 112, 128 - 18.214.
        assert!(close(&rgb_to_ycbcr([51.0; 3]), &[16.0 + 219.0 / 5.0, 128.0, 128.0]));
        assert!(close(&rgb_to_ycbcr([0.0, 0.0, 255.0]), &[40.966, 240.0, 109.786]));
        // Red is 16 + 65.481, 128 - 37.797 = 90.203, 128 + 112.
        assert_eq!(ycbcr8(&picture()), [16, 128, 128, 235, 128, 128, 81, 90, 240]);
    }

    #[test]
    fn colour_bars_have_their_published_values() {
        // The bars of full amplitude in 8 bits, as signal generators give them (ITU-R BT.801).
        let bars = [
            ([255, 255, 255], [235, 128, 128]),
            ([255, 255, 0], [210, 16, 146]),
            ([0, 255, 255], [170, 166, 16]),
            ([0, 255, 0], [145, 54, 34]),
            ([255, 0, 255], [106, 202, 222]),
            ([255, 0, 0], [81, 90, 240]),
            ([0, 0, 255], [41, 240, 110]),
            ([0, 0, 0], [16, 128, 128]),
        ];
        for (rgb, ycbcr) in bars {
            assert_eq!(ycbcr8(&Rgb8::new(1, 1, rgb.into()).unwrap()), ycbcr);
        }
    }

    #[test]
    fn rgb_of_grey_and_of_what_is_no_colour() {
        // Without colour, R = G = B = 255 (Y - 16) / 219: 16 + 73 is a third of 255.
        assert!(close(&ycbcr_to_rgb([89.0, 128.0, 128.0]), &[85.0; 3]));
        assert_eq!(rgb8([89, 128, 128]), [85; 3]);
        // Y below black is clamped; so is red of Cr 240 on white: more than white.
        assert_eq!((rgb8([0, 128, 128]), rgb8([235, 128, 240])[0]), ([0; 3], 255));
    }

    #[test]
    fn there_and_back() {
        let steps = || (0..=255).step_by(15);
        for rgb in steps().flat_map(|r| steps().flat_map(move |g| steps().map(move |b| [r, g, b]))) {
            assert!(close(&ycbcr_to_rgb(rgb_to_ycbcr(rgb.map(f64::from))), &rgb.map(f64::from)), "{rgb:?}");
            let ycbcr = ycbcr8(&Rgb8::new(1, 1, rgb.to_vec()).unwrap());
            let back = rgb8([ycbcr[0], ycbcr[1], ycbcr[2]]);
            assert!(back.iter().zip(rgb).all(|(back, value)| back.abs_diff(value) <= 2), "{rgb:?} {back:?}");
        }
    }
}
