//! Adversarial losses of generator and discriminator, from logits z, so that nothing overflows.
//!
//! With D = sigmoid(z): -log D = softplus(-z) and -log(1 - D) = softplus(z). Both are written with log_sigmoid.

use abbe_torch::ProcessGroup;
use anyhow::Result;
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use super::{Inputs, Loss, Term};

/// The adversarial loss of a phase.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Of the generator's term; at least 0.
    pub weight: f64,
    /// What both sides minimise.
    pub form: Form,
    /// Whether a logit is taken relative to the mean of those for the other kind of pictures (Jolicoeur-Martineau, arXiv
    /// 1807.00734; ESRGAN, arXiv 1809.00219): real ones look more real than fakes do, and the generator also minimises
    /// how much they do. Both halves have a gradient in the means, and are added, where BasicSR takes their mean. With
    /// `wasserstein` it merely doubles the loss. The means are over the logits of all ranks that train together, but with
    /// `accumulate` over each part of the batch by itself.
    #[serde(default)]
    pub relativistic_average: bool,
}

/// What the discriminator pays for the logits z of HR and of SR, and the generator for those of SR.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// Cross-entropy, -log D(hr) - log(1 - D(sr)); the generator -log D(sr), whose gradient stays when D is sure (Goodfellow
    /// et al., arXiv 1406.2661; report, 4.5.3 and 4.5.5).
    NonSaturating,
    /// The same cross-entropy; the generator log(1 - D(sr)): the minimax game as first written.
    Saturating,
    /// (z - 1)² / 2 and z² / 2, relative (z + 1)² / 2; the generator (z - 1)² / 2 (Mao et al., arXiv 1611.04076, eq. 9).
    LeastSquares,
    /// max(0, 1 - z) and max(0, 1 + z); the generator -z (Lim and Ye, arXiv 1705.02894; Miyato et al., arXiv 1802.05957).
    Hinge,
    /// -z and z; the generator -z (Arjovsky et al., arXiv 1701.07875). The critic needs a bound on its slope, such as the
    /// discriminator's `gradient_penalty`.
    Wasserstein,
}

impl Loss for Config {
    fn name(&self) -> &'static str {
        "adversarial"
    }

    fn weight(&self) -> f64 {
        self.weight
    }

    fn value(&self, of: &Inputs) -> Result<Tensor> {
        let judgement = of.judgement()?;
        let fake = &judgement.fake.logits;
        if self.relativistic_average {
            let [real, fake] = relative(&judgement.real()?.logits, fake, judgement.ranks.as_ref());
            return Ok(match self.form {
                Form::Saturating => -(self.cost(&real, true) + self.cost(&fake, false)),
                _ => self.cost(&real, false) + self.cost(&fake, true),
            });
        }
        Ok(match self.form {
            Form::Saturating => -self.cost(fake, false),
            Form::Hinge => -fake.mean(Kind::Float),
            Form::NonSaturating | Form::LeastSquares | Form::Wasserstein => self.cost(fake, true),
        })
    }
}

impl Config {
    /// What the discriminator says of pictures on average, D(x), from its logits: with a cross-entropy the probability that
    /// they are real, which it trains the logits to mean; with any other loss the mean of the logits.
    pub fn answer(&self, logits: &Tensor) -> f64 {
        let is_probability = matches!(self.form, Form::NonSaturating | Form::Saturating) && !self.relativistic_average;
        let logits = logits.detach();
        let answers = if is_probability { logits.sigmoid() } else { logits };
        answers.mean(Kind::Float).double_value(&[])
    }

    /// The part of the answers that are right, from the logits of HR and SR: those of HR above, those of SR below what the
    /// loss draws the line at. `ranks` share the batch.
    pub fn right(&self, real: &Tensor, fake: &Tensor, ranks: Option<&ProcessGroup>) -> f64 {
        let [real, fake] = match self.relativistic_average {
            true => relative(real, fake, ranks),
            false => [real.shallow_clone(), fake.shallow_clone()],
        };
        let line = if self.form == Form::LeastSquares && !self.relativistic_average { 0.5 } else { 0.0 };
        let part = |right: Tensor| right.to_kind(Kind::Float).mean(Kind::Float).double_value(&[]);
        (part(real.detach().gt(line)) + part(fake.detach().lt(line))) / 2.0
    }

