//! One channel of a picture as floating-point samples.

/// What lies beyond the edges of a plane.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Edge {
    /// Zeros.
    Zero,
    /// The nearest sample.
    Replicate,
    /// The plane mirrored at its outermost samples, which are not repeated.
    Reflect,
}

/// One channel of a picture, row by row, in units of 8-bit values, 0 to 255.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plane {
    pub height: usize,
    pub width: usize,
    pub values: Vec<f64>,
}

impl Plane {
    pub(crate) fn row(&self, y: usize) -> &[f64] {
        &self.values[y * self.width..(y + 1) * self.width]
    }

    /// The plane of `f` of each sample.
    pub(crate) fn map(&self, f: impl Fn(f64) -> f64) -> Self {
        Self { values: self.values.iter().map(|&value| f(value)).collect(), ..*self }
    }

    /// The plane of `f` of the samples of two planes of one size.
    pub(crate) fn zip(&self, other: &Self, f: impl Fn(f64, f64) -> f64) -> Self {
        Self { values: self.values.iter().zip(&other.values).map(|(&a, &b)| f(a, b)).collect(), ..*self }
    }

    pub(crate) fn mean(&self) -> f64 {
        self.values.iter().sum::<f64>() / self.values.len() as f64
    }

    /// The weighted sum of R, G and B; a single plane is grey, R = G = B.
    pub(crate) fn weighted(planes: &[Self], [wr, wg, wb]: [f64; 3]) -> Self {
        match planes {
            [r, g, b] => r.zip(g, |r, g| wr * r + wg * g).zip(b, |rg, b| rg + wb * b),
            _ => planes[0].map(|grey| (wr + wg + wb) * grey),
        }
    }

    /// The plane with rows and columns put before (`before`) and behind (`behind`) its own, in both directions. Reflection
    /// needs sides that are longer than what is put there.
    pub(crate) fn padded(&self, before: usize, behind: usize, edge: Edge) -> Self {
        let rows = sources(self.height, before, behind, edge);
        let columns = sources(self.width, before, behind, edge);
        let sample = |y: Option<usize>, x: Option<usize>| y.zip(x).map_or(0.0, |(y, x)| self.row(y)[x]);
        let values = rows.iter().flat_map(|&y| columns.iter().map(move |&x| sample(y, x))).collect();
        Self { height: rows.len(), width: columns.len(), values }
    }

    /// Means of whole blocks of `side` x `side` samples; what is left at the bottom and right is dropped.
    pub(crate) fn pooled(&self, side: usize) -> Self {
        let (height, width) = (self.height / side, self.width / side);
        let block = |y: usize, x: usize| {
            let rows = (y * side..(y + 1) * side).map(|y| &self.row(y)[x * side..(x + 1) * side]);
            rows.flatten().sum::<f64>() / (side * side) as f64
        };
        let values = (0..height).flat_map(|y| (0..width).map(move |x| (y, x))).map(|(y, x)| block(y, x)).collect();
        Self { height, width, values }
    }

    /// 1 where a side is odd, else 0: what Python's libraries pad before blocks of 2x2 are taken.
    pub(crate) fn oddness(&self) -> usize {
        (self.height % 2).max(self.width % 2)
    }
}

/// For each index of the padded side the index of its sample; `None` for zero.
fn sources(side: usize, before: usize, behind: usize, edge: Edge) -> Vec<Option<usize>> {
    let source = |at: usize| match edge {
        _ if (before..before + side).contains(&at) => Some(at - before),
        Edge::Zero => None,
        Edge::Replicate => Some(at.saturating_sub(before).min(side - 1)),
        Edge::Reflect if at < before => Some(before - at),
        Edge::Reflect => Some(2 * (side - 1) - (at - before)),
    };
    (0..before + side + behind).map(source).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A plane whose value at (row, column) is `f(row, column)`.
    pub(crate) fn plane(height: usize, width: usize, f: impl Fn(usize, usize) -> f64) -> Plane {
        let values = (0..height * width).map(|i| f(i / width, i % width)).collect();
        Plane { height, width, values }
    }

    #[test]
    fn the_edges_of_a_padded_row() {
        let padded = |edge| plane(3, 3, |_, x| x as f64 + 1.0).padded(2, 2, edge).row(2).to_vec();
        assert_eq!(padded(Edge::Zero), [0.0, 0.0, 1.0, 2.0, 3.0, 0.0, 0.0]);
        assert_eq!(padded(Edge::Replicate), [1.0, 1.0, 1.0, 2.0, 3.0, 3.0, 3.0]);
        assert_eq!(padded(Edge::Reflect), [3.0, 2.0, 1.0, 2.0, 3.0, 2.0, 1.0]);
    }

    #[test]
    fn blocks_that_are_not_whole_are_dropped() {
        // 0 1 2 / 3 4 5 / 6 7 8: the one whole block has the mean (0 + 1 + 3 + 4) / 4 = 2.
        let pooled = plane(3, 3, |y, x| (3 * y + x) as f64).pooled(2);
        assert_eq!((pooled.height, pooled.width, pooled.values), (1, 1, vec![2.0]));
    }
}
