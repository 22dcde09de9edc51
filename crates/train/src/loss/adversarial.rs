//! The adversarial losses of Goodfellow et al. (arXiv 1406.2661), from logits, so that nothing overflows.
//!
//! With D = sigmoid(z): -log D = softplus(-z) and -log(1 - D) = softplus(z). Both are written with log_sigmoid.

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use super::Term;

/// The adversarial loss of a phase.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// At least 0.
    pub weight: f64,
    /// Which of the two forms.
    pub form: Form,
}

/// The generator's side of the game.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// -log D(G(lr)): the gradient stays when D is sure (report, 4.5.3).
    NonSaturating,
    /// log(1 - D(G(lr))): the minimax game as first written.
    Saturating,
}

/// The generator's term, from the discriminator's logits for SR, `[N, 1]`.
pub fn term(config: &Config, fake: &Tensor) -> Term {
    let value = match config.form {
        Form::NonSaturating => -fake.log_sigmoid().mean(Kind::Float),
        Form::Saturating => (-fake).log_sigmoid().mean(Kind::Float),
    };
    Term { name: "adversarial", weight: config.weight, value }
}

/// The discriminator's cross-entropy -log D(hr) - log(1 - D(sr)), from its logits for HR and SR, `[N, 1]` (report, 4.5.5).
pub fn discriminator(real: &Tensor, fake: &Tensor) -> Term {
    let value = -real.log_sigmoid().mean(Kind::Float) - (-fake).log_sigmoid().mean(Kind::Float);
    Term { name: "discriminator", weight: 1.0, value }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logits(z: f32) -> Tensor {
        Tensor::from_slice(&[z, z]).view([2, 1])
    }

    fn value(form: Form, z: f32) -> f64 {
        term(&Config { weight: 1.0, form }, &logits(z)).value.double_value(&[])
    }

    #[test]
    fn an_undecided_discriminator_costs_log_two() {
        // D = 1/2: -log(1/2) = log 2, log(1 - 1/2) = -log 2, and the discriminator pays log 2 twice.
        let log2 = std::f64::consts::LN_2;
        assert!((value(Form::NonSaturating, 0.0) - log2).abs() < 1e-6);
        assert!((value(Form::Saturating, 0.0) + log2).abs() < 1e-6);
        assert!((discriminator(&logits(0.0), &logits(0.0)).value.double_value(&[]) - 2.0 * log2).abs() < 1e-6);
    }

    #[test]
    fn logits_far_out_stay_finite() {
        // softplus(1000) = 1000 where log(sigmoid(-1000)) by way of the sigmoid would be -inf.
        assert_eq!(value(Form::NonSaturating, -1000.0), 1000.0);
        assert_eq!(value(Form::Saturating, 1000.0), -1000.0);
        assert_eq!(discriminator(&logits(-1000.0), &logits(1000.0)).value.double_value(&[]), 2000.0);
    }
}
