use serde::{Deserialize, Serialize};

use super::check::{probabilities, range, require};
use super::interpolate::{Interpolation, interpolate};
use super::planes::Planes;
use super::trace::Applied;
use crate::Error;
use crate::random::Draws;

/// A change of size by a random factor with a random kernel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resize {
    /// The size that the factor multiplies.
    pub of: Base,
    /// By how much.
    pub factor: Factor,
    /// The kernels, each equally likely, at least one.
    pub kernels: Vec<Interpolation>,
}

/// A size that a factor multiplies; the result is rounded down, and at least 1x1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Base {
    /// The picture as it comes in.
    Picture,
    /// The LR picture that is being made.
    Lr,
}

/// A factor that is drawn anew for each picture; factors are in [0.01, 10].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Factor {
    /// The same for all.
    Exactly(f64),
    /// Larger, smaller or the same.
    Range {
        /// Probabilities of up, down and keep, which add up to 1.
        probabilities: [f64; 3],
        /// The least factor down and the largest up, on both sides of 1: uniform in [low, 1] or in [1, high].
        range: [f64; 2],
    },
    /// 1 over a number drawn uniformly from a range.
    OneOver([f64; 2]),
}

impl Resize {
    pub(super) fn check(&self, key: &str) -> Result<(), Error> {
        require(!self.kernels.is_empty(), format!("{key}.kernels"), "at least one kernel", &self.kernels)?;
        self.factor.check(&format!("{key}.factor"))
    }

    pub(super) fn apply(&self, picture: &Planes, lr: (usize, usize), draws: &mut Draws) -> (Planes, Applied) {
        let base = if self.of == Base::Lr { lr } else { picture.size() };
        let factor = self.factor.draw(draws);
        let [height, width] = [base.0, base.1].map(|length| ((length as f64 * factor) as usize).max(1));
        let kernel = self.kernels[draws.below(self.kernels.len() as u32) as usize];
        let applied = Applied::Resize { from: picture.size(), to: (height, width), kernel };
        (interpolate(picture, height, width, kernel), applied)
    }
}

impl Factor {
    fn check(&self, key: &str) -> Result<(), Error> {
        match self {
            Self::Exactly(factor) => range(format!("{key}.exactly"), [*factor; 2], 0.01, 10.0),
            Self::Range { probabilities: shares, range: factors } => {
                probabilities(format!("{key}.range.probabilities"), shares)?;
                range(format!("{key}.range.range"), *factors, 0.01, 10.0)?;
                let around = factors[0] <= 1.0 && factors[1] >= 1.0;
                require(around, format!("{key}.range.range"), "1 inside the range", factors)
            }
            Self::OneOver(divisor) => range(format!("{key}.one_over"), *divisor, 0.1, 100.0),
        }
    }

    fn draw(&self, draws: &mut Draws) -> f64 {
        match self {
            Self::Exactly(factor) => *factor,
            Self::OneOver(divisor) => 1.0 / draws.between(*divisor),
            Self::Range { probabilities, range: [low, high] } => match draws.choose(probabilities.iter().copied()) {
                0 => draws.between([1.0, *high]),
                1 => draws.between([*low, 1.0]),
                _ => 1.0,
            },
        }
    }
}
