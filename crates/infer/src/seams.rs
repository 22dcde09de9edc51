//! How much tiles that see too little differ where they meet.

use tch::{Device, Kind, TchError, Tensor};

use crate::tile::Tile;

/// Compares the first SR pixels of each tile's core with what the tile before it, which saw them too, made of them.
pub(crate) struct Seams {
    /// What the tile to the left made of the column beyond its core, and the rows and the column where that is.
    right: Option<(Tensor, std::ops::Range<usize>, usize)>,
    /// What the tiles above made of the row beyond their cores, `[planes, 1, width]`, and which row that is of LR, by column.
    below: Tensor,
    row_below: Vec<usize>,
    largest: f64,
}

impl Seams {
    /// For a picture of `planes` planes whose SR is `width` wide.
    pub(crate) fn new(planes: usize, width: usize) -> Self {
        let below = Tensor::zeros([planes as i64, 1, width as i64], (Kind::Float, Device::Cpu));
        Self { right: None, below, row_below: vec![0; width], largest: 0.0 }
    }

    /// The largest difference that was seen.
    pub(crate) fn largest(&self) -> f64 {
        self.largest
    }

    /// Looks at a tile's SR, `[planes, height, width]`; tiles come row after row.
    pub(crate) fn see(&mut self, sr: &Tensor, tile: &Tile, scale: usize) -> Result<(), TchError> {
        let ([rows, columns], [seen_rows, seen_columns]) = (&tile.core, &tile.seen);
        let place = |at: usize, from: usize| ((at - from) * scale) as i64;
        let (top, left) = (place(rows.start, seen_rows.start), place(columns.start, seen_columns.start));
        let (height, width) = ((rows.len() * scale) as i64, (columns.len() * scale) as i64);
        let column = |at: i64| sr.f_narrow(1, top, height)?.f_narrow(2, at, 1);
        let row = |at: i64| sr.f_narrow(1, at, 1)?.f_narrow(2, left, width);

        if let Some((line, of_rows, at)) = self.right.take()
            && (of_rows == *rows && at == columns.start)
        {
            self.compare(&line, &column(left)?)?;
        }
        let mut below = self.below.f_narrow(2, (columns.start * scale) as i64, width)?;
        let above = &mut self.row_below[columns.start * scale..columns.end * scale];
        let has_above = above.iter().all(|&row| row == rows.start) && rows.start > 0;
        above.fill(rows.end);
        if has_above {
            self.compare(&below, &row(top)?)?;
        }
        if seen_rows.end > rows.end {
            below.f_copy_(&row(top + height)?)?;
        }
        if seen_columns.end > columns.end {
            // A copy: what the next tile makes may lie where this one does.
            self.right = Some((column(left + width)?.copy(), rows.clone(), columns.end));
        }
        Ok(())
    }

    fn compare(&mut self, one: &Tensor, other: &Tensor) -> Result<(), TchError> {
        let difference = one.f_sub(other)?.f_abs()?.f_max()?.f_double_value(&[])?;
        self.largest = self.largest.max(difference);
        Ok(())
    }
}
