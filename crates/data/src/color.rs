//! The luma Y on which super-resolution results are compared, and the colour differences beside it (ITU-R BT.601, studio
//! range).

use crate::image::Rgb8;

/// The weights of R, G and B in [0, 1] in Y, Cb and Cr, in units of 8-bit numbers, as in MATLAB's `rgb2ycbcr`.
pub const YCBCR: [[f64; 3]; 3] = [[65.481, 128.553, 24.966], [-37.797, -74.203, 112.0], [112.0, -93.786, -18.214]];

/// What is added to Y, Cb and Cr: black has these.
pub const YCBCR_OFFSET: [f64; 3] = [16.0, 128.0, 128.0];

/// Y of each pixel, `height * width` values in 16.0..=235.0 rounded to whole numbers, as MATLAB's `rgb2ycbcr` gives it for
/// 8-bit pixels.
///
/// `Y = 16 + (65.481 R + 128.553 G + 24.966 B) / 255` with R, G, B in 0..=255.
pub fn luma_rounded(picture: &Rgb8) -> Vec<f64> {
    picture.pixels.chunks_exact(3).map(|pixel| luma([pixel[0], pixel[1], pixel[2]]).round()).collect()
}

fn luma([red, green, blue]: [u8; 3]) -> f64 {
    let [[r, g, b], ..] = YCBCR;
    YCBCR_OFFSET[0] + (r * f64::from(red) + g * f64::from(green) + b * f64::from(blue)) / 255.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grey_has_no_colour_and_white_is_235() {
        let sums = YCBCR.map(|weights| weights.iter().sum::<f64>());
        assert!(sums.iter().zip([219.0, 0.0, 0.0]).all(|(sum, expected)| (sum - expected).abs() < 1e-9), "{sums:?}");
    }

    #[test]
    fn luma_of_black_white_and_red() {
        // The three weights add up to 219, so white is 16 + 219 = 235. Red is 16 + 65.481 = 81.481.
        let pixels = [[0; 3], [255; 3], [255, 0, 0]];
        for (pixel, expected) in pixels.into_iter().zip([16.0, 235.0, 81.481]) {
            assert!((luma(pixel) - expected).abs() < 1e-12, "{pixel:?} {expected}");
        }
        let picture = Rgb8::new(1, 3, pixels.concat()).unwrap();
        assert_eq!(luma_rounded(&picture), [16.0, 235.0, 81.0]);
    }
}
