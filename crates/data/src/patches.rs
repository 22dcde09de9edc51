//! The patch of a training step as a function of its number: no state, so threads and resumed runs see the same
//! patches.

use std::sync::Arc;

use crate::Error;
use crate::image::Rgb8;
use crate::pair::Pair;
use crate::random::{Draws, Purpose};

/// Cuts square patches from pairs.
///
/// Each patch comes from a picture drawn uniformly, independent of the other patches: so patch `(step, index)` is the
/// same for any batch size, and a batch can be divided among devices. After `k` patches per picture a picture is still
/// unused with probability `exp(-k)`: one in ten million for `k = 16`.
#[derive(Debug, Clone)]
pub struct Sampler {
    pairs: Arc<Vec<Pair>>,
    scale: usize,
    lr_side: usize,
    seed: u64,
    augment: bool,
}

impl Sampler {
    /// A sampler of HR patches of `patch` x `patch` pixels and LR patches smaller by `scale`; with `augment` each patch
    /// is shown in one of the eight symmetries of the square.
    ///
    /// Errors: [`Error::Setting`] unless there is a pair and `patch` is a positive multiple of `scale`,
    /// [`Error::PairSize`] for a pair of another scale, [`Error::TooSmall`] for a picture smaller than the patch.
    pub fn new(pairs: Arc<Vec<Pair>>, scale: usize, patch: usize, seed: u64, augment: bool) -> Result<Self, Error> {
        if pairs.is_empty() {
            return Err(Error::Setting { key: "pictures", expected: "at least 1".into(), found: 0 });
        }
        if scale == 0 || patch == 0 || !patch.is_multiple_of(scale) {
            let expected = format!("a multiple of the scale ({scale}), both at least 1");
            return Err(Error::Setting { key: "patch", expected, found: patch });
        }
        pairs.iter().try_for_each(|pair| check_sizes(pair, scale, patch))?;
        Ok(Self { pairs, scale, lr_side: patch / scale, seed, augment })
    }

    /// How many pictures patches are cut from.
    pub fn pictures(&self) -> usize {
        self.pairs.len()
    }

    /// Side of the LR patches in pixels.
    pub fn lr_side(&self) -> usize {
        self.lr_side
    }

    /// Side of the HR patches in pixels.
    pub fn hr_side(&self) -> usize {
        self.lr_side * self.scale
    }

    /// The LR and HR patch of place `index` in the batch of `step`: `[3, side, side]` floats in [0, 1] each.
    ///
    /// The LR patch is a piece of the whole LR picture and the HR patch what it shows; both are turned alike.
    pub fn patch(&self, step: u64, index: u64) -> (Vec<f32>, Vec<f32>) {
        let mut draws = Draws::new(self.seed, Purpose::Patch, step, index);
        let mut below = |limit: usize| draws.below(limit as u32) as usize; // pictures and sides fit into 32 bits
        let pair = &self.pairs[below(self.pairs.len())];
        let top = below(pair.lr.height - self.lr_side + 1);
        let left = below(pair.lr.width - self.lr_side + 1);
        let symmetry = if self.augment { below(8) } else { 0 };
        let lr = cut(&pair.lr, top, left, self.lr_side, symmetry);
        (lr, cut(&pair.hr, top * self.scale, left * self.scale, self.hr_side(), symmetry))
    }
}

fn check_sizes(pair: &Pair, scale: usize, patch: usize) -> Result<(), Error> {
    let (hr, lr) = (pair.hr.size(), pair.lr.size());
    let expected = (hr.0 / scale, hr.1 / scale);
    if (lr.0 * scale, lr.1 * scale) != hr {
        let [hr_name, lr_name] = ["HR", "LR"].map(|kind| format!("{kind} of {}", pair.name));
        return Err(Error::PairSize { hr: hr_name, hr_size: hr, lr: lr_name, lr_size: lr, scale, expected });
    }
    if hr.0 < patch || hr.1 < patch {
        return Err(Error::TooSmall { picture: pair.name.clone(), size: hr, what: "patch", side: patch });
    }
    Ok(())
}

/// The square at `(top, left)`, turned, as `[3, side, side]` floats in [0, 1].
fn cut(picture: &Rgb8, top: usize, left: usize, side: usize, symmetry: usize) -> Vec<f32> {
    let mut planes = Vec::with_capacity(3 * side * side);
    for channel in 0..3 {
        for y in 0..side {
            for x in 0..side {
                let (row, column) = source(symmetry, side, y, x);
                let pixel = (top + row) * picture.width + left + column;
                planes.push(f32::from(picture.pixels[3 * pixel + channel]) / 255.0);
            }
        }
    }
    planes
}

