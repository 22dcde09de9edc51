//! How curves and points are told apart: in print without colour, and by colour-blind readers.

use std::f64::consts::TAU;

use plotters::style::RGBColor;

/// Okabe and Ito's palette without its yellow, which is too pale for a line on white, and without black.
const COLORS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
];
/// Corners of a mark, and by how much of a full turn its first corner is turned to the right of the top.
const SHAPES: [(usize, f64); 5] = [(24, 0.0), (4, 0.125), (3, 0.0), (4, 0.0), (3, 0.5)];

/// The look of a curve, or of a point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Look {
    pub color: RGBColor,
    pub dashed: bool,
    shape: (usize, f64),
}

impl Look {
    /// Of HR, with which others are compared.
    pub(crate) const REFERENCE: Self = Self { color: RGBColor(0, 0, 0), dashed: false, shape: SHAPES[0] };

    /// Of the phase, method or run with this index; 12 differ as lines, 30 as marks.
    pub(crate) fn of(index: usize) -> Self {
        Self {
            color: COLORS[index % COLORS.len()],
            dashed: index / COLORS.len() % 2 == 1,
            shape: SHAPES[index % SHAPES.len()],
        }
    }

    /// The corners (x, y) of the mark around its middle, which is `radius` pixels from each.
    pub(crate) fn mark(&self, radius: u32) -> Vec<(i32, i32)> {
        let corner = |i: usize| {
            let angle = TAU * (i as f64 / self.shape.0 as f64 + self.shape.1);
            let (sin, cos) = angle.sin_cos();
            ((f64::from(radius) * sin).round() as i32, (-f64::from(radius) * cos).round() as i32)
        };
        (0..self.shape.0).map(corner).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_what_they_look_like() {
        // index 3 is a square on its tip; a corner of index 1 lies at 10 sin 45° = 7.07 in both directions
        assert_eq!(Look::of(3).mark(10), [(0, -10), (10, 0), (0, 10), (-10, 0)]);
        assert_eq!(Look::of(1).mark(10), [(7, -7), (7, 7), (-7, 7), (-7, -7)]);
    }

    #[test]
    fn looks_differ() {
        let looks: Vec<Look> = (0..30).map(Look::of).collect();
        for (i, look) in looks.iter().enumerate() {
            assert!(!looks[i + 1..].contains(look), "{i}");
            assert!(looks[..12].iter().filter(|it| (it.color, it.dashed) == (look.color, look.dashed)).count() == 1);
        }
    }
}
