use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

use super::check::{probabilities, range, require};
use super::convolve::{convolve, gaussian_blur};
use super::kernel::{Ellipse, Shape};
use super::planes::Planes;
use super::trace::Applied;
use crate::Error;
use crate::random::Draws;

/// A blur with a kernel that is drawn anew for each picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Blur {
    /// The kernels to draw from, at least one.
    pub kernels: Vec<RandomKernel>,
}

/// One family of kernels, and how often it is drawn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RandomKernel {
    /// In [0, 1]; those of a blur add up to 1.
    pub probability: f64,
    /// Smallest and largest side in pixels, two odd numbers in 1..=51; each odd number between is equally likely.
    pub size: [usize; 2],
    /// Its shape.
    pub family: Family,
}

/// The shape of a kernel; ranges are `[low, high]`, uniformly drawn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Family {
    /// No blur.
    Delta,
    /// [`super::kernel::sinc`].
    Sinc {
        /// Radians per pixel, in (0, pi].
        cutoff: [f64; 2],
    },
    /// [`super::kernel::gaussian`].
    Gaussian(Spread),
    /// [`super::kernel::generalised_gaussian`].
    GeneralisedGaussian {
        /// Its ellipse.
        spread: Spread,
        /// Its exponent, in [0.1, 10], with 1 inside the range: half the draws are below 1.
        beta: [f64; 2],
    },
    /// [`super::kernel::plateau`].
    Plateau {
        /// Its ellipse.
        spread: Spread,
        /// Its exponent, as that of the generalised Gaussian.
        beta: [f64; 2],
    },
}

/// How the ellipse of a kernel is drawn: an anisotropic one draws each axis, and an angle in [-pi, pi].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Spread {
    /// A circle; its standard deviation in pixels, in [0.01, 100].
    Isotropic([f64; 2]),
    /// An ellipse; the standard deviation of each axis in pixels, in [0.01, 100].
    Anisotropic([f64; 2]),
    /// An ellipse; the variance of each axis in square pixels, in [0.0001, 10000].
    AnisotropicVariance([f64; 2]),
}

impl Blur {
    pub(super) fn check(&self, key: &str) -> Result<(), Error> {
        let shares: Vec<f64> = self.kernels.iter().map(|kernel| kernel.probability).collect();
        probabilities(format!("{key}.kernels.probability"), &shares)?;
        let mut kernels = self.kernels.iter().enumerate();
        kernels.try_for_each(|(i, kernel)| kernel.check(&format!("{key}.kernels[{i}]")))
    }

    pub(super) fn apply(&self, picture: &Planes, draws: &mut Draws) -> (Planes, Applied) {
        let kernel = &self.kernels[draws.choose(self.kernels.iter().map(|kernel| kernel.probability))];
        let (size, shape) = kernel.draw(draws);
        (blurred(picture, size, &shape), Applied::Blur { size, shape })
    }
}

/// The picture weighed with the kernel, in two passes where that is the same.
fn blurred(picture: &Planes, size: usize, shape: &Shape) -> Planes {
    match shape {
        Shape::Delta => picture.clone(),
        Shape::Gaussian(Ellipse { sigma: [first, second], .. }) if first == second => {
            gaussian_blur(picture, size, *first, 0.0)
        }
        shape => convolve(picture, &shape.kernel(size)),
    }
}

impl RandomKernel {
    fn check(&self, key: &str) -> Result<(), Error> {
        range(format!("{key}.size"), self.size, 1, 51)?;
        let odd = self.size.iter().all(|size| size % 2 == 1);
        require(odd, format!("{key}.size"), "odd numbers", self.size)?;
        self.family.check(&format!("{key}.family"))
    }

    /// Side and shape of a kernel.
    fn draw(&self, draws: &mut Draws) -> (usize, Shape) {
        let [least, most] = self.size;
        let size = least + 2 * draws.below(((most - least) / 2 + 1) as u32) as usize;
        let shape = match &self.family {
            Family::Delta => Shape::Delta,
            Family::Sinc { cutoff } => Shape::Sinc { cutoff: draws.between(*cutoff) },
            Family::Gaussian(spread) => Shape::Gaussian(spread.draw(draws)),
            Family::GeneralisedGaussian { spread, beta } => {
                Shape::GeneralisedGaussian { ellipse: spread.draw(draws), beta: draw_beta(draws, *beta) }
            }
            Family::Plateau { spread, beta } => {
                Shape::Plateau { ellipse: spread.draw(draws), beta: draw_beta(draws, *beta) }
            }
        };
        (size, shape)
    }
}

impl Family {
    fn check(&self, key: &str) -> Result<(), Error> {
        let check = |name: &str, spread: &Spread, beta: [f64; 2]| {
            spread.check(&format!("{key}.{name}.spread"))?;
            range(format!("{key}.{name}.beta"), beta, 0.1, 10.0)?;
            require(beta[0] <= 1.0 && beta[1] >= 1.0, format!("{key}.{name}.beta"), "1 inside the range", beta)
        };
        match self {
            Self::Delta => Ok(()),
            Self::Sinc { cutoff } => range(format!("{key}.sinc.cutoff"), *cutoff, 1e-3, PI),
            Self::Gaussian(spread) => spread.check(&format!("{key}.gaussian")),
            Self::GeneralisedGaussian { spread, beta } => check("generalised_gaussian", spread, *beta),
            Self::Plateau { spread, beta } => check("plateau", spread, *beta),
        }
    }
}

/// Below 1 and above 1 equally often, uniformly on each side.
fn draw_beta(draws: &mut Draws, [low, high]: [f64; 2]) -> f64 {
    let side = if draws.unit() < 0.5 { [low, 1.0] } else { [1.0, high] };
    draws.between(side)
}

impl Spread {
    fn check(&self, key: &str) -> Result<(), Error> {
        match self {
            Self::Isotropic(sigma) => range(format!("{key}.isotropic"), *sigma, 0.01, 100.0),
            Self::Anisotropic(sigma) => range(format!("{key}.anisotropic"), *sigma, 0.01, 100.0),
            Self::AnisotropicVariance(variance) => range(format!("{key}.anisotropic_variance"), *variance, 1e-4, 1e4),
        }
    }

    fn draw(&self, draws: &mut Draws) -> Ellipse {
        let sigma = match self {
            Self::Isotropic(sigma) => return Ellipse { sigma: [draws.between(*sigma); 2], angle: 0.0 },
            Self::Anisotropic(sigma) => [(); 2].map(|()| draws.between(*sigma)),
            Self::AnisotropicVariance(variance) => [(); 2].map(|()| draws.between(*variance).sqrt()),
        };
        Ellipse { sigma, angle: draws.between([-PI, PI]) }
    }
}
