//! The step of the network that a phase trains.

use abbe_models::Store;
use anyhow::{Context, Result};
use tch::Tensor;

use crate::batches::Batch;
use crate::buffers::Buffers;
use crate::descent::Slope;
use crate::experiment::Phase;
use crate::numbers::{Mean, Numbers};
use crate::recorder::{Made, Reach};
use crate::trainer::Trainer;

impl Trainer<'_> {
    /// One step down the gradient of the phase's loss, the mean over the parts of the batch. Gives SR of each part, without
    /// gradient.
    ///
    /// # Errors
    /// A loss or gradient that is not finite, where the experiment does not let it pass; what libtorch says.
    pub(crate) fn generator_step(
        &mut self,
        phase: &Phase,
        parts: &[Batch],
        numbers: &mut Numbers,
    ) -> Result<Vec<Tensor>> {
        let mut graph = std::mem::take(&mut self.graphs.generator);
        let whole = graph.whole;
        self.networks.trainees[&phase.network].set_lr(numbers.lr, whole);
        let kept = if whole { None } else { self.buffers(phase) };
        let (mut srs, mut mean, mut norm) = (Vec::new(), Mean::default(), None);
        for (place, part) in (1..).zip(parts) {
            let work = |trainer: &mut Self, inputs: [&Tensor; 3]| match whole {
                true => trainer.whole_step(phase, inputs),
                false => trainer.descend(phase, inputs, place, parts.len()),
            };
            let inputs = [&part.lr, &part.hr, &part.real];
            let made = graph.run(self, inputs, |trainer| trainer.reach(phase, whole), work)?;
            mean.add(&made.terms)?;
            srs.extend(made.tensors);
            norm = made.norm;
        }
        self.graphs.generator = graph;
        mean.over(self.group.as_ref())?;
        mean.note(numbers);
        numbers.weighted.insert("total".into(), abbe_run::json_number(mean.total()));
        let policy = self.experiment.non_finite;
        let trainee = &mut self.networks.trainees[&phase.network];
        let slope = match norm {
            Some(norm) => trainee.descent.account(mean.check(), norm.double_value(&[]), policy),
            None => trainee.descent.step(mean.check(), phase.clip, policy),
        };
        let slope = slope.with_context(|| format!("`{}`", phase.network))?;
        numbers.note_slope(&phase.network, slope, trainee.descent.scale());
        match &mut trainee.ema {
            _ if !slope.taken => kept.into_iter().for_each(Buffers::restore),
            Some(ema) if whole => ema.count(),
            Some(ema) => ema.update(trainee.model.store())?,
            None => {}
        }
        Ok(srs)
    }

    /// The step with its update, which the device takes or leaves out by itself.
    fn whole_step(&mut self, phase: &Phase, inputs: [&Tensor; 3]) -> Result<Made> {
        let kept = self.buffers(phase);
        let made = self.descend(phase, inputs, 1, 1)?;
        let trainee = &mut self.networks.trainees[&phase.network];
        let (norm, left_out) = trainee.descent.step_on_device(&made.terms, phase.clip)?;
        kept.into_iter().for_each(|kept| kept.restore_if(&left_out));
        if let Some(ema) = &trainee.ema {
            ema.update_unless(trainee.model.store(), &left_out)?;
        }
        Ok(Made { norm: Some(norm), ..made })
    }

    /// The terms of the part of a batch that comes at this place from 1 on, whose gradient is added to those of the
    /// parts before it, and SR. Nothing of it waits for the device.
    fn descend(&self, phase: &Phase, [lr, hr, real]: [&Tensor; 3], place: usize, parts: usize) -> Result<Made> {
        let trainee = &self.networks.trainees[&phase.network];
        if place == 1 {
            trainee.descent.optimizer.zero_grad();
        }
        let part = Batch { lr: lr.shallow_clone(), hr: hr.shallow_clone(), real: real.shallow_clone() };
        let sr = trainee.forward(phase, lr, true, self.precision)?;
        let terms = self.terms(phase, &part, &sr, true)?;
        trainee.descent.backward(&(terms.total() / parts as f64), place == parts)?;
        Ok(Made::new(&terms, [&sr]))
    }

    /// What the generator's step computes with and changes.
    fn reach(&self, phase: &Phase, whole: bool) -> Reach {
        let trainee = &self.networks.trainees[&phase.network];
        let (own, others) = (trainee.model.store(), &self.stores(phase)[1..]);
        let reach = Reach::of(own, others);
        match whole {
            true => reach.with_update(&trainee.descent.optimizer, trainee.ema.as_ref()),
            false => reach,
        }
    }

    /// The networks that the generator's step computes with, its own first.
    pub(crate) fn stores(&self, phase: &Phase) -> Vec<&Store> {
        let own = self.networks.trainees[&phase.network].model.store();
        std::iter::once(own).chain(self.networks.critic.iter().map(|critic| critic.network.store())).collect()
    }

    /// What the step changes of the network and, by its judgement, of the discriminator, where the step may be left out.
    fn buffers(&self, phase: &Phase) -> Option<Buffers> {
        let trainee = &self.networks.trainees[&phase.network];
        let critic = self.networks.critic.iter().map(|critic| critic.network.store());
        let may_skip = trainee.descent.may_skip(self.experiment.non_finite);
        may_skip.then(|| Buffers::of(critic.chain([trainee.model.store()])))
    }

    /// SR of each part where the network stays as it is, the statistics of its batch norm too.
    pub(crate) fn only_forward(&self, phase: &Phase, parts: &[Batch]) -> Result<Vec<Tensor>> {
        let trainee = &self.networks.trainees[&phase.network];
        parts.iter().map(|part| tch::no_grad(|| trainee.forward(phase, &part.lr, false, self.precision))).collect()
    }
}

impl Numbers {
    /// Notes what became of a network's step.
    pub(crate) fn note_slope(&mut self, network: &str, slope: Slope, scale: Option<f64>) {
        self.health.insert(format!("gradient_{network}"), abbe_run::json_number(slope.norm));
        if !slope.taken {
            self.health.insert(format!("skipped_{network}"), 1.into());
        }
        if let Some(scale) = scale {
            self.health.insert(format!("loss_scale_{network}"), scale.into());
        }
    }
}
