//! The step of the network that a phase trains.

use anyhow::{Context, Result};
use tch::Tensor;

use crate::batches::Batch;
use crate::buffers::Buffers;
use crate::descent::Slope;
use crate::experiment::Phase;
use crate::numbers::{Mean, Numbers};
use crate::trainer::{At, Trainer};

impl Trainer<'_> {
    /// One step down the gradient of the phase's loss, the mean over the parts of the batch. Gives SR of each part, without
    /// gradient.
    ///
    /// # Errors
    /// A loss or gradient that is not finite, where the experiment does not let it pass; what libtorch says.
    pub(crate) fn generator_step(
        &mut self,
        phase: &Phase,
        at: At,
        parts: &[Batch],
        numbers: &mut Numbers,
    ) -> Result<Vec<Tensor>> {
        numbers.lr = phase.rate(at.progress);
        self.networks.trainees[&phase.network].descent.begin(numbers.lr);
        let kept = self.buffers(phase);
        let (mut made, mut mean) = (Vec::new(), Mean::default());
        for (place, part) in (1..).zip(parts) {
            let trainee = &self.networks.trainees[&phase.network];
            let sr = trainee.forward(phase, &part.lr, true, self.precision)?;
            let terms = self.terms(phase, part, &sr, true)?;
            trainee.descent.backward(&(terms.total() / parts.len() as f64), place == parts.len())?;
            mean.add(&terms)?;
            made.push(sr.detach());
        }
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
        Ok(made)
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
