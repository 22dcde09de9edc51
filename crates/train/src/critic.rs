//! The discriminator's part of an adversarial phase (Goodfellow et al., arXiv 1406.2661): its judgement for the generator's
//! loss, and its own step, held back where the experiment wants it (every few steps: the report's 5.3).

use abbe_run::json_number;
use abbe_torch::ProcessGroup;
use anyhow::{Context, Result};
use tch::{Kind, Tensor};

use crate::batches::Batch;
use crate::buffers::Buffers;
use crate::experiment::{DiscriminatorTraining, Losses, NonFinite, Phase, Precision, Throttle};
use crate::loss::adversarial::Form;
use crate::loss::{Judged, Judgement, Terms, adversarial, gradient_penalty};
use crate::networks::Critic;
use crate::numbers::{Mean, Numbers};
use crate::recorder::{Made, Reach, Recorder};
use crate::trainer::{At, Trainer};

/// What is said of the discriminator in experiments, logs and messages.
const NAME: &str = "discriminator";

impl Trainer<'_> {
    /// The discriminator's step on the parts of a batch and what the generator made of them.
    ///
    /// # Errors
    /// A loss or gradient that is not finite, where the experiment does not let it pass; what libtorch says.
    pub(crate) fn critic_step(
        &mut self,
        phase: &Phase,
        at: At,
        parts: &[Batch],
        made: &[Tensor],
        numbers: &mut Numbers,
    ) -> Result<()> {
        let ((rank, ranks), own) = (self.rank(), made.iter().map(|sr| sr.size()[0]).sum::<i64>());
        let shares = gradient_penalty::shares(self.experiment.seed, at.number, own * ranks).narrow(0, own * rank, own);
        let critic = self.networks.critic.as_mut().context("the experiment has no [discriminator]")?;
        let (policy, group) = (self.experiment.non_finite, self.group.as_ref());
        let step = CriticStep { phase, at, precision: self.precision, policy, group };
        critic.step(&step, parts, made, &shares, &mut self.graphs.critic, numbers).context(NAME)
    }
}

/// What decides a step of the discriminator beside the pictures.
struct CriticStep<'a> {
    phase: &'a Phase,
    at: At<'a>,
    precision: Precision,
    policy: NonFinite,
    group: Option<&'a ProcessGroup>,
}

/// How the phase trains the discriminator, and by which loss.
fn of_phase(phase: &Phase) -> Result<(&DiscriminatorTraining, adversarial::Config)> {
    let training = phase.discriminator.as_ref().context("the phase has no `discriminator`")?;
    Ok((training, phase.loss.adversarial.context("the phase has no `loss.adversarial`")?))
}

impl Critic {
    /// What the discriminator makes of `sr` and, where a loss asks for it, of `hr`.
    ///
    /// The generator's step needs no gradient for the discriminator's weights, only through them. Its batch norm sees the
    /// batch as in training and follows its statistics, as is usual in PyTorch; its weights stay as they are.
    ///
    /// # Errors
    /// What libtorch says of the precision.
    pub(crate) fn judge(
        &self,
        losses: &Losses,
        sr: &Tensor,
        hr: &Tensor,
        train: bool,
        precision: Precision,
    ) -> Result<Judgement> {
        let judged = |pictures: &Tensor| -> Result<Judged> {
            let forward = || self.network.forward_with_features(pictures, train);
            let (logits, features) = abbe_torch::autocast(pictures.device(), precision.kind(), forward)?;
            let float = |tensor: Tensor| tensor.to_kind(Kind::Float);
            let features = if losses.feature_matching.is_some() { features } else { Vec::new() };
            Ok(Judged { logits: float(logits), features: features.into_iter().map(float).collect() })
        };
        let weights = self.network.store().parameters();
        weights.iter().for_each(|weight| drop(weight.set_requires_grad(false)));
        let real = losses.compares_judgements().then(|| tch::no_grad(|| judged(hr))).transpose();
        let fake = judged(sr);
        weights.iter().for_each(|weight| drop(weight.set_requires_grad(true)));
        Ok(Judgement { fake: fake?, real: real?, ranks: self.ranks.clone() })
    }

