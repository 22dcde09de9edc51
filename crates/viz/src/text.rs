//! Text as pixels, set in a font that travels inside the binary.

use std::collections::BTreeSet;
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

/// Where a line may be broken, after the character.
const BREAKS: [char; 6] = [' ', '-', '_', '/', ',', '.'];

/// A line of text; `size` is the height in pixels from the lowest descender to the highest ascender.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub text: String,
    pub size: usize,
    pub color: RGBColor,
}

impl Line {
    /// Control characters are written as escapes, so that no name can break a line or an SVG file.
    pub(crate) fn new(text: &str, size: usize, color: RGBColor) -> Self {
        let escaped = |letter: char| match letter {
            '\u{fffe}' | '\u{ffff}' => letter.escape_default().collect(), // XML has neither
            _ if letter.is_control() => letter.escape_default().collect(),
            _ => vec![letter],
        };
        Self { text: text.chars().flat_map(escaped).collect(), size, color }
    }

    /// The text in as many lines as it needs to fit into `width` pixels, broken between words or parts of a name where
    /// that is possible; a single letter is never broken. No line for an empty text.
    pub(crate) fn wrapped(&self, width: usize) -> Result<Vec<Self>> {
        let mut lines = Vec::new();
        let mut rest = self.text.trim_end();
        while !rest.is_empty() {
            let line = Self { text: rest.to_owned(), ..*self };
            let font = line.font()?;
            let fitting = line.placed(&font).take_while(|(_, end)| end.ceil() as usize + 2 <= width).count().max(1);
            let end = rest.char_indices().nth(fitting).map_or(rest.len(), |(end, _)| end);
            let (mut head, mut tail) = rest.split_at(end);
            if let (false, Some(at)) =
                (tail.is_empty() || tail.starts_with(' '), head.rfind(' ').or_else(|| head.rfind(BREAKS)))
            {
                (head, tail) = rest.split_at(at + 1); // every one of BREAKS is one byte long
            }
            lines.push(Self { text: head.trim_end().to_owned(), ..line });
            rest = tail.trim_start();
        }
        Ok(lines)
    }

    /// The characters that the font lacks; it draws a box for them.
    pub(crate) fn lacking(&self) -> Result<BTreeSet<char>> {
        let font = self.font()?;
        Ok(self.text.chars().filter(|letter| font.glyph_id(*letter).0 == 0).collect())
    }

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
            // What the font lacks is as wide as most letters of other scripts, which a reader's font may have in an SVG.
            end = start + if id.0 == 0 { self.size as f32 * 0.8 } else { font.h_advance(id) };
            (start, end)
        })
    }
}

/// What tells the reader about characters that the font lacks; nothing when it lacks none.
pub(crate) fn substitutes<'a>(lines: impl IntoIterator<Item = &'a Line>) -> Result<Option<String>> {
    let mut lacking = BTreeSet::new();
    for line in lines {
        lacking.extend(line.lacking()?);
    }
    let mut codes: Vec<String> = lacking.iter().take(8).map(|letter| format!("U+{:04X}", u32::from(*letter))).collect();
    if lacking.len() > codes.len() {
        codes.push(format!("{} more", lacking.len() - codes.len()));
    }
    let note = format!("An empty box stands for a character that the font of this figure lacks: {}", codes.join(", "));
    Ok((!lacking.is_empty()).then_some(note))
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
    fn a_long_name_is_broken_between_its_parts_and_loses_nothing() {
        let name = "srgan_x4_f64b16_vgg54-relu.5_4 trained on DIV2K and Flickr2K";
        let line = Line::new(name, 20, INK);
        for width in [60, 120, 250] {
            let lines = line.wrapped(width).unwrap();
            assert!(lines.len() > 1 && lines.iter().all(|line| line.width().unwrap() <= width), "{lines:?}");
            let joined: String = lines.iter().map(|line| line.text.as_str()).collect();
            assert_eq!(joined.replace(' ', ""), name.replace(' ', ""));
        }
        assert_eq!(line.wrapped(120).unwrap()[0].text, "srgan_x4_");
        assert_eq!(Line::new("aaa", 20, INK).wrapped(1).unwrap().len(), 3, "one letter at least");
        assert!(Line::new("", 20, INK).wrapped(100).unwrap().is_empty());
    }

    #[test]
    fn characters_without_a_glyph_are_drawn_as_boxes_and_named() {
        let line = Line::new("漢字 × λ\n", 20, INK);
        assert_eq!(line.text, "漢字 × λ\\n");
        let note = substitutes([&line]).unwrap().unwrap();
        assert!(note.ends_with("lacks: U+5B57, U+6F22"), "{note}");
        let box_of = line.render().unwrap().crop(0, 0, line.height(), 10).unwrap();
        assert!(box_of.pixels.iter().any(|&value| value < 128), "a substitute is drawn");
        assert_eq!(
            substitutes([&Line::new("Ærø, Žižek, Жуков, α² → 3".replace('→', "to").as_str(), 20, INK)]).unwrap(),
            None
        );
    }

    #[test]
    fn letters_stay_inside_their_line() {
        for size in [14, 24] {
            let line = Line::new("ÅÂfgjpq|()Éy × 31.77 dB / 0.8564 W", size, INK);
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
