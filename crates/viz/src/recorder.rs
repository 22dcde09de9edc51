//! Where plotters puts text: its size on the page, measured without drawing.

use std::convert::Infallible;

use plotters::prelude::DrawingBackend;
use plotters::style::text_anchor::{HPos, VPos};
use plotters_backend::{BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingErrorKind};

/// One text as it would be drawn; lengths in pixels.
#[derive(Debug)]
pub(crate) struct Text {
    /// Along the line, before it is turned.
    pub width: u32,
    /// Upper left corner of what its letters cover, and the corner beyond their lower right.
    #[cfg_attr(not(test), expect(dead_code, reason = "tests look for overlaps"))]
    pub corners: [(i32, i32); 2],
}

/// A backend that draws nothing and keeps every text.
pub(crate) struct Recorder<'a> {
    pub size: (u32, u32),
    pub texts: &'a mut Vec<Text>,
}

type Drawn = Result<(), DrawingErrorKind<Infallible>>;

impl DrawingBackend for Recorder<'_> {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        self.size
    }

    fn ensure_prepared(&mut self) -> Drawn {
        Ok(())
    }

    fn present(&mut self) -> Drawn {
        Ok(())
    }

    fn draw_pixel(&mut self, _: BackendCoord, _: BackendColor) -> Drawn {
        Ok(())
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, _: I, _: &S) -> Drawn {
        Ok(())
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, _: I, _: &S) -> Drawn {
        Ok(())
    }

    /// Follows the default of plotters-backend, which puts each pixel of the letters where it belongs.
    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, style: &S, at: BackendCoord) -> Drawn {
        let failed = |error: S::FontError| DrawingErrorKind::FontError(Box::new(error));
        let ((left, top), (right, bottom)) = style.layout_box(text).map_err(failed)?;
        let dx = match style.anchor().h_pos {
            HPos::Left => 0,
            HPos::Right => left - right,
            HPos::Center => (left - right) / 2,
        };
        let dy = match style.anchor().v_pos {
            VPos::Top => 0,
            VPos::Center => (top - bottom) / 2,
            VPos::Bottom => top - bottom,
        };
        let mut corners = [(i32::MAX, i32::MAX), (i32::MIN, i32::MIN)];
        let drawn = style.draw(text, (0, 0), |x, y, _| {
            let (x, y) = style.transform().transform(x + dx - left, y + dy - top);
            let (x, y) = (at.0 + x, at.1 + y);
            corners = [(corners[0].0.min(x), corners[0].1.min(y)), (corners[1].0.max(x + 1), corners[1].1.max(y + 1))];
            Ok::<(), Infallible>(())
        });
        drawn.map_err(failed)?.map_err(DrawingErrorKind::DrawingError)?;
        self.texts.push(Text { width: (right - left).unsigned_abs(), corners });
        Ok(())
    }
}
