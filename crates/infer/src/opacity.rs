//! Colours multiplied by the opacity of their pixels, and divided by it.
//!
//! What is mixed from several pixels is right only so: the colour of a transparent pixel, whatever it is in the file, has no
//! share.

use crate::Error;
use crate::rows::Bands;

/// Bands of `planes` planes with their colours multiplied by the opacity, their last plane if there are 2 or 4.
pub fn premultiplied<'a>(bands: Bands<'a>, planes: usize) -> Bands<'a> {
    each(bands, planes, |color, opacity| color * opacity)
}

/// The reverse; the colour of a pixel without opacity is 0. Neither is clamped: where interpolation overshoots, colour and opacity
/// do so alike. What is not finite stays so.
pub fn unmultiplied<'a>(bands: Bands<'a>, planes: usize) -> Bands<'a> {
    each(bands, planes, |color, opacity| if opacity <= 0.0 && color.is_finite() { 0.0 } else { color / opacity })
}

fn each<'a>(bands: Bands<'a>, planes: usize, of: impl Fn(f32, f32) -> f32 + 'a) -> Bands<'a> {
    if planes % 2 == 1 {
        return bands;
    }
    let change = move |mut band: Vec<f32>| -> Result<Vec<f32>, Error> {
        let area = band.len() / planes;
        let (colors, opacity) = band.split_at_mut(area * (planes - 1));
        for color in colors.chunks_exact_mut(area.max(1)) {
            color.iter_mut().zip(&*opacity).for_each(|(color, &opacity)| *color = of(*color, opacity));
        }
        Ok(band)
    };
    Box::new(bands.map(move |band| band.and_then(&change)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_come_back_where_there_is_opacity() {
        let band = || vec![0.8, 0.4, 1.0, 0.5, 0.0, 1.0];
        let bands = |band: Vec<f32>| -> Bands<'static> { Box::new(std::iter::once(Ok(band))) };
        let one = |mut bands: Bands| bands.next().unwrap().unwrap();
        // One plane of colour and one of opacity, three pixels: 0.8 * 0.5, 0.4 * 0, 1 * 1.
        let multiplied = one(premultiplied(bands(band()), 2));
        assert_eq!(multiplied, [0.4, 0.0, 1.0, 0.5, 0.0, 1.0]);
        assert_eq!(one(unmultiplied(bands(multiplied), 2)), [0.8, 0.0, 1.0, 0.5, 0.0, 1.0]);
        assert_eq!(one(premultiplied(bands(band()), 3)), band());
        assert_eq!(one(unmultiplied(bands(vec![0.6, -0.1, 1.2, -0.2]), 2)), [0.5, 0.0, 1.2, -0.2]);
        assert!(one(unmultiplied(bands(vec![f32::NAN, 0.0]), 2))[0].is_nan());
    }
}