    /// The discriminator's term, from its logits for HR and SR, of any shape; `ranks` share the batch.
    pub fn discriminator(&self, real: &Tensor, fake: &Tensor, ranks: Option<&ProcessGroup>) -> Term {
        let [real, fake] = match self.relativistic_average {
            true => relative(real, fake, ranks),
            false => [real.shallow_clone(), fake.shallow_clone()],
        };
        let value = self.cost(&real, true) + self.cost(&fake, false);
        Term { name: "discriminator", weight: 1.0, value }
    }

    /// What is paid for logits that should be those of real pictures, or of others: a mean.
    fn cost(&self, logits: &Tensor, should_be_real: bool) -> Tensor {
        let towards = if should_be_real { logits.shallow_clone() } else { -logits };
        match self.form {
            Form::NonSaturating | Form::Saturating => -towards.log_sigmoid().mean(Kind::Float),
            Form::LeastSquares => {
                let target = if should_be_real || self.relativistic_average { 1.0 } else { 0.0 };
                (towards - target).square().mean(Kind::Float) / 2.0
            }
            Form::Hinge => (-towards + 1.0).relu().mean(Kind::Float),
            Form::Wasserstein => -towards.mean(Kind::Float),
        }
    }
}

/// Each logit less the mean of the others, those of every rank.
///
/// With R ranks of as many pictures each, one process with all of them pays L = (L_1 + ... + L_R) / R, where rank k's L_k is a
/// mean over its own logits x_k, and depends on the others' by their mean m = (mean x_1 + ... + mean x_R) / R alone. Backward
/// on rank k gives its weights (d/dx_k of what it sums) dx_k/dw. Through [`ProcessGroup::sum`] a rank's x_k receive the
/// gradients of m from every rank's loss, so that sum is L_1 + ... + L_R and not L_k alone; the reducer then takes the mean
/// over ranks, (1/R) sum_k d(L_1 + ... + L_R)/dx_k dx_k/dw = dL/dw: what the one process has.
fn relative(real: &Tensor, fake: &Tensor, ranks: Option<&ProcessGroup>) -> [Tensor; 2] {
    let means = Tensor::stack(&[real.mean(Kind::Float), fake.mean(Kind::Float)], 0);
    let means = ranks.map_or_else(|| means.shallow_clone(), |ranks| ranks.sum(&means) / ranks.size() as f64);
    [real - means.get(1), fake - means.get(0)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loss::{Judged, Judgement};

    const FORMS: [Form; 5] =
        [Form::NonSaturating, Form::Saturating, Form::LeastSquares, Form::Hinge, Form::Wasserstein];

    /// What generator and discriminator pay when all HR have the logit `real` and all SR `fake`.
    fn values(form: Form, relativistic_average: bool, real: f32, fake: f32) -> [f64; 2] {
        let config = Config { weight: 1.0, form, relativistic_average };
        let logits = |z: f32| Tensor::from_slice(&[z, z]).view([2, 1]);
        let judged = |z| Judged { logits: logits(z), features: vec![] };
        let judgement = Judgement { fake: judged(fake), real: Some(judged(real)), ranks: None };
        let picture = logits(0.0);
        let inputs = Inputs { judgement: Some(&judgement), ..Inputs::of_pictures(&picture, &picture) };
        let terms = [config.value(&inputs).unwrap(), config.discriminator(&logits(real), &logits(fake), None).value];
        terms.map(|term| term.double_value(&[]))
    }

    #[test]
    fn an_answer_is_a_probability_where_the_loss_makes_it_one() {
        // sigmoid(ln 3) = 3/4.
        let logits = Tensor::from_slice(&[3f32.ln(), 3f32.ln()]);
        let config = |form, relativistic_average| Config { weight: 1.0, form, relativistic_average };
        assert!((config(Form::NonSaturating, false).answer(&logits) - 0.75).abs() < 1e-6);
        for config in [config(Form::NonSaturating, true), config(Form::LeastSquares, false), config(Form::Hinge, false)]
        {
            assert!((config.answer(&logits) - 3f64.ln()).abs() < 1e-6);
        }
    }

    #[test]
    fn answers_are_right_on_their_side_of_the_line() {
        let (real, fake) =
            (Tensor::from_slice(&[0.6f32, 0.4, -1.0, 2.0]), Tensor::from_slice(&[-1.0f32, 0.4, -1.0, -2.0]));
        let right =
            |form, relativistic_average| Config { weight: 1.0, form, relativistic_average }.right(&real, &fake, None);
        // Above and below 0: three of four and three of four; 1/2: two and four.
        assert_eq!(right(Form::Hinge, false), 0.75);
        assert_eq!(right(Form::LeastSquares, false), 0.75);
        // Less the mean of the others, -0.9 and 0.5: 1.5, 1.3, -0.1, 2.9 and -1.5, -0.1, -1.5, -2.5.
        assert_eq!(right(Form::LeastSquares, true), 0.875);
    }

    #[test]
    fn an_undecided_discriminator() {
        // D = 1/2: -log(1/2) = log 2 for each half of a cross-entropy, and log(1 - 1/2) = -log 2.
        let log2 = std::f64::consts::LN_2;
        let expected = [[log2, 2.0 * log2], [-log2, 2.0 * log2], [0.5, 0.5], [0.0, 2.0], [0.0, 0.0]];
        // Relative, generator and discriminator pay alike, and squares are from 1 on both sides.
        let relative = [2.0 * log2, -2.0 * log2, 1.0, 2.0, 0.0];
        for ((form, expected), relative) in FORMS.into_iter().zip(expected).zip(relative) {
            let close = |found: [f64; 2], expected: [f64; 2]| {
                let near = found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-6);
                assert!(near, "{form:?}: {found:?}, expected {expected:?}");
            };
            close(values(form, false, 0.0, 0.0), expected);
            close(values(form, true, 0.0, 0.0), [relative, relative.abs()]);
        }
    }

    #[test]
    fn a_discriminator_that_is_right() {
        // Logits 2 for HR and -1 for SR: squares (2 - 1)² / 2 + (-1)² / 2 = 1 and, for the generator, (-1 - 1)² / 2 = 2;
        // hinges max(0, 1 - 2) + max(0, 1 - 1) = 0 and 1; Wasserstein -2 - 1 = -3 and 1.
        assert_eq!(values(Form::LeastSquares, false, 2.0, -1.0), [2.0, 1.0]);
        assert_eq!(values(Form::Hinge, false, 2.0, -1.0), [1.0, 0.0]);
        assert_eq!(values(Form::Wasserstein, false, 2.0, -1.0), [1.0, -3.0]);
        // Relative they are 3 and -3: (3 - 1)² / 2 twice and (-3 - 1)² / 2 twice; 0 and 4 twice; -3 twice and 3 twice.
        assert_eq!(values(Form::LeastSquares, true, 2.0, -1.0), [16.0, 4.0]);
        assert_eq!(values(Form::Hinge, true, 2.0, -1.0), [8.0, 0.0]);
        assert_eq!(values(Form::Wasserstein, true, 2.0, -1.0), [6.0, -6.0]);
    }

    #[test]
    fn logits_far_out_stay_finite() {
        // softplus(1000) = 1000 where log(sigmoid(-1000)) by way of the sigmoid would be -inf.
        assert_eq!(values(Form::NonSaturating, false, -1000.0, 1000.0), [0.0, 2000.0]);
        assert_eq!(values(Form::NonSaturating, false, 0.0, -1000.0)[0], 1000.0);
        assert_eq!(values(Form::Saturating, false, 0.0, 1000.0)[0], -1000.0);
        assert_eq!(values(Form::NonSaturating, true, 500.0, -500.0), [2000.0, 0.0]);
    }
}
