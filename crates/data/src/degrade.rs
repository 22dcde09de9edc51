//! LR pictures as cameras, software and networks make them: blur, change of size, noise and compression, drawn at
//! random for each picture, for training on real photographs.
//!
//! A [`Config`] is a list of [`Step`]s in TOML. Those that come with Abbe ([`PRESETS`]) are files in
//! `experiments/degradations`, with the figures of the papers and their code: Real-ESRGAN's second and first order (arXiv
//! 2107.10833), BSRGAN's shuffled order (arXiv 2103.14006). A new degradation is one file here, a variant of [`Step`], one
//! of [`Applied`], and a line in each `match` over them.
//!
//! # Order and randomness
//! The target is sharpened, then the steps are done from first to last, each on what the one before left. All numbers come
//! from one stream, the [`Draws`] of [`Purpose::Degradation`](crate::random::Purpose::Degradation): a step draws what it
//! needs when its turn comes. So the picture is a function of seed, step and index, whatever the thread or processor; and a
//! step that is put in changes what all later ones draw. Values may leave [0, 1] between steps: noise clamps what it gives
//! out, JPEG what it takes in, and the LR picture is clamped and rounded to 8 bits.
//!
//! # What differs from the papers' code
//! - JPEG is a real encoder at a whole quality, where Real-ESRGAN trains with a differentiable imitation at any real one.
//! - A resize places its samples by the two sizes alone; Real-ESRGAN's first one goes by the factor before rounding, less
//!   than a pixel away. BSRGAN resizes by OpenCV, whose `area` counts parts of pixels and is bilinear when enlarging; here
//!   all are PyTorch's. BSRGAN clamps after each resize.
//! - A kernel's outer weights of a millionth in all are left out; an isotropic Gaussian is done in two passes.
//! - BSRGAN's noise has whole standard deviations, and a covariance of which it takes absolute values; here they are real,
//!   and the axes of the covariance point anywhere with equal probability. Its blurs reach down to 0, where the formula has
//!   no value; here to 0.01, a single pixel. Its camera noise needs a model of a camera and is left out.
//! - What is cut before and after (a patch of 400x400, of which 256x256 are used), and the pool that mixes batches, are the
//!   caller's.

mod blur;
mod check;
mod convolve;
mod decimate;
mod distribution;
mod gaussian_noise;
mod interpolate;
mod jpeg;
pub mod kernel;
mod planes;
mod poisson_noise;
mod presets;
mod resize;
mod sharpen;
mod trace;

use serde::{Deserialize, Serialize};

pub use self::blur::{Blur, Family, RandomKernel, Spread};
pub use self::decimate::Decimate;
pub use self::gaussian_noise::{GaussianNoise, Kinds};
pub use self::interpolate::Interpolation;
pub use self::jpeg::Jpeg;
pub use self::planes::Planes;
pub use self::poisson_noise::PoissonNoise;
pub use self::presets::{PRESETS, preset};
pub use self::resize::{Base, Factor, Resize};
pub use self::sharpen::Sharpen;
pub use self::trace::{Applied, GaussianKind};
use crate::Error;
use crate::random::Draws;

/// A degradation: what is done to the target, and the steps from the target to the LR picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// How the target is sharpened before everything else; not at all if absent.
    pub sharpen: Option<Sharpen>,
    /// What is done, in this order; the last change of size must be to the LR picture's.
    pub steps: Vec<Step>,
}

/// One step of a degradation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// A blur with a random kernel.
    Blur(Blur),
    /// A change of size by a random factor.
    Resize(Resize),
    /// A blur of which every n-th pixel is kept.
    Decimate(Decimate),
    /// Noise of equal strength everywhere.
    GaussianNoise(GaussianNoise),
    /// Noise that grows with the intensity.
    PoissonNoise(PoissonNoise),
    /// Compression as JPEG.
    Jpeg(Jpeg),
    /// One of several lists of steps, drawn anew for each picture; nothing if the probabilities add up to less than 1,
    /// for what is left.
    OneOf(Vec<Branch>),
    /// All steps in random order, each order equally likely, but those that change the size keep theirs.
    Shuffle(Vec<Step>),
}

/// A list of steps, and how often it is taken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Branch {
    /// In [0, 1].
    pub probability: f64,
    /// What is done, in this order.
    pub steps: Vec<Step>,
}

/// A degraded picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Degraded {
    /// The LR picture, rounded to 8 bits; a trainer sees it divided by 255.
    pub lr: crate::image::Rgb8,
    /// The HR picture, sharpened if the configuration says so: what a network is to give back.
    pub target: Planes,
    /// What was done, in order.
    pub trace: Vec<Applied>,
}

