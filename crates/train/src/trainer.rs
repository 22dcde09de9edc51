//! One step of training: a batch of pictures in, changed weights and the step's numbers out. It writes no file and knows no
//! log, so that it can be measured by itself.

use abbe_models::vgg;
use abbe_torch::ProcessGroup;
use anyhow::{Context, Result};
use tch::{Cuda, Tensor};

use crate::batches::Batch;
use crate::buffers;
use crate::experiment::{Experiment, Phase, Precision, Progress};
use crate::health;
use crate::loss::{Inputs, Perception, Terms};
use crate::networks::{self, Networks};
use crate::numbers::Numbers;
use crate::recorder::Graphs;

/// The networks of an experiment, and how they are trained.
pub struct Trainer<'a> {
    /// What to do.
    pub experiment: &'a Experiment,
    /// What is trained.
    pub networks: Networks,
    /// When a phase has a content or style loss.
    pub(crate) vgg: Option<vgg::Features>,
    /// The ranks that train together, each on its share of every batch.
    pub group: Option<ProcessGroup>,
    /// In what networks compute; never [`Precision::Auto`].
    pub precision: Precision,
    /// Those of the phase's steps that a GPU has as graphs.
    pub(crate) graphs: Graphs,
}

/// Where a step stands.
#[derive(Debug, Clone, Copy)]
pub struct At<'a> {
    /// How far its phase is.
    pub progress: Progress<'a>,
    /// Its number among the steps of all phases.
    pub number: u64,
}

impl<'a> Trainer<'a> {
    /// Will train `networks` as `experiment` says, which has VGG's features where it has a loss in them.
    ///
    /// # Errors
    /// What libtorch says of the precision.
    pub fn new(
        experiment: &'a Experiment,
        mut networks: Networks,
        vgg: Option<vgg::Features>,
        device: tch::Device,
        group: Option<ProcessGroup>,
    ) -> Result<Self> {
        let precision = experiment.precision.resolved(device);
        abbe_torch::allow_tf32(precision != Precision::F32)?;
        abbe_torch::set_deterministic(experiment.deterministic)?;
        Cuda::cudnn_set_benchmark(device.is_cuda() && !experiment.deterministic); // batches are of one size
        vgg.iter().for_each(|vgg| networks::lay_for(device, vgg.store()));
        let trainees = networks.trainees.values_mut().map(|trainee| &mut trainee.descent);
        let critic = networks.critic.iter_mut().map(|critic| &mut critic.descent);
        trainees.chain(critic).for_each(|descent| descent.prepare(precision));
        networks.critic.iter_mut().for_each(|critic| critic.ranks = group.clone());
        Ok(Trainer { experiment, networks, vgg, group, precision, graphs: Graphs::default() })
    }

    /// Gets ready for the phase with this index.
    ///
    /// # Errors
    /// A pattern of names that matches no parameter.
    pub fn begin_phase(&mut self, index: usize) -> Result<()> {
        let phase = &self.experiment.phases[index];
        let (networks, group) = (&mut self.networks, self.group.as_ref());
        let trainee = &mut networks.trainees[&phase.network];
        trainee.begin(phase)?;
        trainee.descent.join(group)?;
        if let Some(critic) = &mut networks.critic {
            critic.begin(phase)?;
            critic.descent.join(group)?;
        }
        let device = self.networks.trainees[&phase.network].model.store().device();
        self.graphs.begin(self.experiment, phase, self.precision, device, self.group.is_some());
        Ok(())
    }

    /// Lets the phase with this index begin with the average of its network where it wants that: once, before its first step.
    ///
    /// # Errors
    /// Those of [`Optimizer::new`](crate::optimizer::Optimizer::new).
    pub(crate) fn take_average(&mut self, index: usize) -> Result<()> {
        let phase = &self.experiment.phases[index];
        self.networks.trainees[&phase.network].take_average(phase)
    }

    /// The number of this rank among the ranks, and theirs.
    pub(crate) fn rank(&self) -> (i64, i64) {
        self.group.as_ref().map_or((0, 1), |group| (group.rank() as i64, group.size() as i64))
    }

    /// One step of the phase with this index: of its network, and of the discriminator where that is due.
    ///
    /// # Errors
    /// A loss or gradient that is not finite, where the experiment does not let it pass; what libtorch says.
    pub fn step(&mut self, index: usize, at: At, batch: &Batch) -> Result<Numbers> {
        let phase = &self.experiment.phases[index];
        if let Some(group) = &self.group {
            let average = self.networks.trainees[&phase.network].ema.iter().map(|ema| ema.model().store());
            buffers::share(group, self.stores(phase).into_iter().chain(average))?;
        }
        let parts = batch.parts(phase.accumulate);
        let step = at.progress.step;
        let mut numbers = Numbers { lr: phase.rate(at.progress), ..Numbers::default() };
        let trains = phase.discriminator.as_ref().is_none_or(|training| training.trains_generator(step));
        let made = match trains {
            true => self.generator_step(phase, &parts, &mut numbers)?,
            false => self.only_forward(phase, &parts)?,
        };
        health::note_contrast(step, &made[0], &parts[0].hr, &mut numbers);
        if phase.discriminator.as_ref().is_some_and(|training| training.is_due(step)) {
            self.critic_step(phase, at, &parts, &made, &mut numbers)?;
        }
        numbers.notices = self.graphs.notices();
        Ok(numbers)
    }

    /// The terms of a phase's loss. With `train` the discriminator's batch norm sees the batch as in training.
    ///
    /// # Errors
    /// A VGG layer that does not exist, a picture too small for it.
    pub(crate) fn terms(&self, phase: &Phase, batch: &Batch, sr: &Tensor, train: bool) -> Result<Terms> {
        let (kind, wanted) = (self.precision.of_vgg(), phase.loss.features());
        let vgg = self.vgg.as_ref().map(|vgg| Perception::new(vgg, kind, wanted, [sr, &batch.hr])).transpose()?;
        let average = phase.loss.ldl.is_some().then(|| self.average(phase, &batch.lr)).transpose()?;
        let inputs = Inputs { sr, hr: &batch.hr, sr_average: average.as_ref(), vgg: vgg.as_ref(), judgement: None };
        let mut terms: Vec<_> = phase.loss.of_pictures().map(|loss| loss.term(&inputs)).collect::<Result<_>>()?;
        if let (Some(critic), Some(_)) = (&self.networks.critic, &phase.discriminator) {
            let judgement = critic.judge(&phase.loss, sr, &batch.real, train, self.precision)?;
            let inputs = Inputs { judgement: Some(&judgement), ..inputs };
            terms.extend(phase.loss.of_judgement().map(|loss| loss.term(&inputs)).collect::<Result<Vec<_>>>()?);
        }
        Ok(Terms(terms))
    }

    /// What the averaged network makes of `lr`.
    fn average(&self, phase: &Phase, lr: &Tensor) -> Result<Tensor> {
        let ema = self.networks.trainees[&phase.network].ema.as_ref();
        let ema = ema.with_context(|| format!("ema.{}: the loss needs it", phase.network))?;
        tch::no_grad(|| crate::networks::output(ema.model(), phase, lr, false, self.precision))
    }
}
