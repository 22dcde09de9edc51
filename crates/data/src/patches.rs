//! The patch of a training step as a function of its number: no state, so threads and resumed runs see the same
//! patches.

use std::sync::Arc;

use crate::Error;
use crate::degrade::{self, Planes, degrade};
use crate::jitter::{self, Jitter};
use crate::random::{Draws, Purpose};
use crate::square::Square;
use crate::store::{Entry, Store};

/// How patches are cut, and what is done to them.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// HR size over LR size.
    pub scale: usize,
    /// Side of an HR patch in pixels, a multiple of the scale.
    pub patch: usize,
    /// Decides everything that is random.
    pub seed: u64,
    /// Whether a patch is shown in one of the eight symmetries of the square.
    pub augment: bool,
    /// How its colours are changed.
    pub jitter: Option<Jitter>,
    /// Where the store has no LR pictures: how the LR patch is made from the HR patch.
    pub degrade: Option<degrade::Config>,
    /// Range of the standard deviation of Gaussian noise on LR, in 8-bit levels, in [0, 255]: drawn for each patch, then
    /// for each value of it.
    pub noise: Option<[f64; 2]>,
}

impl Settings {
    /// Patches as they are cut: nothing is done to their values.
    pub const fn new(scale: usize, patch: usize, seed: u64, augment: bool) -> Self {
        Self { scale, patch, seed, augment, jitter: None, degrade: None, noise: None }
    }

    /// [`Error::Setting`] unless `patch` is a positive multiple of `scale`, [`Error::Range`] and [`Error::Degradation`] for
    /// what is done to patches.
    pub fn check(&self) -> Result<(), Error> {
        let Self { scale, patch, .. } = *self;
        if scale == 0 || patch == 0 || !patch.is_multiple_of(scale) {
            let expected = format!("a multiple of the scale ({scale}), both at least 1");
            return Err(Error::Setting { key: "patch", expected, found: patch });
        }
        self.jitter.as_ref().map_or(Ok(()), Jitter::check)?;
        self.degrade.as_ref().map_or(Ok(()), degrade::Config::check)?;
        jitter::check("data.noise", self.noise, [0.0, 255.0])
    }
}

/// Cuts square patches from the pictures of a store.
///
/// Each patch comes from a picture drawn uniformly, independent of the other patches: so patch `(step, index)` is the
/// same for any batch size, and a batch can be divided among devices. After `k` patches per picture a picture is still
/// unused with probability `exp(-k)`: one in ten million for `k = 16`.
#[derive(Debug, Clone)]
pub struct Sampler {
    store: Arc<Store>,
    settings: Settings,
}

impl Sampler {
    /// A sampler of HR patches of `patch` x `patch` pixels and LR patches smaller by `scale`.
    ///
    /// Errors: those of [`Settings::check`], [`Error::Setting`] unless there is a picture, [`Error::PairSize`] for a pair
    /// of another scale, [`Error::TooSmall`] for a picture smaller than the patch, [`Error::NoLr`] for a picture without
    /// LR picture unless `degrade` says how to make it.
    pub fn new(store: Arc<Store>, settings: Settings) -> Result<Self, Error> {
        settings.check()?;
        if store.entries().is_empty() {
            return Err(Error::Setting { key: "pictures", expected: "at least 1".into(), found: 0 });
        }
        store.entries().iter().try_for_each(|entry| check_entry(entry, &settings))?;
        Ok(Self { store, settings })
    }

    /// What patches are cut from.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// How patches are cut.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// How many pictures patches are cut from.
    pub fn pictures(&self) -> usize {
        self.store.entries().len()
    }

    /// Side of the LR patches in pixels.
    pub fn lr_side(&self) -> usize {
        self.settings.patch / self.settings.scale
    }

    /// Side of the HR patches in pixels.
    pub fn hr_side(&self) -> usize {
        self.settings.patch
    }

    /// Whether the degradation sharpens HR.
    pub fn sharpens(&self) -> bool {
        self.settings.degrade.as_ref().is_some_and(|config| config.sharpen.is_some())
    }

