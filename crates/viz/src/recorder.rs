//! Text of a chart, taken out of plotters' hands: it would drop the bearings of the letters, which shows.

use abbe_data::image::Rgb8;
use anyhow::Result;
use plotters::prelude::DrawingBackend;
use plotters::style::RGBColor;
use plotters::style::text_anchor::{HPos, VPos};
use plotters_backend::{BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingErrorKind, FontTransform};

#[cfg(test)]
use crate::layout::Area;
use crate::text::{FAMILY, Line};

/// Where letters stand in [`Line::render`]'s picture: below its top by this share of the size.
const BASELINE: f64 = 1.08;
/// Font size of an SVG per size of a [`Line`]; a little less than our font has, because most others are wider.
const EM: f64 = 0.8;

/// One text of a chart.
pub(crate) struct Text {
    pub line: Line,
    /// Where it is anchored, (x, y) in pixels of the finished page.
    at: (f64, f64),
    /// The share of its width that lies left of the anchor, and of its height above.
    anchor: (f64, f64),
    /// Whether it runs upwards.
    turned: bool,
}

impl Text {
    /// Row and column of the corner of [`Line::render`]'s picture, turned if the text is.
    fn corner(&self) -> Result<(f64, f64)> {
        let (size, air) = (self.line.size as f64, self.line.size as f64 / 4.0);
        let before = (self.line.width()? as f64 - 2.0) * self.anchor.0 + 1.0;
        let above = size * self.anchor.1 + air;
        let (x, y) = self.at;
        if self.turned {
            return Ok((y - (self.line.width()? as f64 - before), x - above));
        }
        Ok((y - above, x - before))
    }

    /// The rows and columns of its letters, from the highest ascender to the lowest descender, in pixels.
    #[cfg(test)]
    pub(crate) fn area(&self) -> Area {
        let (top, left) = self.corner().unwrap();
        let (top, left) = (top.round() as usize, left.round() as usize);
        let (air, size, width) = (self.line.size / 4, self.line.size, self.line.width().unwrap());
        if self.turned {
            return (top..top + width, left + air..left + air + size);
        }
        (top + air..top + air + size, left..left + width)
    }

    /// The text as an element of an SVG file with `fine` units per pixel, in the reader's sans-serif, as wide as ours.
    pub(crate) fn svg(&self, fine: u32) -> Result<String> {
        let Line { text, size, color: RGBColor(r, g, b) } = &self.line;
        let (top, left) = self.corner()?;
        let length = self.line.width()? as f64 - 2.0;
        let baseline = *size as f64 * BASELINE;
        let (x, y, turn) = match self.turned {
            true => (left + baseline, top + 1.0 + length, "rotate(-90)"),
            false => (left + 1.0, top + baseline, ""),
        };
        let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        Ok(format!(
            "<text transform=\"scale({fine}) translate({x:.2} {y:.2}) {turn}\" font-family=\"{FAMILY}\" font-size=\"{:.2}\" \
             textLength=\"{length}\" lengthAdjust=\"spacingAndGlyphs\" fill=\"#{r:02x}{g:02x}{b:02x}\">{text}</text>\n",
            *size as f64 * EM
        ))
    }

    /// Sets the text; nothing beyond the edges.
    pub(crate) fn write(&self, page: &mut Rgb8) -> Result<()> {
        let letters = self.line.render()?;
        let (top, left) = self.corner()?;
        for y in 0..letters.height {
            for x in 0..letters.width {
                let (row, column) = if self.turned { (letters.width - 1 - x, y) } else { (y, x) };
                let (row, column) = (top.round() as i64 + row as i64, left.round() as i64 + column as i64);
                let (Ok(row), Ok(column)) = (usize::try_from(row), usize::try_from(column)) else { continue };
                if row < page.height && column < page.width {
                    let (to, from) = (3 * (row * page.width + column), 3 * (y * letters.width + x));
                    let pixel = page.pixels[to..to + 3].iter_mut();
                    pixel.zip(&letters.pixels[from..from + 3]).for_each(|(to, from)| *to = (*to).min(*from));
                }
            }
        }
        Ok(())
    }
}

/// A backend that keeps every text and lets another draw the rest.
pub(crate) struct Recorder<'a, B> {
    pub inner: B,
    /// How many times larger than on the page everything is drawn.
    pub fine: u32,
    pub texts: &'a mut Vec<Text>,
}

type Drawn<B> = Result<(), DrawingErrorKind<<B as DrawingBackend>::ErrorType>>;

impl<B: DrawingBackend> DrawingBackend for Recorder<'_, B> {
    type ErrorType = B::ErrorType;

    fn get_size(&self) -> (u32, u32) {
        self.inner.get_size()
    }

    fn ensure_prepared(&mut self) -> Drawn<B> {
        self.inner.ensure_prepared()
    }

    fn present(&mut self) -> Drawn<B> {
        self.inner.present()
    }

    fn draw_pixel(&mut self, at: BackendCoord, color: BackendColor) -> Drawn<B> {
        self.inner.draw_pixel(at, color)
    }

    fn draw_line<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S) -> Drawn<B> {
        self.inner.draw_line(from, to, style)
    }

    fn draw_rect<S: BackendStyle>(&mut self, a: BackendCoord, b: BackendCoord, style: &S, fill: bool) -> Drawn<B> {
        self.inner.draw_rect(a, b, style, fill)
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, path: I, style: &S) -> Drawn<B> {
        self.inner.draw_path(path, style)
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, path: I, style: &S) -> Drawn<B> {
        self.inner.fill_polygon(path, style)
    }

    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, style: &S, (x, y): BackendCoord) -> Drawn<B> {
        let fine = f64::from(self.fine);
        let (r, g, b) = style.color().rgb;
        let before = match style.anchor().h_pos {
            HPos::Left => 0.0,
            HPos::Center => 0.5,
            HPos::Right => 1.0,
        };
        let above = match style.anchor().v_pos {
            VPos::Top => 0.0,
            VPos::Center => 0.5,
            VPos::Bottom => 1.0,
        };
        self.texts.push(Text {
            line: Line::new(text, (style.size() / fine).round() as usize, RGBColor(r, g, b)),
            at: (f64::from(x) / fine, f64::from(y) / fine),
            anchor: (before, above),
            turned: matches!(style.transform(), FontTransform::Rotate270),
        });
        Ok(())
    }
}
