//! Training the generator against HR and against a discriminator that is itself trained, but only every few steps
//! (Goodfellow et al., arXiv 1406.2661; the throttle is the report's 5.3).

use abbe_models::Network;
use abbe_run::json_number;
use anyhow::{Context, Result};
use tch::{Kind, Tensor};

use crate::experiment::DiscriminatorTraining;
use crate::loss::{Numbers, Terms, adversarial};
use crate::networks::Critic;
use crate::session::{Report, Session, descend};

/// Runs the phase with this index, whose adversarial loss is `config`.
pub(crate) fn run(session: &mut Session, index: usize, config: &adversarial::Config, report: Report) -> Result<()> {
    let phase = &session.setup.experiment.phases[index];
    let training = phase.discriminator.context("the phase has no `discriminator`")?;
    let steps = session.steps(index);
    for (step, batch) in (0..).zip(session.batches(index)?) {
        let (lr, hr) = batch?;
        let sr = session.trainees[&phase.network].forward(phase, &lr, true);
        let mut terms = session.terms(phase, &sr, &hr)?;
        let critic = session.critic.as_ref().context("the experiment has no [discriminator]")?;
        // The generator's step needs no gradient for the discriminator's weights, only through them. Its batch norm sees
        // the batch as in training and follows its statistics, as is usual in PyTorch; its weights stay as they are.
        terms.0.push(critic.frozen(|network| adversarial::term(config, &network.forward(&sr, true))));
        let mut numbers = terms.numbers().with_context(|| format!("at step {step}"))?.with_total();
        let rate = phase.schedule.at(phase.optimizer.lr, step, steps);
        session.trainees[&phase.network].step(phase, rate, &terms)?;
        if let Some(critic) = session.critic.as_mut().filter(|_| step.is_multiple_of(training.every)) {
            numbers.extend(critic.step(&training, &hr, &sr).with_context(|| format!("at step {step}"))?);
        }
        session.end_step(index, step, numbers, report)?;
    }
    session.end_phase(index)
}

impl Critic {
    /// What `judge` computes while no weight of the discriminator asks for a gradient.
    pub(crate) fn frozen<T>(&self, judge: impl FnOnce(&abbe_models::discriminator::Discriminator) -> T) -> T {
        let weights = self.network.store().parameters();
        weights.iter().for_each(|weight| drop(weight.set_requires_grad(false)));
        let judgement = judge(&self.network);
        weights.iter().for_each(|weight| drop(weight.set_requires_grad(true)));
        judgement
    }

    /// One step towards telling `hr` from `sr`.
    fn step(&mut self, training: &DiscriminatorTraining, hr: &Tensor, sr: &Tensor) -> Result<Numbers> {
        self.adam.config = training.optimizer.into();
        let real = self.network.forward(hr, true);
        let fake = self.network.forward(&sr.detach(), true);
        let terms = Terms(vec![adversarial::discriminator(&real, &fake)]);
        let mut numbers = terms.numbers()?;
        for (name, logits) in [("real", &real), ("fake", &fake)] {
            let answer = logits.detach().sigmoid().mean(Kind::Float).double_value(&[]);
            numbers.discriminator.insert(name.into(), json_number(answer));
        }
        descend(&mut self.adam, &terms, training.clamp_gradient)?;
        Ok(numbers)
    }
}