    /// One step towards telling HR from SR.
    fn step(
        &mut self,
        of: &CriticStep,
        parts: &[Batch],
        made: &[Tensor],
        shares: &Tensor,
        graph: &mut Recorder,
        numbers: &mut Numbers,
    ) -> Result<()> {
        let (training, config) = of_phase(of.phase)?;
        self.descent.optimizer.set_lr(training.schedule.at(training.optimizer.lr(), of.at.progress));
        let whole = graph.whole;
        if whole {
            self.descent.optimizer.write_rates();
        }
        let kept = if whole { None } else { self.buffers(of) };
        let (mut mean, mut answers, mut norm, mut first) = (Mean::default(), Answers::default(), None, 0);
        for (place, (part, sr)) in (1..).zip(parts.iter().zip(made)) {
            let shares = shares.narrow(0, first, sr.size()[0]);
            let work = |critic: &mut Self, pictures: [&Tensor; 2]| match whole {
                true => critic.whole_step(of, pictures, &shares),
                false => critic.descend(of, pictures, &shares, place, parts.len()),
            };
            let made = graph.run(self, [&part.real, sr], |critic| critic.reach(whole), work)?;
            mean.add(&made.terms)?;
            answers.add(&config, &made.tensors, of.group);
            norm = made.norm;
            first += sr.size()[0];
        }
        mean.over(of.group)?;
        answers.over(of.group)?;
        mean.note(numbers);
        answers.note(&config, numbers);
        if mean.check().is_ok() && self.is_held_back(training.when, mean.total(), answers.right()) {
            numbers.health.insert("held_back_discriminator".into(), 1.into());
            return Ok(());
        }
        let slope = match norm {
            Some(norm) => self.descent.account(mean.check(), norm.double_value(&[]), of.policy)?,
            None => self.descent.step(mean.check(), training.clip, of.policy)?,
        };
        numbers.note_slope(NAME, slope, self.descent.scale());
        kept.into_iter().filter(|_| !slope.taken).for_each(Buffers::restore);
        Ok(())
    }

    /// The step with its update, which the device takes or leaves out by itself.
    fn whole_step(&mut self, of: &CriticStep, pictures: [&Tensor; 2], shares: &Tensor) -> Result<Made> {
        let kept = self.buffers(of);
        let made = self.descend(of, pictures, shares, 1, 1)?;
        let (norm, left_out) = self.descent.step_on_device(&made.terms, of_phase(of.phase)?.0.clip)?;
        kept.into_iter().for_each(|kept| kept.restore_if(&left_out));
        Ok(Made { norm: Some(norm), ..made })
    }

    /// What the step computes with and changes.
    fn reach(&self, whole: bool) -> Reach {
        let reach = Reach::of(self.network.store(), &[]);
        if whole { reach.with_update(&self.descent.optimizer, None) } else { reach }
    }

    /// What the step changes of the network beside its weights, where it may be left out.
    fn buffers(&self, of: &CriticStep) -> Option<Buffers> {
        self.descent.may_skip(of.policy).then(|| Buffers::of([self.network.store()]))
    }

    /// The terms of the part of a batch that comes at this place from 1 on, whose gradient is added to those of the
    /// parts before it, and the logits of HR and SR.
    fn descend(
        &self,
        of: &CriticStep,
        pictures: [&Tensor; 2],
        shares: &Tensor,
        place: usize,
        parts: usize,
    ) -> Result<Made> {
        if place == 1 {
            self.descent.optimizer.zero_grad();
        }
        let update = of_phase(of.phase)?.0.update(of.at.progress.step);
        let (terms, logits) = self.terms(of.phase, pictures, shares, update, true, of.precision)?;
        self.descent.backward(&(terms.total() / parts as f64), place == parts)?;
        Ok(Made::new(&terms, &logits))
    }

