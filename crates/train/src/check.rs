//! Before a phase begins: does each term of its loss reach the network it trains?
//!
//! A term that is cut off from the network (computed without a graph, clamped away, multiplied by zero) trains nothing and
//! shows in no log; other tools have shipped generators that never heard of their discriminator.

use anyhow::{Result, ensure};
use tch::Tensor;

use crate::experiment::Phase;
use crate::loss::{Term, Terms, adversarial};
use crate::session::Session;

/// Takes the gradient of each term alone, on one batch and in evaluation mode, so that nothing is changed.
///
/// # Errors
/// A term with a weight above 0 whose gradient is zero in every parameter, or is not finite: by name.
pub(crate) fn gradients(session: &mut Session, phase: &Phase, lr: &Tensor, hr: &Tensor) -> Result<()> {
    let trainee = &session.trainees[&phase.network];
    let sr = trainee.forward(phase, lr, false);
    let Terms(mut terms) = session.terms(phase, &sr, hr)?;
    if let (Some(config), Some(critic)) = (&phase.loss.adversarial, &session.critic) {
        terms.push(critic.frozen(|network| adversarial::term(config, &network.forward(&sr, false))));
    }
    let parameters = trainee.model.store().parameters();
    terms.iter().filter(|term| term.weight > 0.0).try_for_each(|term| reaches(term, &phase.network, &parameters))
}

fn reaches(term: &Term, network: &str, parameters: &[Tensor]) -> Result<()> {
    let loss = term.weighted();
    let gradients = match loss.requires_grad() {
        true => Tensor::f_run_backward(&[&loss], parameters, true, false)?,
        false => vec![],
    };
    let largest = gradients.iter().map(largest).fold(0.0, f64::max);
    let name = term.name;
    ensure!(
        largest > 0.0,
        "loss.{name}: it gives `{network}` no gradient on the first batch, so it would train nothing"
    );
    ensure!(largest.is_finite(), "loss.{name}: its gradient for `{network}` is not finite on the first batch");
    Ok(())
}

/// The largest size of a component; NaN counts as infinite, an absent gradient as none.
fn largest(gradient: &Tensor) -> f64 {
    if !gradient.defined() {
        return 0.0;
    }
    let size = gradient.abs().max().double_value(&[]);
    if size.is_nan() { f64::INFINITY } else { size }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Kind;

    #[test]
    fn a_term_must_reach_a_parameter_with_a_finite_gradient() {
        let weight = Tensor::from_slice(&[2.0f32]).set_requires_grad(true);
        let said = |value: Tensor| {
            let term = Term { name: "pixel", weight: 0.5, value: value.sum(Kind::Float) };
            reaches(&term, "generator", &[weight.shallow_clone()]).map_err(|error| error.to_string())
        };
        assert_eq!(said(&weight * 3.0), Ok(()));
        // Cut off from the graph, clamped away (2 is outside of [0, 1]), and dividing by zero.
        assert!(said(weight.detach() * 3.0).unwrap_err().contains("loss.pixel: it gives `generator` no gradient"));
        assert!(said(weight.clamp(0.0, 1.0)).unwrap_err().contains("no gradient"));
        assert!(said((&weight - 2.0).sqrt()).unwrap_err().contains("not finite"));
    }
}