    /// The squares that patch `index` of `step` shows: of an HR picture, and of its LR picture if there is one. The LR
    /// patch is a piece of the whole LR picture and the HR patch what it shows; both are turned alike.
    pub fn squares(&self, step: u64, index: u64) -> (Square, Option<Square>) {
        let Settings { scale, seed, augment, .. } = self.settings;
        let mut draws = Draws::new(seed, Purpose::Patch, step, index);
        let mut below = |limit: usize| draws.below(limit as u32) as usize; // pictures and sides fit into 32 bits
        let Entry { hr, lr, .. } = &self.store.entries()[below(self.pictures())];
        let top = below(hr.height / scale - self.lr_side() + 1);
        let left = below(hr.width / scale - self.lr_side() + 1);
        let symmetry = if augment { below(8) } else { 0 };
        let hr = Square::new(hr, (top * scale, left * scale), self.hr_side(), symmetry);
        (hr, lr.as_ref().map(|lr| Square::new(lr, (top, left), self.lr_side(), symmetry)))
    }

    /// Writes patch `index` of `step`: LR into `lr`, `[lr_side, lr_side, 3]`, HR into `hr`, `[hr_side, hr_side, 3]`, RGB
    /// in [0, 1], pixel after pixel; and into `unsharpened` what HR was before the degradation sharpened it, which equals HR
    /// unless the sampler [`sharpens`](Self::sharpens).
    ///
    /// Errors: those of [`degrade::degrade`], where LR is made from the patch.
    ///
    /// # Panics
    /// If a slice has another length.
    pub fn write(
        &self,
        step: u64,
        index: u64,
        lr: &mut [f32],
        hr: &mut [f32],
        unsharpened: Option<&mut [f32]>,
    ) -> Result<(), Error> {
        let draws = |purpose| Draws::new(self.settings.seed, purpose, step, index);
        let (hr_square, lr_square) = self.squares(step, index);
        hr_square.write(self.store.bytes(), hr);
        if let Some(square) = lr_square {
            square.write(self.store.bytes(), lr);
        }
        if let Some(jitter) = &self.settings.jitter {
            jitter.apply(&mut draws(Purpose::Jitter), hr, lr);
        }
        if let Some(unsharpened) = unsharpened {
            unsharpened.copy_from_slice(hr);
        }
        if let (None, Some(config)) = (lr_square, &self.settings.degrade) {
            self.degrade(config, draws(Purpose::Degradation), lr, hr)?;
        }
        if let Some(range) = self.settings.noise {
            add_noise(&mut draws(Purpose::Noise), range, lr);
        }
        Ok(())
    }

    /// Makes `lr` from `hr`, and sharpens `hr` if the degradation says so.
    ///
    /// Here LR is made of the patch, not of the whole picture: it is another at every step, and one of the whole picture
    /// would cost hundreds of times as much. So the patch's own edge is what blurs see.
    fn degrade(&self, config: &degrade::Config, draws: Draws, lr: &mut [f32], hr: &mut [f32]) -> Result<(), Error> {
        let side = self.hr_side();
        let planes = Planes { height: side, width: side, values: planes_of(hr) };
        let degraded = degrade(config, &planes, self.settings.scale, draws)?;
        lr.iter_mut().zip(&degraded.lr.pixels).for_each(|(value, &byte)| *value = f32::from(byte) / 255.0);
        if config.sharpen.is_some() {
            let target = &degraded.target.values;
            hr.iter_mut().enumerate().for_each(|(i, value)| *value = target[i % 3 * side * side + i / 3]);
        }
        Ok(())
    }
}

/// Channel after channel what is there pixel after pixel.
fn planes_of(pixels: &[f32]) -> Vec<f32> {
    (0..3).flat_map(|channel| pixels.iter().skip(channel).step_by(3)).copied().collect()
}

/// Adds Gaussian noise, and clamps to [0, 1].
fn add_noise(draws: &mut Draws, range: [f64; 2], patch: &mut [f32]) {
    let sigma = draws.between(range) / 255.0;
    for value in patch {
        *value = (f64::from(*value) + sigma * draws.normal()).clamp(0.0, 1.0) as f32;
    }
}

