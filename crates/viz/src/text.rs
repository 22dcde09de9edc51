//! Text as pixels, set in a font that travels inside the binary.

use std::sync::OnceLock;

use ab_glyph::{Font, FontRef, PxScaleFont, ScaleFont, point};
use abbe_data::image::Rgb8;
use anyhow::{Context, Result, ensure};
use plotters::style::{FontStyle, RGBColor, register_font};

/// The one font family; in an SVG the reader's own sans-serif stands in for it.
pub(crate) const FAMILY: &str = "sans-serif";
/// Its font file, under the licence in FONT-LICENSE.txt beside this crate's Cargo.toml.
const FONT: &[u8] = epaint_default_fonts::UBUNTU_LIGHT;
/// Colour of titles and numbers.
pub(crate) const INK: RGBColor = RGBColor(34, 34, 34);
/// Colour of details.
pub(crate) const PALE: RGBColor = RGBColor(90, 90, 90);

/// A line of text; `size` is the height in pixels from the lowest descender to the highest ascender.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub text: String,
    pub size: usize,
    pub color: RGBColor,
}

impl Line {
    /// Distance in pixels to the next line: the letters, and half as much air around them.
    pub(crate) fn height(&self) -> usize {
        self.size * 3 / 2
    }

    /// Width in pixels, with one pixel of air on either side.
    pub(crate) fn width(&self) -> Result<usize> {
        let font = self.font()?;
        Ok(self.placed(&font).last().map_or(0.0, |(_, end)| end).ceil() as usize + 2)
    }

    /// The text on white, [`Line::height`] x [`Line::width`]. plotters would drop the bearings of the letters and put each
    /// on a whole pixel, which shows in small text.
    pub(crate) fn render(&self) -> Result<Rgb8> {
        let mut picture = white(self.height(), self.width()?)?;
        let font = self.font()?;
        let baseline = (self.size / 4) as f32 + font.ascent();
        for (letter, (x, _)) in self.text.chars().zip(self.placed(&font)) {
            let glyph = font.glyph_id(letter).with_scale_and_position(font.scale(), point(1.0 + x, baseline));
            if let Some(outline) = font.outline_glyph(glyph) {
                let corner = outline.px_bounds().min;
                outline.draw(|dx, dy, coverage| {
                    blend(&mut picture, corner.y as i32 + dy as i32, corner.x as i32 + dx as i32, self.color, coverage);
                });
            }
        }
        Ok(picture)
    }

    fn font(&self) -> Result<PxScaleFont<FontRef<'static>>> {
        let font = FontRef::try_from_slice(FONT).context("the built-in font does not load")?;
        Ok(font.into_scaled(self.size as f32))
    }

    /// Where each letter begins and ends on the line, in pixels.
    fn placed<'a>(&'a self, font: &'a impl ScaleFont<FontRef<'static>>) -> impl Iterator<Item = (f32, f32)> + 'a {
        let mut previous = None;
        let mut end = 0.0;
        self.text.chars().map(move |letter| {
            let id = font.glyph_id(letter);
            let start = end + previous.replace(id).map_or(0.0, |previous| font.kern(previous, id));
            end = start + font.h_advance(id);
            (start, end)
        })
    }
}

/// Mixes the colour into a pixel; beyond the edges nothing happens.
fn blend(picture: &mut Rgb8, y: i32, x: i32, color: RGBColor, coverage: f32) {
    let (Ok(y), Ok(x)) = (usize::try_from(y), usize::try_from(x)) else { return };
    if y < picture.height && x < picture.width {
        let start = 3 * (y * picture.width + x);
        for (value, ink) in picture.pixels[start..start + 3].iter_mut().zip([color.0, color.1, color.2]) {
            let old = f32::from(*value);
            *value = (old + coverage.clamp(0.0, 1.0) * (f32::from(ink) - old)).round() as u8;
        }
    }
}

/// Makes the font known to plotters; needed before a chart is drawn, harmless when repeated.
pub(crate) fn register() -> Result<()> {
    static REGISTERED: OnceLock<bool> = OnceLock::new();
    let registered = REGISTERED.get_or_init(|| register_font(FAMILY, FontStyle::Normal, FONT).is_ok());
    ensure!(registered, "the built-in font does not load");
    Ok(())
}

/// An empty page.
pub(crate) fn white(height: usize, width: usize) -> Result<Rgb8> {
    Ok(Rgb8::new(height, width, vec![255; 3 * height * width])?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_stay_inside_their_line() {
        for size in [14, 24] {
            let line = Line { text: "ÅÂfgjpq|()Éy × 31.77 dB / 0.8564 W".to_owned(), size, color: INK };
            let picture = line.render().unwrap();
            assert_eq!(picture.size(), (line.height(), line.width().unwrap()));
            let inked = |top, left, height, width| {
                picture.crop(top, left, height, width).unwrap().pixels.iter().filter(|&&value| value < 200).count()
            };
            assert!(inked(0, 0, picture.height, picture.width) > 30 * size, "text is drawn");
            assert_eq!(inked(0, 0, 1, picture.width), 0, "top row");
            assert_eq!(inked(picture.height - 1, 0, 1, picture.width), 0, "bottom row");
            assert_eq!(
                inked(0, 0, picture.height, 1) + inked(0, picture.width - 1, picture.height, 1),
                0,
                "outer columns"
            );
        }
    }
}
