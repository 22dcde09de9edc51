//! A picture in parts that are compared one after the other, so that memory stays bounded.

use std::ops::Range;

use tch::Tensor;

/// Pixels between the starts of two tiles; a multiple of every layer's stride.
pub(super) const SIDE: i64 = 1024;
/// Pixels that a tile is seen with on each side: more than any of the three networks looks far. From the edge of a tile's core,
/// AlexNet looks 66 pixels back and 80 ahead, VGG-16 90 and 89, SqueezeNet 88 and 102.
const MARGIN: i64 = 112;

/// One side of a tile: what of the picture is compared, and what the network sees for that.
pub(super) struct Span {
    core: Range<i64>,
    seen: Range<i64>,
}

/// The spans of a picture's side of `length` pixels, cut every `side` of them.
pub(super) fn spans(length: i64, side: i64) -> Vec<Span> {
    let span = |start: i64| {
        let end = start.saturating_add(side).min(length);
        let seen = (start - MARGIN).max(0)..end.saturating_add(MARGIN).min(length);
        Span { core: start..end, seen }
    };
    (0..length).step_by(side as usize).map(span).collect()
}

impl Span {
    /// What the network sees, out of pictures along their axis.
    pub(super) fn seen(&self, pictures: &Tensor, axis: i64) -> Tensor {
        pictures.narrow(axis, self.seen.start, self.seen.end - self.seen.start)
    }

    /// What is compared, out of maps of what was seen that have a pixel for `stride` of the picture. At the picture's end that is
    /// less where a layer leaves the last pixels out, perhaps nothing.
    pub(super) fn core(&self, maps: &Tensor, axis: i64, stride: i64) -> Tensor {
        let there = maps.size()[axis as usize];
        let start = ((self.core.start - self.seen.start) / stride).min(there);
        let length = ((self.core.end - self.core.start) / stride).min(there - start);
        maps.narrow(axis, start, length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_make_the_side_and_margins_end_at_the_picture() {
        let ranges =
            |length, side| spans(length, side).into_iter().map(|span| (span.core, span.seen)).collect::<Vec<_>>();
        assert_eq!(ranges(480, 1024), [(0..480, 0..480)]);
        assert_eq!(ranges(480, i64::MAX), [(0..480, 0..480)]);
        assert_eq!(ranges(440, 160), [(0..160, 0..272), (160..320, 48..432), (320..440, 208..440)]);
    }

    #[test]
    fn maps_are_cut_in_their_own_pixels() {
        // Maps of 48..432 with stride 4 begin with the picture's twelfth; the core's are 160 / 4 = 40 from (160 - 48) / 4 = 28 on.
        // The last core's begin at (320 - 208) / 4 = 28 and are 120 / 4 = 30, of which a layer may have left 29, or none.
        let core = |span: usize, length: i64| {
            let maps = Tensor::arange(length, (tch::Kind::Int64, tch::Device::Cpu));
            Vec::<i64>::try_from(spans(440, 160)[span].core(&maps, 0, 4)).unwrap()
        };
        assert_eq!(core(1, 95), Vec::from_iter(28..68));
        assert_eq!(core(2, 57), Vec::from_iter(28..57));
        assert!(core(2, 27).is_empty());
    }
}
