//! The step of the network that a phase trains.

use abbe_models::Store;
use anyhow::{Context, Result};
use tch::Tensor;

use crate::batches::Batch;
use crate::buffers::Buffers;
use crate::descent::Slope;
use crate::experiment::Phase;
use crate::numbers::{Mean, Numbers};
use crate::recorder::Made;
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
        self.networks.trainees[&phase.network].descent.optimizer.set_lr(numbers.lr);
        let kept = self.buffers(phase);
        let (mut srs, mut mean) = (Vec::new(), Mean::default());
        let mut graph = std::mem::take(&mut self.graphs.generator);
        for (place, part) in (1..).zip(parts) {
            let inputs = [&part.lr, &part.hr, &part.real];
            let made =
                graph.run(&self.stores(phase), inputs, |inputs| self.descend(phase, inputs, place, parts.len()))?;
            mean.add(&made.terms)?;
            srs.extend(made.tensors);
        }
        self.graphs.generator = graph;
        mean.over(self.group.as_ref())?;
        mean.note(numbers);
        numbers.weighted.insert("total".into(), abbe_run::json_number(mean.total()));
        let policy = self.experiment.non_finite;
        let trainee = &mut self.networks.trainees[&phase.network];
        let slope = trainee.descent.step(mean.check(), phase.clip, policy);
        let slope = slope.with_context(|| format!("`{}`", phase.network))?;
        numbers.note_slope(&phase.network, slope, trainee.descent.scale());
        if !slope.taken {
            kept.into_iter().for_each(Buffers::restore);
        } else if let Some(ema) = &mut trainee.ema {
            ema.update(trainee.model.store())?;
        }
        Ok(srs)
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