/// Makes an LR picture of 1/`scale` the size of `hr`, whose sides are multiples of `scale`.
///
/// Every choice is a function of `draws`, so equal arguments give equal pictures on any machine: take
/// [`crate::random::Purpose::Degradation`] with the seed, step and index. Errors: [`Error::Degradation`] for a setting
/// out of range or steps that do not end at the LR size, [`Error::Setting`] for a size that is no multiple of the
/// scale, [`Error::Length`] and [`Error::NotFinite`] for wrong planes, [`Error::Jpeg`] for a picture too large for
/// JPEG.
pub fn degrade(config: &Config, hr: &Planes, scale: usize, mut draws: Draws) -> Result<Degraded, Error> {
    config.check()?;
    hr.check()?;
    for side in [hr.height, hr.width] {
        if scale == 0 || side % scale != 0 {
            let expected = format!("a multiple of the scale ({scale}, at least 1)");
            return Err(Error::Setting { key: "side of the picture to degrade", expected, found: side });
        }
    }
    let target = config.sharpen.as_ref().map_or_else(|| hr.clone(), |sharpen| sharpen.apply(hr));
    let lr_size = (hr.height / scale, hr.width / scale);
    let mut trace = Vec::new();
    let lr = apply_all(&config.steps, target.clone(), lr_size, &mut draws, &mut trace)?;
    let ends = "steps that end at the size of the LR picture: let the last `resize` be `of = \"lr\"` by exactly 1";
    check::require(lr.size() == lr_size, "steps".into(), ends, lr.size())?;
    Ok(Degraded { lr: lr.to_rgb8()?, target, trace })
}

impl Config {
    /// [`Error::Degradation`] with the path of the first key that is out of its range.
    pub fn check(&self) -> Result<(), Error> {
        self.sharpen.as_ref().map_or(Ok(()), |sharpen| sharpen.check("sharpen"))?;
        check_all(&self.steps, "steps")
    }
}

impl Step {
    fn check(&self, key: &str) -> Result<(), Error> {
        match self {
            Self::Blur(step) => step.check(&format!("{key}.blur")),
            Self::Resize(step) => step.check(&format!("{key}.resize")),
            Self::Decimate(step) => step.check(&format!("{key}.decimate")),
            Self::GaussianNoise(step) => step.check(&format!("{key}.gaussian_noise")),
            Self::PoissonNoise(step) => step.check(&format!("{key}.poisson_noise")),
            Self::Jpeg(step) => step.check(&format!("{key}.jpeg")),
            Self::Shuffle(steps) => check_all(steps, &format!("{key}.shuffle")),
            Self::OneOf(branches) => {
                let shares: Vec<f64> = branches.iter().map(|branch| branch.probability).collect();
                check::shares(format!("{key}.one_of.probability"), &shares)?;
                let mut branches = branches.iter().enumerate();
                branches.try_for_each(|(i, branch)| check_all(&branch.steps, &format!("{key}.one_of[{i}].steps")))
            }
        }
    }

    fn apply(
        &self,
        picture: Planes,
        lr: (usize, usize),
        draws: &mut Draws,
        trace: &mut Vec<Applied>,
    ) -> Result<Planes, Error> {
        let (picture, applied) = match self {
            Self::Blur(step) => step.apply(&picture, draws),
            Self::Resize(step) => step.apply(&picture, lr, draws),
            Self::Decimate(step) => step.apply(&picture, draws),
            Self::GaussianNoise(step) => step.apply(picture, draws),
            Self::PoissonNoise(step) => step.apply(picture, draws),
            Self::Jpeg(step) => step.apply(&picture, draws)?,
            Self::Shuffle(steps) => return apply_all(shuffled(steps, draws), picture, lr, draws, trace),
            Self::OneOf(branches) => {
                return match branches.get(draws.choose(with_rest(branches))) {
                    Some(branch) => apply_all(&branch.steps, picture, lr, draws, trace),
                    None => Ok(picture),
                };
            }
        };
        trace.push(applied);
        Ok(picture)
    }

    /// Whether the step may change the picture's size.
    fn resizes(&self) -> bool {
        match self {
            Self::Resize(_) | Self::Decimate(_) => true,
            Self::Shuffle(steps) => steps.iter().any(Self::resizes),
            Self::OneOf(branches) => branches.iter().any(|branch| branch.steps.iter().any(Self::resizes)),
            Self::Blur(_) | Self::GaussianNoise(_) | Self::PoissonNoise(_) | Self::Jpeg(_) => false,
        }
    }
}

fn check_all(steps: &[Step], key: &str) -> Result<(), Error> {
    steps.iter().enumerate().try_for_each(|(i, step)| step.check(&format!("{key}[{i}]")))
}

fn apply_all<'a>(
    steps: impl IntoIterator<Item = &'a Step>,
    picture: Planes,
    lr: (usize, usize),
    draws: &mut Draws,
    trace: &mut Vec<Applied>,
) -> Result<Planes, Error> {
    steps.into_iter().try_fold(picture, |picture, step| step.apply(picture, lr, draws, trace))
}

/// The probability of each branch, then that of none.
fn with_rest(branches: &[Branch]) -> Vec<f64> {
    let rest = 1.0 - branches.iter().map(|branch| branch.probability).sum::<f64>();
    branches.iter().map(|branch| branch.probability).chain([rest]).collect()
}

/// The steps in random order (Fisher and Yates), after which those that resize take their own places in turn.
fn shuffled<'a>(steps: &'a [Step], draws: &mut Draws) -> Vec<&'a Step> {
    let mut order: Vec<&Step> = steps.iter().collect();
    for last in (1..order.len()).rev() {
        order.swap(last, draws.below(last as u32 + 1) as usize);
    }
    let mut resizing = steps.iter().filter(|step| step.resizes());
    order.into_iter().map(|step| if step.resizes() { resizing.next().unwrap_or(step) } else { step }).collect()
}

#[cfg(test)]
mod statistics;
#[cfg(test)]
mod tests;
