//! The eight ways in which a square can be turned and mirrored.

/// Bit 2 transposes, then bit 1 flips rows and bit 0 columns, as in the patches of a training step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Symmetry(pub u8);

impl Symmetry {
    pub const NONE: Symmetry = Symmetry(0);
    pub const ALL: [Symmetry; 8] =
        [Symmetry(0), Symmetry(1), Symmetry(2), Symmetry(3), Symmetry(4), Symmetry(5), Symmetry(6), Symmetry(7)];

    pub fn transposes(self) -> bool {
        self.0 & 4 != 0
    }

    pub fn flips_rows(self) -> bool {
        self.0 & 2 != 0
    }

    pub fn flips_columns(self) -> bool {
        self.0 & 1 != 0
    }

    /// The size that a picture of `(height, width)` then has.
    pub fn size(self, (height, width): (usize, usize)) -> (usize, usize) {
        if self.transposes() { (width, height) } else { (height, width) }
    }

    /// The place in a square of `side` that is then shown at `(y, x)`.
    pub fn source(self, side: usize, y: usize, x: usize) -> (usize, usize) {
        let (y, x) = if self.transposes() { (x, y) } else { (y, x) };
        let flip = |flips, at| if flips { side - 1 - at } else { at };
        (flip(self.flips_rows(), y), flip(self.flips_columns(), x))
    }
}
