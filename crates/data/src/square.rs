//! A square of a picture in a store, turned.

use multiversion::multiversion;

use crate::store::Area;

/// A square of a picture's pixels, to be shown in one of the eight symmetries of the square.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Square {
    /// The byte of the store at which its upper left pixel begins.
    corner: usize,
    /// Bytes from a row of the picture to the next.
    pitch: usize,
    /// Rows, and pixels in a row.
    side: usize,
    symmetry: usize,
}

/// How a square lies in a row of bytes: channel `c` at `(y, x)` of what is shown is at `start + y * down + x * right + c`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Strides {
    /// Where the first pixel that is shown begins.
    pub start: usize,
    /// Bytes from a pixel to the one shown below it.
    pub down: isize,
    /// Bytes from a pixel to the one shown on its right.
    pub right: isize,
}

impl Square {
    /// The square of `side` x `side` pixels whose upper left pixel is `(top, left)` in the picture at `area`, inside of
    /// which it lies, in symmetry 0..8: bit 2 transposes the square, after bit 1 has flipped its rows and bit 0 its
    /// columns.
    pub(crate) fn new(area: &Area, (top, left): (usize, usize), side: usize, symmetry: usize) -> Self {
        let corner = area.start + 3 * (top * area.width + left);
        Self { corner, pitch: 3 * area.width, side, symmetry }
    }

    /// How it lies in the store's bytes.
    pub fn strides(&self) -> Strides {
        let flip = |bit: usize, step: usize| match self.symmetry & bit {
            0 => (0, step.cast_signed()),
            _ => ((self.side - 1) * step, -step.cast_signed()),
        };
        let ((first_row, down), (first_column, right)) = (flip(2, self.pitch), flip(1, 3));
        let (down, right) = if self.symmetry & 4 == 0 { (down, right) } else { (right, down) };
        Strides { start: self.corner + first_row + first_column, down, right }
    }

    /// Writes what is shown into `out`, `[side, side, 3]`: each byte divided by 255.
    ///
    /// The rows are copied first: a whole square at once is what the memory is fastest at, and turning it needs them
    /// near.
    pub(crate) fn write(&self, bytes: &[u8], out: &mut [f32]) {
        let length = 3 * self.side;
        let mut pixels = Vec::with_capacity(length * self.side);
        for row in bytes[self.corner..].chunks(self.pitch).take(self.side) {
            pixels.extend_from_slice(&row[..length]);
        }
        let packed = Self { corner: 0, pitch: length, ..*self };
        turn(&pixels, packed.strides(), length, out);
    }
}

#[multiversion(targets("x86_64+avx2"))]
fn turn(pixels: &[u8], strides: Strides, length: usize, out: &mut [f32]) {
    let mut turned = vec![0; length];
    for (y, out) in (0..).zip(out.chunks_exact_mut(length)) {
        let start = strides.start.wrapping_add_signed(y * strides.down);
        if strides.right == 3 {
            to_floats(&pixels[start..start + length], out);
            continue;
        }
        for (x, pixel) in (0..).zip(turned.as_chunks_mut::<3>().0) {
            let at = start.wrapping_add_signed(x * strides.right);
            pixel.copy_from_slice(&pixels[at..at + 3]);
        }
        to_floats(&turned, out);
    }
}

#[inline(always)]
fn to_floats(bytes: &[u8], out: &mut [f32]) {
    out.iter_mut().zip(bytes).for_each(|(out, &byte)| *out = f32::from(byte) / 255.0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SIDE: usize = 4;

    /// The square of a picture of 4 rows and 5 columns that begins in its second column, shown as bytes.
    fn shown(picture: &[u8], symmetry: usize) -> Vec<u8> {
        let area = Area { start: 7, height: 4, width: 5 };
        let square = Square::new(&area, (0, 1), SIDE, symmetry);
        let mut out = vec![0.0; 3 * SIDE * SIDE];
        square.write(&[&[0; 7], picture].concat(), &mut out);
        out.iter().map(|value| (value * 255.0).round() as u8).collect()
    }

    /// The byte of the picture that symmetry 0..8 shows at `(y, x)`, from the definition.
    fn defined(picture: &[u8], symmetry: usize, y: usize, x: usize, channel: usize) -> u8 {
        let (row, column) = if symmetry & 4 != 0 { (x, y) } else { (y, x) };
        let row = if symmetry & 2 != 0 { SIDE - 1 - row } else { row };
        let column = if symmetry & 1 != 0 { SIDE - 1 - column } else { column };
        picture[3 * (row * 5 + column + 1) + channel]
    }

    /// A flip undoes itself. Transposing first, a row flip is undone as a column flip: bits 0 and 1 change places.
    fn inverse(symmetry: usize) -> usize {
        if symmetry & 4 == 0 { symmetry } else { 4 | (symmetry & 1) << 1 | (symmetry & 2) >> 1 }
    }

    proptest! {
        #[test]
        fn the_eight_symmetries_show_what_they_are_defined_to(picture in prop::collection::vec(any::<u8>(), 60), symmetry in 0..8usize) {
            let shown = shown(&picture, symmetry);
            for (i, &byte) in shown.iter().enumerate() {
                prop_assert_eq!(byte, defined(&picture, symmetry, i / 3 / SIDE, i / 3 % SIDE, i % 3));
            }
        }

        #[test]
        fn each_symmetry_is_undone_by_its_inverse(picture in prop::collection::vec(any::<u8>(), 60), symmetry in 0..8usize) {
            let shown_once = shown(&picture, symmetry);
            let area = Area { start: 0, height: SIDE, width: SIDE };
            let mut back = vec![0.0; 3 * SIDE * SIDE];
            Square::new(&area, (0, 0), SIDE, inverse(symmetry)).write(&shown_once, &mut back);
            let back: Vec<u8> = back.iter().map(|value| (value * 255.0).round() as u8).collect();
            prop_assert_eq!(back, shown(&picture, 0));
        }
    }

    #[test]
    fn the_symmetries_differ() {
        let picture: Vec<u8> = (0..60).collect();
        let all: std::collections::BTreeSet<_> = (0..8).map(|symmetry| shown(&picture, symmetry)).collect();
        assert_eq!(all.len(), 8);
    }

    #[test]
    fn a_quarter_turn_by_hand() {
        // Bit 1, then bit 2: rows flipped and transposed, so (y, x) shows row 3 - x, column y. The picture's bytes count
        // up, 15 a row; the square begins at byte 3 of a row. Shown first: row 3, column 0, byte 3 * 15 + 3 = 48; on its
        // right: row 2, byte 33; below: row 3, column 1, byte 51.
        let picture: Vec<u8> = (0..60).collect();
        let turned = shown(&picture, 6);
        assert_eq!((&turned[..6], &turned[12..15]), (&[48, 49, 50, 33, 34, 35][..], &[51, 52, 53][..]));
        let area = Area { start: 7, height: 4, width: 5 };
        let strides = Square::new(&area, (0, 1), SIDE, 6).strides();
        assert_eq!(strides, Strides { start: 7 + 48, down: 3, right: -15 });
    }

    #[test]
    fn every_byte_becomes_its_share_of_255() {
        let bytes: Vec<u8> = (0..=255).chain([0; 512]).collect();
        let mut out = vec![0.0; 768];
        Square::new(&Area { start: 0, height: 16, width: 16 }, (0, 0), 16, 0).write(&bytes, &mut out);
        (0..=255u8).zip(&out).for_each(|(byte, value)| assert_eq!(*value, f32::from(byte) / 255.0));
    }
}