fn check_entry(entry: &Entry, settings: &Settings) -> Result<(), Error> {
    let Settings { scale, patch, .. } = *settings;
    let hr = (entry.hr.height, entry.hr.width);
    match &entry.lr {
        Some(lr) if (lr.height * scale, lr.width * scale) != hr => {
            let [hr_name, lr_name] = ["HR", "LR"].map(|kind| format!("{kind} of {}", entry.name));
            let (lr_size, expected) = ((lr.height, lr.width), (hr.0 / scale, hr.1 / scale));
            Err(Error::PairSize { hr: hr_name, hr_size: hr, lr: lr_name, lr_size, scale, expected })
        }
        None if settings.degrade.is_none() => Err(Error::NoLr { name: entry.name.clone() }),
        _ if hr.0 < patch || hr.1 < patch => {
            Err(Error::TooSmall { picture: entry.name.clone(), size: hr, what: "patch", side: patch })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Rgb8;
    use crate::pair::Pair;
    use crate::resample::nearest;

    /// A pair whose LR pixels say where they are: red is the row, green the column, blue the picture.
    fn pair(id: u8, height: usize, width: usize, scale: usize) -> Pair {
        let pixels = (0..height).flat_map(|y| (0..width).flat_map(move |x| [y as u8, x as u8, id])).collect();
        let lr = Rgb8::new(height, width, pixels).unwrap();
        Pair { name: format!("picture {id}"), hr: nearest(&lr, scale), lr }
    }

    fn pairs() -> Vec<Pair> {
        vec![pair(0, 4, 9, 2), pair(1, 5, 5, 2)]
    }

    const PLAIN: Settings = Settings::new(2, 8, 1, false);

    fn sampler(settings: Settings) -> Sampler {
        Sampler::new(Arc::new(pairs().into()), settings).unwrap()
    }

    fn turning() -> Sampler {
        sampler(Settings { augment: true, ..PLAIN })
    }

    fn patch(sampler: &Sampler, step: u64, index: u64) -> (Vec<f32>, Vec<f32>) {
        let (mut lr, mut hr) = (vec![0.0; 48], vec![0.0; 192]);
        sampler.write(step, index, &mut lr, &mut hr, None).unwrap();
        (lr, hr)
    }

    fn picture(side: usize, pixels: &[f32]) -> Rgb8 {
        Rgb8::from_planes_f32(side, side, &planes_of(pixels)).unwrap()
    }

    #[test]
    fn an_lr_patch_is_a_piece_of_the_whole_lr_picture() {
        let mut seen = std::collections::BTreeSet::new();
        for index in 0..200 {
            let lr = picture(4, &patch(&sampler(PLAIN), 3, index).0);
            let [top, left, id] = [lr.pixels[0], lr.pixels[1], lr.pixels[2]].map(usize::from);
            assert_eq!(lr, pairs()[id].lr.crop(top, left, 4, 4).unwrap());
            seen.insert((id, top, left));
        }
        // Picture 0 has 1 x 6 positions for a side of 4, picture 1 has 2 x 2.
        assert_eq!(seen.len(), 10);
    }

    #[test]
    fn lr_and_hr_show_the_same_place_turned_alike() {
        for index in 0..100 {
            let (lr, hr) = patch(&turning(), 0, index);
            assert_eq!(picture(8, &hr), nearest(&picture(4, &lr), 2));
        }
    }

    #[test]
    fn a_patch_depends_on_seed_step_and_index_only() {
        let sampler = sampler(Settings { noise: Some([1.0, 9.0]), augment: true, ..PLAIN });
        let forward: Vec<_> = (0..8).map(|index| patch(&sampler, 2, index)).collect();
        let mut backward: Vec<_> = (0..8).rev().map(|index| patch(&sampler, 2, index)).collect();
        backward.reverse();
        assert_eq!(forward, backward);
        let other_seed = Sampler { settings: Settings { seed: 2, ..sampler.settings.clone() }, ..sampler.clone() };
        assert!((0..8).any(|index| patch(&other_seed, 2, index) != forward[index as usize]));
        assert!((0..8).any(|index| patch(&sampler, 3, index) != forward[index as usize]));
    }

    #[test]
    fn what_is_done_to_a_patch_does_not_move_it() {
        // Brightness 1 and noise of 0 levels change nothing, whatever they draw.
        let jitter = Jitter { brightness: Some([1.0; 2]), ..Jitter::default() };
        let same = sampler(Settings { jitter: Some(jitter), noise: Some([0.0; 2]), augment: true, ..PLAIN });
        for index in 0..20 {
            assert_eq!(patch(&same, 0, index), patch(&turning(), 0, index));
        }
        let jitter = Jitter { permute_channels: true, ..Jitter::default() };
        let permuted = sampler(Settings { jitter: Some(jitter), augment: true, ..PLAIN });
        let alike = |index| {
            let (lr, hr) = patch(&permuted, 0, index);
            picture(8, &hr) == nearest(&picture(4, &lr), 2)
        };
        assert!((0..20).all(alike));
        assert!((0..20).any(|index| patch(&permuted, 0, index) != patch(&turning(), 0, index)));
    }

    #[test]
    fn noise_has_the_deviation_that_was_asked_for_and_leaves_hr_alone() {
        let grey = Rgb8::new(64, 64, vec![128; 3 * 64 * 64]).unwrap();
        let pair = Pair { name: "grey".into(), hr: grey.clone(), lr: grey };
        let settings = Settings { scale: 1, patch: 64, noise: Some([5.0; 2]), ..PLAIN };
        let sampler = Sampler::new(Arc::new(vec![pair].into()), settings).unwrap();
        let (mut lr, mut hr) = (vec![0.0; 3 * 64 * 64], vec![0.0; 3 * 64 * 64]);
        sampler.write(0, 0, &mut lr, &mut hr, None).unwrap();
        assert!(hr.iter().all(|&value| value == 128.0 / 255.0));
        // The deviation of 12288 values is known to 1 / sqrt(2 * 12288) = 0.64 %: six of them are 4 %.
        let square = |value: &f32| (f64::from(*value) * 255.0 - 128.0).powi(2);
        let deviation = (lr.iter().map(square).sum::<f64>() / lr.len() as f64).sqrt();
        assert!((deviation / 5.0 - 1.0).abs() < 0.04, "{deviation}");
    }

    #[test]
    fn a_degraded_patch_is_made_of_its_hr_patch() {
        let steps = "steps = [{ resize = { of = \"lr\", factor = { exactly = 1.0 }, kernels = [\"area\"] } }]";
        let degrade = Some(toml::from_str(steps).unwrap());
        let store: Store = pairs().into();
        let sampler = Sampler::new(Arc::new(store.without_lr()), Settings { degrade, ..PLAIN }).unwrap();
        for index in 0..20 {
            // Each LR pixel was made two HR pixels wide; the mean of an area brings it back.
            let (lr, hr) = patch(&sampler, 0, index);
            assert_eq!(picture(8, &hr), nearest(&picture(4, &lr), 2));
        }
        let sharpen = "sharpen = { weight = 1.0, radius = 3, threshold = 0.0 }\n";
        let degrade = Some(toml::from_str(&format!("{sharpen}{steps}")).unwrap());
        let sharp = Sampler { settings: Settings { degrade, ..PLAIN }, ..sampler.clone() };
        assert_ne!(patch(&sharp, 0, 0).1, patch(&sampler, 0, 0).1);
        let (mut lr, mut hr, mut unsharpened) = (vec![0.0; 48], vec![0.0; 192], vec![0.0; 192]);
        sharp.write(0, 0, &mut lr, &mut hr, Some(&mut unsharpened)).unwrap();
        assert_eq!((lr, hr), patch(&sharp, 0, 0));
        assert_eq!(unsharpened, patch(&sampler, 0, 0).1);
        assert_eq!((sharp.sharpens(), sampler.sharpens()), (true, false));
    }

    #[test]
    fn settings_that_fit_no_patch_are_errors() {
        let error = |pairs: Vec<Pair>, scale, patch| {
            Sampler::new(Arc::new(pairs.into()), Settings { scale, patch, ..PLAIN }).unwrap_err().to_string()
        };
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
        let store: Store = pairs().into();
        let error = Sampler::new(Arc::new(store.without_lr()), PLAIN).unwrap_err().to_string();
        assert!(error.starts_with("picture 0: no LR picture"), "{error}");
    }
}
