//! The R1 penalty: at HR the discriminator is to be flat (Mescheder et al., arXiv 1801.04406).

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use super::Term;

/// The penalty on the discriminator of a phase.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The paper's gamma, above 0; 10 there.
    pub weight: f64,
    /// It is taken on the discriminator's updates (from 0 in each phase) that this number, from 1 to 1,000,000, divides, and
    /// then counts so many times as much ("lazy regularisation" of Karras et al., arXiv 1912.04958, where it is 16).
    pub every: u64,
}

impl Config {
    /// The discriminator's term |gradient|² / 2, a mean over the batch, from its logits for `hr`, which asks for a gradient.
    ///
    /// # Errors
    /// Logits that do not depend on `hr`.
    pub fn term(&self, logits: &Tensor, hr: &Tensor) -> Result<Term> {
        let squares = gradient(logits, hr)?.square().flatten(1, -1).sum_dim_intlist(1, false, Kind::Float);
        let value = squares.mean(Kind::Float) / 2.0;
        Ok(Term { name: "r1", weight: self.weight * self.every as f64, value })
    }

    /// Whether its numbers lie in their ranges.
    ///
    /// # Errors
    /// The key, what was expected and what was found.
    pub(crate) fn validate(&self) -> Result<()> {
        let Config { weight, every } = *self;
        ensure!(weight > 0.0 && weight.is_finite(), "r1.weight: expected a number above 0, found {weight}");
        ensure!((1..=1_000_000).contains(&every), "r1.every: expected 1 to 1000000, found {every}");
        Ok(())
    }
}

/// The gradient of the sum of `logits` for each of `pictures`, `[N, C, H, W]`, which itself has a gradient for the weights.
///
/// # Errors
/// Logits that do not depend on the pictures.
pub(super) fn gradient(logits: &Tensor, pictures: &Tensor) -> Result<Tensor> {
    let gradients = Tensor::f_run_backward(&[logits.sum(Kind::Float)], &[pictures], true, true)?;
    let gradient = gradients.into_iter().next().filter(Tensor::defined);
    gradient.context("the discriminator's logits do not depend on its pictures")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plane_by_hand() {
        // D = w (x1 + 2 x2 + ...): the gradient of each picture is w (1, 2, 3, 4), its square w² 30; half of it at w = 2 is
        // 60, its derivative 30 w = 60. Both pictures of the batch are alike.
        let slopes = Tensor::from_slice(&[1.0f32, 2.0, 3.0, 4.0]).view([1, 1, 2, 2]);
        let w = Tensor::from_slice(&[2.0f32]).set_requires_grad(true);
        let hr = slopes.zeros_like().repeat([2, 1, 1, 1]).set_requires_grad(true);
        let logits = (&hr * slopes).flatten(1, -1).sum_dim_intlist(1, false, Kind::Float) * &w;
        let term = Config { weight: 10.0, every: 4 }.term(&logits, &hr).unwrap();
        term.value.backward();
        assert_eq!((term.value.double_value(&[]), w.grad().double_value(&[0])), (60.0, 60.0));
        assert_eq!(term.weight, 40.0);
        assert!(Config { weight: 1.0, every: 1 }.term(&w, &hr).is_err());
    }
}
