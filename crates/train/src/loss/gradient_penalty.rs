//! The gradient penalty of WGAN-GP: between HR and SR the discriminator's slope is to be 1 (Gulrajani et al., arXiv
//! 1704.00028).

use abbe_data::random::{Draws, Purpose};
use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use super::{Term, r1};

/// The penalty on the discriminator of a phase. The paper's critic has no batch norm, with which the slope at one picture
/// depends on the others of the batch.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Above 0; 10 in the paper.
    pub weight: f64,
}

impl Config {
    /// The discriminator's term (|gradient| - 1)², a mean over the batch, at `shares` (`[N, 1, 1, 1]`, see [`shares`]) of
    /// `hr` and the rest of `sr`, both `[N, C, H, W]`.
    ///
    /// # Errors
    /// A discriminator that does not depend on its pictures.
    pub fn term(&self, judge: impl Fn(&Tensor) -> Tensor, hr: &Tensor, sr: &Tensor, shares: &Tensor) -> Result<Term> {
        let between = sr.lerp_tensor(hr, shares).detach().set_requires_grad(true);
        let slopes = r1::gradient(&judge(&between), &between)?.flatten(1, -1).norm_scalaropt_dim(2, [1], false);
        let value = (slopes - 1.0).square().mean(Kind::Float);
        Ok(Term { name: "gradient_penalty", weight: self.weight, value })
    }

    /// Whether its number lies in its range.
    ///
    /// # Errors
    /// The key, what was expected and what was found.
    pub(crate) fn validate(&self) -> Result<()> {
        let weight = self.weight;
        ensure!(
            weight > 0.0 && weight.is_finite(),
            "gradient_penalty.weight: expected a number above 0, found {weight}"
        );
        Ok(())
    }
}

/// The shares of HR in the pictures of a step of the training, uniform in [0, 1): `[pictures, 1, 1, 1]`. They are a function
/// of the arguments, so that a resumed run draws the same.
pub fn shares(seed: u64, step: u64, pictures: i64) -> Tensor {
    let share = |index| Draws::new(seed, Purpose::Interpolation, step, index).unit() as f32;
    Tensor::from_slice(&(0..pictures as u64).map(share).collect::<Vec<_>>()).view([-1, 1, 1, 1])
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    fn value(judge: impl Fn(&Tensor) -> Tensor, shares: &[f32]) -> Tensor {
        let pictures = |value| Tensor::full([shares.len() as i64, 1, 2, 2], value, (Kind::Float, Device::Cpu));
        let shares = Tensor::from_slice(shares).view([-1, 1, 1, 1]);
        Config { weight: 10.0 }.term(judge, &pictures(1.0), &pictures(0.0), &shares).unwrap().value
    }

    #[test]
    fn the_slope_is_taken_between_hr_and_sr() {
        // D = sum(x²) / 2 has the gradient x: at a share a of white and the rest of black four numbers a, of length 2 a.
        // Shares 1/4 and 1: (1/2 - 1)² = 1/4 and (2 - 1)² = 1, mean 5/8.
        let judge = |x: &Tensor| x.square().flatten(1, -1).sum_dim_intlist(1, false, Kind::Float) / 2.0;
        assert_eq!(value(judge, &[0.25, 1.0]).double_value(&[]), 0.625);
    }

    #[test]
    fn it_has_a_gradient_for_the_discriminators_weights() {
        // D = w sum(x) has the slope sqrt(4 w²) = 2 w: (2 w - 1)² = 9 at w = 2, whose derivative is 4 (2 w - 1) = 12.
        let w = Tensor::from_slice(&[2.0f32]).set_requires_grad(true);
        let value = value(|x| x.flatten(1, -1).sum_dim_intlist(1, false, Kind::Float) * &w, &[0.5]);
        value.backward();
        assert_eq!((value.double_value(&[]), w.grad().double_value(&[0])), (9.0, 12.0));
    }

    #[test]
    fn shares_belong_to_seed_step_and_picture() {
        let first = shares(1, 2, 8);
        assert!(first.equal(&shares(1, 2, 8)) && first.narrow(0, 0, 4).equal(&shares(1, 2, 4)));
        assert!(!first.equal(&shares(1, 3, 8)) && !first.equal(&shares(2, 2, 8)));
        assert!(first.min().double_value(&[]) >= 0.0 && first.max().double_value(&[]) <= 1.0);
        assert!(first.std(true).double_value(&[]) > 0.05);
    }
}