/// The place in the square that symmetry 0..8 shows at `(y, x)`: bit 2 transposes, then bit 1 flips rows and bit 0
/// columns.
fn source(symmetry: usize, side: usize, y: usize, x: usize) -> (usize, usize) {
    let (y, x) = if symmetry & 4 != 0 { (x, y) } else { (y, x) };
    let flip = |bit, at| if symmetry & bit != 0 { side - 1 - at } else { at };
    (flip(2, y), flip(1, x))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resample::nearest;

    /// A pair whose LR pixels say where they are: red is the row, green the column, blue the picture.
    fn pair(id: u8, height: usize, width: usize, scale: usize) -> Pair {
        let pixels = (0..height).flat_map(|y| (0..width).flat_map(move |x| [y as u8, x as u8, id])).collect();
        let lr = Rgb8::new(height, width, pixels).unwrap();
        Pair { name: format!("picture {id}"), hr: nearest(&lr, scale), lr }
    }

    fn sampler(augment: bool) -> Sampler {
        Sampler::new(Arc::new(vec![pair(0, 4, 9, 2), pair(1, 5, 5, 2)]), 2, 8, 1, augment).unwrap()
    }

    fn pixels(side: usize, planes: &[f32]) -> Rgb8 {
        Rgb8::from_planes_f32(side, side, planes).unwrap()
    }

    #[test]
    fn an_lr_patch_is_a_piece_of_the_whole_lr_picture() {
        let sampler = sampler(false);
        let mut seen = std::collections::BTreeSet::new();
        for index in 0..200 {
            let lr = pixels(4, &sampler.patch(3, index).0);
            let [top, left, id] = [lr.pixels[0], lr.pixels[1], lr.pixels[2]].map(usize::from);
            assert_eq!(lr, sampler.pairs[id].lr.crop(top, left, 4, 4).unwrap());
            seen.insert((id, top, left));
        }
        // Picture 0 has 1 x 6 positions for a side of 4, picture 1 has 2 x 2.
        assert_eq!(seen.len(), 10);
    }

    #[test]
    fn lr_and_hr_show_the_same_place_turned_alike() {
        let sampler = sampler(true);
        for index in 0..100 {
            let (lr, hr) = sampler.patch(0, index);
            assert_eq!(pixels(8, &hr), nearest(&pixels(4, &lr), 2));
        }
    }

    #[test]
    fn the_eight_symmetries_differ_and_have_inverses() {
        // A flip undoes itself. Transposing first, a row flip is undone as a column flip, so bits 0 and 1 change
        // places.
        let inverse =
            |symmetry: usize| if symmetry & 4 == 0 { symmetry } else { 4 | (symmetry & 1) << 1 | (symmetry & 2) >> 1 };
        for symmetry in 0..8 {
            for (y, x) in (0..4).flat_map(|y| (0..4).map(move |x| (y, x))) {
                let (row, column) = source(symmetry, 4, y, x);
                assert_eq!(source(inverse(symmetry), 4, row, column), (y, x));
            }
        }
        let places: std::collections::BTreeSet<_> = (0..8).map(|symmetry| source(symmetry, 4, 0, 1)).collect();
        assert_eq!(places.len(), 8);
    }

    #[test]
    fn a_patch_depends_on_seed_step_and_index_only() {
        let forward: Vec<_> = (0..8).map(|index| sampler(true).patch(2, index)).collect();
        let sampler = sampler(true);
        let mut backward: Vec<_> = (0..8).rev().map(|index| sampler.patch(2, index)).collect();
        backward.reverse();
        assert_eq!(forward, backward);
        let other_seed = Sampler { seed: 2, ..sampler.clone() };
        assert!((0..8).any(|index| other_seed.patch(2, index) != forward[index as usize]));
        assert!((0..8).any(|index| sampler.patch(3, index) != forward[index as usize]));
    }

    #[test]
    fn settings_that_fit_no_patch_are_errors() {
        let error =
            |pairs, scale, patch| Sampler::new(Arc::new(pairs), scale, patch, 0, false).unwrap_err().to_string();
        assert_eq!(error(vec![], 2, 8), "pictures: expected at least 1, found 0");
        assert_eq!(
            error(vec![pair(0, 4, 4, 2)], 2, 7),
            "patch: expected a multiple of the scale (2), both at least 1, found 7"
        );
        assert!(error(vec![pair(0, 4, 4, 2)], 0, 8).starts_with("patch: expected a multiple of the scale (0)"));
        let small = error(vec![pair(0, 9, 9, 2), pair(1, 4, 3, 2)], 2, 8);
        assert!(small.starts_with("picture 1: (8, 6) (height, width) is smaller than the patch, 8x8"), "{small}");
        let wrong_scale = error(vec![pair(0, 4, 4, 2)], 4, 8);
        assert!(wrong_scale.starts_with("HR of picture 0 is (8, 8) and LR of picture 0 is (4, 4)"), "{wrong_scale}");
    }
}
