//! Cutting a picture into tiles so that the result is that of the whole picture.
//!
//! An output pixel depends on the LR pixels within the network's radius. Each tile is therefore read with that much of its
//! surroundings, less where the picture itself ends, and only its core is kept: no seam, whatever the tile's size.

use std::ops::Range;

/// One tile along both axes, in LR pixels.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tile {
    /// Rows and columns that are kept.
    pub(crate) core: [Range<usize>; 2],
    /// Rows and columns that the network sees.
    pub(crate) seen: [Range<usize>; 2],
}

/// How far around its core a tile is seen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Margin {
    /// LR pixels on each side, at least.
    pub(crate) radius: usize,
    /// What the first row and column that are seen are a multiple of, 1 or more.
    pub(crate) multiple: usize,
}

/// Cuts a picture of `height` x `width` into cores of at most `side` x `side`, each seen with a margin around it. A radius
/// that reaches from edge to edge leaves the picture whole, since each tile would see all of it.
pub(crate) fn tiles(height: usize, width: usize, side: usize, margin: Margin) -> Vec<Tile> {
    let longest = height.max(width);
    let side = if margin.radius >= longest { longest } else { side };
    let columns = cuts(width, side, margin);
    let row = |(core, seen): (Range<usize>, Range<usize>)| {
        columns.iter().map(move |(core_x, seen_x)| Tile {
            core: [core.clone(), core_x.clone()],
            seen: [seen.clone(), seen_x.clone()],
        })
    };
    cuts(height, side, margin).into_iter().flat_map(row).collect()
}

/// Core and seen ranges along one axis; cores are as equal as whole numbers allow.
fn cuts(length: usize, side: usize, Margin { radius, multiple }: Margin) -> Vec<(Range<usize>, Range<usize>)> {
    let count = length.div_ceil(side).max(1);
    let border = |index: usize| index * length / count;
    let cut = |index: usize| {
        let core = border(index)..border(index + 1);
        let start = core.start.saturating_sub(radius) / multiple * multiple;
        let seen = start..core.end.saturating_add(radius).min(length);
        (core, seen)
    };
    (0..count).map(cut).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_cover_the_length_once_and_see_their_surroundings() {
        // 10 in at most 4: three cores, borders at 0, 3, 6, 10; radius 2 is cut off at both ends.
        let margin = Margin { radius: 2, multiple: 1 };
        assert_eq!(cuts(10, 4, margin), [(0..3, 0..5), (3..6, 1..8), (6..10, 4..10)]);
        assert_eq!(cuts(4, 4, Margin { radius: 9, ..margin }), [(0..4, 0..4)]);
        assert_eq!(tiles(10, 4, 4, margin).len(), 3);
        let far = Margin { radius: usize::MAX, ..margin };
        assert_eq!(tiles(10, 4, 4, far), [Tile { core: [0..10, 0..4], seen: [0..10, 0..4] }]);
    }

    #[test]
    fn tiles_start_at_multiples() {
        // As above, but 1 becomes 0: the next multiple of 4 that is not nearer to the core.
        let margin = Margin { radius: 2, multiple: 4 };
        assert_eq!(cuts(10, 4, margin), [(0..3, 0..5), (3..6, 0..8), (6..10, 4..10)]);
    }
}
