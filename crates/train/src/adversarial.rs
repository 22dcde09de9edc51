//! Training the generator against HR and against a discriminator that is itself trained, but only every few steps
//! (Goodfellow et al., arXiv 1406.2661; the throttle is the report's 5.3).

use abbe_run::json_number;
use anyhow::{Context, Result};
use tch::Tensor;

use crate::experiment::{Losses, Phase};
use crate::loss::{Judged, Judgement, Numbers, Terms, gradient_penalty};
use crate::networks::Critic;
use crate::session::{Report, Session, descend};

/// Runs the phase with this index, which has an adversarial loss.
pub(crate) fn run(session: &mut Session, index: usize, report: Report) -> Result<()> {
    let experiment = session.setup.experiment;
    let phase = &experiment.phases[index];
    let training = phase.discriminator.context("the phase has no `discriminator`")?;
    let (steps, first) = (session.steps(index), session.numbers(index).start);
    for (step, batch) in (0..).zip(session.batches(index)?) {
        let (lr, hr) = batch?;
        let sr = session.trainees[&phase.network].forward(phase, &lr, true);
        let terms = session.terms(phase, &sr, &hr, true)?;
        let mut numbers = terms.numbers().with_context(|| format!("at step {step}"))?.with_total();
        let rate = phase.schedule.at(phase.optimizer.lr, step, steps);
        session.trainees[&phase.network].step(phase, rate, &terms)?;
        if let Some(critic) = session.critic.as_mut().filter(|_| step.is_multiple_of(training.every)) {
            let shares = gradient_penalty::shares(experiment.seed, first + step, hr.size()[0]);
            let update = step / training.every;
            let said = critic.step(phase, &hr, &sr, &shares, update).with_context(|| format!("at step {step}"))?;
            numbers.extend(said);
        }
        session.end_step(index, step, numbers, report)?;
    }
    session.end_phase(index)
}

impl Critic {
    /// What the discriminator makes of `sr` and, where a loss asks for it, of `hr`.
    ///
    /// The generator's step needs no gradient for the discriminator's weights, only through them. Its batch norm sees the
    /// batch as in training and follows its statistics, as is usual in PyTorch; its weights stay as they are.
    pub(crate) fn judge(&self, losses: &Losses, sr: &Tensor, hr: &Tensor, train: bool) -> Judgement {
        let judged = |pictures: &Tensor| {
            let (logits, features) = self.network.forward_with_features(pictures, train);
            Judged { logits, features }
        };
        let weights = self.network.store().parameters();
        weights.iter().for_each(|weight| drop(weight.set_requires_grad(false)));
        let real = losses.compares_judgements().then(|| tch::no_grad(|| judged(hr)));
        let judgement = Judgement { fake: judged(sr), real };
        weights.iter().for_each(|weight| drop(weight.set_requires_grad(true)));
        judgement
    }

    /// One step towards telling `hr` from `sr`, the update of this number in the phase.
    fn step(&mut self, phase: &Phase, hr: &Tensor, sr: &Tensor, shares: &Tensor, update: u64) -> Result<Numbers> {
        let training = phase.discriminator.context("the phase has no `discriminator`")?;
        let config = phase.loss.adversarial.context("the phase has no `loss.adversarial`")?;
        let (terms, logits) = self.terms(phase, [hr, sr], shares, update, true)?;
        self.adam.config = training.optimizer.into();
        let mut numbers = terms.numbers()?;
        for (name, logits) in [("real", &logits[0]), ("fake", &logits[1])] {
            numbers.discriminator.insert(name.into(), json_number(config.answer(logits)));
        }
        descend(&mut self.adam, &terms, training.clamp_gradient)?;
        Ok(numbers)
    }

    /// What the discriminator minimises at its update of this number: what it pays for the two batches, and the penalties on
    /// its slopes, that of WGAN-GP at `shares` of HR. Beside it the logits of HR and SR.
    pub(crate) fn terms(
        &self,
        phase: &Phase,
        [hr, sr]: [&Tensor; 2],
        shares: &Tensor,
        update: u64,
        train: bool,
    ) -> Result<(Terms, [Tensor; 2])> {
        let training = phase.discriminator.context("the phase has no `discriminator`")?;
        let config = phase.loss.adversarial.context("the phase has no `loss.adversarial`")?;
        let r1 = training.r1.filter(|r1| update.is_multiple_of(r1.every));
        let judge = |pictures: &Tensor| self.network.forward(pictures, train);
        let (hr, sr) = (hr.detach().set_requires_grad(r1.is_some()), sr.detach());
        let (real, fake) = (judge(&hr), judge(&sr));
        let mut terms = vec![config.discriminator(&real, &fake)];
        if let Some(penalty) = training.gradient_penalty {
            terms.push(penalty.term(judge, &hr, &sr, &shares.to_device(hr.device()))?);
        }
        if let Some(r1) = r1 {
            terms.push(r1.term(&real, &hr)?);
        }
        Ok((Terms(terms), [real, fake]))
    }
}