    /// Whether the discriminator is too far ahead for its update.
    fn is_held_back(&mut self, when: Option<Throttle>, loss: f64, right: f64) -> bool {
        match when {
            None => false,
            Some(Throttle::Accuracy { below }) => right >= below,
            Some(Throttle::Loss { above, decay }) => {
                let mean = self.mean_loss.map_or(loss, |mean| decay * mean + (1.0 - decay) * loss);
                self.mean_loss = Some(mean).filter(|mean| mean.is_finite()).or(self.mean_loss);
                mean <= above
            }
        }
    }

    /// What the discriminator minimises at its update of this number: what it pays for the two batches, and the penalties on
    /// its slopes, that of WGAN-GP at `shares` of HR. Beside it the logits of HR and SR.
    ///
    /// # Errors
    /// What libtorch says.
    pub(crate) fn terms(
        &self,
        phase: &Phase,
        [hr, sr]: [&Tensor; 2],
        shares: &Tensor,
        update: u64,
        train: bool,
        precision: Precision,
    ) -> Result<(Terms, [Tensor; 2])> {
        let (training, config) = of_phase(phase)?;
        let r1 = training.r1.filter(|r1| update.is_multiple_of(r1.every));
        let plain = |pictures: &Tensor| self.network.forward(pictures, train);
        // Penalties are gradients of gradients, which float32 alone is exact enough for.
        let kind = if training.gradient_penalty.is_some() || r1.is_some() { Kind::Float } else { precision.kind() };
        let judge = |pictures: &Tensor| abbe_torch::autocast(pictures.device(), kind, || plain(pictures));
        let (hr, sr) = (hr.detach().set_requires_grad(r1.is_some()), sr.detach());
        let (real, fake) = (judge(&hr)?.to_kind(Kind::Float), judge(&sr)?.to_kind(Kind::Float));
        let mut terms = vec![config.discriminator(&real, &fake, self.ranks.as_ref())];
        if let Some(penalty) = training.gradient_penalty {
            terms.push(penalty.term(plain, &hr, &sr, &shares.to_device(hr.device()))?);
        }
        if let Some(r1) = r1 {
            terms.push(r1.term(&real, &hr)?);
        }
        Ok((Terms(terms), [real, fake]))
    }
}

/// The mean of the discriminator's answers over the parts of a batch.
#[derive(Default)]
struct Answers {
    real: f64,
    fake: f64,
    right: f64,
    parts: f64,
}

impl Answers {
    /// Adds those of the logits of HR and SR.
    fn add(&mut self, config: &adversarial::Config, logits: &[Tensor], ranks: Option<&ProcessGroup>) {
        let [real, fake] = logits else { return };
        self.real += config.answer(real);
        self.fake += config.answer(fake);
        self.right += config.right(real, fake, ranks);
        self.parts += 1.0;
    }

    /// The mean over the ranks.
    fn over(&mut self, group: Option<&ProcessGroup>) -> Result<()> {
        if let Some(group) = group {
            let sums = Tensor::from_slice(&[self.real, self.fake, self.right]);
            group.all_reduce_mean(&[sums.shallow_clone()])?;
            [self.real, self.fake, self.right] = [0, 1, 2].map(|place| sums.double_value(&[place]));
        }
        Ok(())
    }

    /// The part of the answers that are right.
    fn right(&self) -> f64 {
        self.right / self.parts
    }

    fn note(&self, config: &adversarial::Config, numbers: &mut Numbers) {
        for (name, sum) in [("real", self.real), ("fake", self.fake)] {
            numbers.discriminator.insert(name.into(), json_number(sum / self.parts));
        }
        if config.form != Form::Wasserstein {
            numbers.health.insert("right_discriminator".into(), json_number(self.right()));
        } // whose critic calls nothing real or fake
    }
}
