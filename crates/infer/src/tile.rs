//! Cutting a picture into tiles so that the result is that of the whole picture.
//!
//! An output pixel depends on the LR pixels within the network's radius. Each tile is therefore read with that much of its
//! surroundings, less where the picture itself ends, and only its core is kept: no seam, whatever the tile's size.
//! Tiles near an edge see more than that, so that all have one size: they can go through the network together, and what is
//! prepared for one size serves for all.

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

/// The side of cores that cut `length` evenly into as few as can be of at most `side`, both at least 1.
pub(crate) fn even(length: usize, side: usize) -> usize {
    length.div_ceil(length.div_ceil(side))
}

/// Cuts some `rows` of a picture of `height` x `width` into cores of `sides` (rows, columns), the last of which may be
/// shorter, each seen with a margin around it.
pub(crate) fn tiles(rows: Range<usize>, [height, width]: [usize; 2], sides: [usize; 2], margin: Margin) -> Vec<Tile> {
    let columns = cuts(0..width, width, sides[1], margin);
    let row = |(core, seen): (Range<usize>, Range<usize>)| {
        columns.iter().map(move |(core_x, seen_x)| Tile {
            core: [core.clone(), core_x.clone()],
            seen: [seen.clone(), seen_x.clone()],
        })
    };
    cuts(rows, height, sides[0], margin).into_iter().flat_map(row).collect()
}

/// Core and seen ranges of a part of one axis, whose whole length is `length`.
fn cuts(part: Range<usize>, length: usize, side: usize, margin: Margin) -> Vec<(Range<usize>, Range<usize>)> {
    let core = |start: usize| start..(start + side).min(part.end);
    part.clone().step_by(side).map(|start| (core(start), margin.around(&core(start), side, length))).collect()
}

impl Margin {
    /// What is seen of an axis of `length` for a core of at most `side`.
    pub(crate) fn around(self, core: &Range<usize>, side: usize, length: usize) -> Range<usize> {
        let Margin { radius, multiple } = self;
        let span = radius.saturating_mul(2).saturating_add(side + multiple - 1).min(length);
        let start = core.start.saturating_sub(radius).min(length - span) / multiple * multiple;
        let end = core.end.saturating_add(radius).min(length).max(start + span);
        start..end.next_multiple_of(multiple).min(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_cover_the_length_once_and_see_their_surroundings() {
        // 10 in cores of 4: 4, 4 and 2. With radius 2 the middle one sees 2..10; all see 8 pixels.
        let margin = Margin { radius: 2, multiple: 1 };
        assert_eq!(cuts(0..10, 10, 4, margin), [(0..4, 0..8), (4..8, 2..10), (8..10, 2..10)]);
        // 12 in at most 5: three of 4, of which each sees 6 with radius 1. Of the part from 4 on, two.
        let margin = Margin { radius: 1, multiple: 1 };
        assert_eq!((even(12, 5), even(10, 4), even(3, 7)), (4, 4, 3));
        assert_eq!(cuts(0..12, 12, 4, margin), [(0..4, 0..6), (4..8, 3..9), (8..12, 6..12)]);
        assert_eq!(cuts(4..12, 12, 4, margin), [(4..8, 3..9), (8..12, 6..12)]);
        assert_eq!(cuts(0..4, 4, 4, Margin { radius: 9, ..margin }), [(0..4, 0..4)]);
        assert_eq!(tiles(0..10, [10, 4], [4, 4], margin).len(), 3);
        let far = Margin { radius: usize::MAX, ..margin };
        assert_eq!(tiles(0..10, [10, 4], [10, 4], far), [Tile { core: [0..10, 0..4], seen: [0..10, 0..4] }]);
    }

    #[test]
    fn tiles_start_and_end_at_multiples_or_at_the_edge() {
        // Cores of 4 with radius 2 see 4 + 4 + 3 pixels, which end at the next multiple of 4: 12, or the picture's end.
        let margin = Margin { radius: 2, multiple: 4 };
        let seen: Vec<_> = cuts(0..22, 22, 4, margin).into_iter().map(|(_, seen)| seen).collect();
        assert_eq!(seen, [0..12, 0..12, 4..16, 8..20, 8..22, 8..22]);
    }

    #[test]
    fn a_core_always_has_its_margin() {
        for (length, side, radius, multiple) in
            [(1, 1, 0, 1), (50, 7, 3, 1), (45, 16, 9, 4), (183, 48, 21, 2), (64, 64, 100, 4)]
        {
            let mut next = 0;
            for (core, seen) in cuts(0..length, length, side, Margin { radius, multiple }) {
                assert_eq!(core.start, next);
                assert!(core.len() <= side && seen.start <= core.start.saturating_sub(radius), "{core:?} {seen:?}");
                assert!(seen.end >= (core.end + radius).min(length) && seen.end <= length, "{core:?} {seen:?}");
                assert!(seen.start % multiple == 0 && (seen.end % multiple == 0 || seen.end == length));
                next = core.end;
            }
            assert_eq!(next, length);
        }
    }
}
