//! What lasts over all phases of a training: the networks, their optimisers, the log and the checkpoints.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use abbe_checkpoint::{TrainingState, WriteOptions};
use abbe_data::patches::Sampler;
use abbe_models::{Card, vgg};
use abbe_run::{BestRecord, Events, Log, LogRow, RunFolder, json_number};
use abbe_torch::Adam;
use anyhow::{Context, Result, bail, ensure};
use indexmap::IndexMap;
use tch::{Device, Tensor};

use crate::batches::{Batches, Pictures};
use crate::experiment::{Experiment, Optimizer, Phase};
use crate::loss::{Inputs, Numbers, Terms};
use crate::networks::{Critic, Networks, Trainee};
use crate::optimizer_state::of_adam;
use crate::validation::{Measured, Validator};

/// Called after each step with its row of the log.
pub type Report<'a> = &'a mut dyn FnMut(&LogRow);

/// What a training is given.
pub struct Setup<'a> {
    /// What to do.
    pub experiment: &'a Experiment,
    /// Cuts the patches; see [`Experiment::sampler`].
    pub sampler: Arc<Sampler>,
    /// Where to compute.
    pub device: Device,
    /// Where to write.
    pub folder: &'a RunFolder,
    /// What the checkpoints of networks that are trained in features of VGG say of it, such as random VGG weights.
    pub notices: &'a [String],
    /// Looks at whole pictures while training goes on, where the experiment wants it.
    pub validator: Option<Validator<'a>>,
    /// Set by Ctrl-C: training stops after the step it is at.
    pub stop: &'a AtomicBool,
}

/// A training in progress.
pub struct Session<'a> {
    /// What it was given.
    pub setup: Setup<'a>,
    /// By their names in the experiment.
    pub trainees: IndexMap<String, Trainee>,
    /// The best checkpoints so far.
    pub best: Vec<BestRecord>,
    /// When a phase is adversarial.
    pub(crate) critic: Option<Critic>,
    /// When a phase has a content or style loss.
    vgg: Option<vgg::Features>,
    pictures: Pictures,
    log: Log,
    /// Of the phase that goes on.
    events: Option<Events>,
    started: Instant,
}

impl<'a> Session<'a> {
    /// Begins a training of `networks`.
    ///
    /// # Errors
    /// A log that cannot be written, pictures that do not fit onto the device.
    pub fn new(setup: Setup<'a>, networks: Networks, vgg: Option<vgg::Features>) -> Result<Self> {
        let log = Log::create(&setup.folder.log())?;
        let Networks { trainees, critic } = networks;
        let pictures = Pictures::new(&setup)?;
        let (best, events, started) = (Vec::new(), None, Instant::now());
        Ok(Session { setup, trainees, best, critic, vgg, pictures, log, events, started })
    }

    /// Begins what TensorBoard shows of a phase.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub(crate) fn begin_phase(&mut self, index: usize) -> Result<()> {
        let phase = &self.setup.experiment.phases[index];
        let mut events = Events::create(&self.setup.folder.tensorboard(&phase.name))?;
        if let Some(validator) = &self.setup.validator {
            events.pictures(0, validator.references.clone())?;
        }
        self.events = Some(events);
        Ok(())
    }

    /// Steps of the phase with this index.
    pub fn steps(&self, index: usize) -> u64 {
        self.setup.experiment.steps(index, self.setup.sampler.pictures())
    }

    /// The steps of a phase among those of all phases: patches are numbered through, so that no phase repeats another's.
    pub(crate) fn numbers(&self, index: usize) -> std::ops::Range<u64> {
        let start = (0..index).map(|earlier| self.steps(earlier)).sum();
        start..start + self.steps(index)
    }

    /// The batches of a phase.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub(crate) fn batches(&self, index: usize) -> Result<Batches> {
        let data = &self.setup.experiment.data;
        self.pictures.batches(self.numbers(index), data.batch, data.workers)
    }

    /// The first batch of a phase: lr and hr.
    ///
    /// # Errors
    /// A degradation that fails.
    pub(crate) fn first_batch(&self, index: usize) -> Result<(Tensor, Tensor)> {
        self.pictures.batch(self.numbers(index).start, self.setup.experiment.data.batch)
    }

    /// The terms of a phase's loss. With `train` the discriminator's batch norm sees the batch as in training.
    ///
    /// # Errors
    /// A VGG layer that does not exist, a picture too small for it.
    pub(crate) fn terms(&self, phase: &Phase, sr: &Tensor, hr: &Tensor, train: bool) -> Result<Terms> {
        let inputs = Inputs { sr, hr, vgg: self.vgg.as_ref(), judgement: None };
        let mut terms: Vec<_> = phase.loss.of_pictures().map(|loss| loss.term(&inputs)).collect::<Result<_>>()?;
        if let (Some(critic), Some(_)) = (&self.critic, &phase.discriminator) {
            let judgement = critic.judge(&phase.loss, sr, hr, train);
            let inputs = Inputs { judgement: Some(&judgement), ..inputs };
            terms.extend(phase.loss.of_judgement().map(|loss| loss.term(&inputs)).collect::<Result<Vec<_>>>()?);
        }
        Ok(Terms(terms))
    }

    /// Ends a step: validates where that is due, logs its numbers, keeps the checkpoints that are due, and stops when told
    /// to.
    ///
    /// # Errors
    /// A validation that fails, a file that cannot be written, Ctrl-C.
    pub(crate) fn end_step(&mut self, index: usize, step: u64, numbers: Numbers, report: Report) -> Result<()> {
        let experiment = self.setup.experiment;
        let phase = &experiment.phases[index];
        let steps_per_epoch = experiment.steps_per_epoch(self.setup.sampler.pictures());
        let measured = match self.validate(index, step) {
            Ok(measured) => measured,
            Err(error) => return Err(self.rescue(index, step, error)),
        };
        let Measured { values, pictures } = measured.unwrap_or_default();
        let row = LogRow {
            phase: phase.name.clone(),
            step,
            epoch: step / steps_per_epoch,
            seconds: self.started.elapsed().as_secs_f64(),
            lr: self.trainees[&phase.network].adam.config.lr,
            terms: numbers.weighted,
            raw: numbers.raw,
            discriminator: numbers.discriminator,
            validation: values.iter().map(|(name, value)| (name.clone(), json_number(*value))).collect(),
        };
        self.log.write(&row)?;
        if let Some(events) = &mut self.events {
            events.row(&row)?;
            events.pictures(step, pictures)?;
        }
        report(&row);
        self.keep_best(phase, step, &values)?;
        let epochs = (step + 1) / steps_per_epoch;
        if (step + 1).is_multiple_of(steps_per_epoch) && phase.save_epochs.contains(&epochs) {
            self.save(phase, &format!("epoch_{epochs}"), None)?;
        }
        if self.setup.stop.load(Ordering::Relaxed) {
            let path = self.save_all(index, "interrupted", step + 1)?;
            bail!("stopped by Ctrl-C after step {step}; the weights so far are in {}", path.display());
        }
        Ok(())
    }

    /// Keeps what was trained when something beside the training fails, and says where it is.
    fn rescue(&self, index: usize, step: u64, error: anyhow::Error) -> anyhow::Error {
        match self.save_all(index, "interrupted", step + 1) {
            Ok(path) => error.context(format!("stopped; the weights so far are in {}", path.display())),
            Err(_) => error, // weights that cannot be saved are no comfort
        }
    }

    /// Ends a phase with its final checkpoints.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub(crate) fn end_phase(&self, index: usize) -> Result<()> {
        self.save_all(index, "final", self.steps(index)).map(drop)
    }

    /// Saves all that the phase has trained in so many steps: its network, the discriminator when it trains that, and the
    /// states of their optimisers in this order, in the file that BasicSR calls a training state. It has no schedulers:
    /// here the learning rate follows from the step alone.
    fn save_all(&self, index: usize, stage: &str, steps: u64) -> Result<PathBuf> {
        let phase = &self.setup.experiment.phases[index];
        let path = self.save(phase, stage, None)?;
        let mut optimizers = vec![of_adam(&self.trainees[&phase.network].adam).to_value()];
        if let (Some(_), Some(critic)) = (&phase.discriminator, &self.critic) {
            let path = self.setup.folder.checkpoint(&format!("{}_discriminator_{stage}", phase.name));
            abbe_checkpoint::save_state_dict(&path, &critic.network.store().state_dict(), None)?;
            optimizers.push(of_adam(&critic.adam).to_value());
        }
        let epoch = steps.saturating_sub(1) / self.setup.experiment.steps_per_epoch(self.setup.sampler.pictures());
        let state = TrainingState { epoch, iter: steps, optimizers, schedulers: vec![], more: vec![] };
        let state_path = self.setup.folder.training_state(&format!("{}_{stage}", phase.name));
        abbe_checkpoint::write(state_path, &state.to_value(), &WriteOptions::default())?;
        Ok(path)
    }

    /// Saves the network of a phase; `notice` is what whoever uses the checkpoint must know beside what is known anyway.
    pub(crate) fn save(&self, phase: &Phase, stage: &str, notice: Option<&String>) -> Result<PathBuf> {
        let path = self.setup.folder.checkpoint(&format!("{}_{stage}", phase.name));
        let network = *self.setup.experiment.network(&phase.network)?;
        let model = self.trainees[&phase.network].model.as_ref();
        let finite = |weights: &Tensor| weights.isfinite().all().int64_value(&[]) == 1;
        ensure!(
            model.store().parameters().iter().all(finite),
            "the weights of `{}` are no longer finite",
            phase.network
        );
        let meets_vgg = |other: &Phase| other.network == phase.network && other.loss.layers().next().is_some();
        let met_vgg = self.setup.experiment.phases.iter().any(meets_vgg);
        let of_start = &self.trainees[&phase.network].origin.notices;
        let of_vgg = if met_vgg { self.setup.notices } else { &[] };
        let new = of_vgg.iter().chain(notice).filter(|notice| !of_start.contains(notice));
        let notices = of_start.iter().chain(new).cloned().collect();
        abbe_models::save(&path, model, &Card { network, notices, sources: Vec::new() })?;
        Ok(path)
    }
}

impl Trainee {
    /// SR for `lr`, as the losses of the phase see it.
    pub(crate) fn forward(&self, phase: &Phase, lr: &Tensor, train: bool) -> Tensor {
        let sr = self.model.forward(lr, train);
        if phase.clamp_output { sr.clamp(0.0, 1.0) } else { sr }
    }

    /// One step down the gradient of `terms`, with the learning rate of this step.
    ///
    /// # Errors
    /// What libtorch says.
    pub(crate) fn step(&mut self, phase: &Phase, lr: f64, terms: &Terms) -> Result<()> {
        self.adam.config = Optimizer { lr, ..phase.optimizer }.into();
        descend(&mut self.adam, terms, phase.clamp_gradient)
    }
}

/// One step of `adam` down the gradient of `terms`.
///
/// # Errors
/// What libtorch says.
pub(crate) fn descend(adam: &mut Adam, terms: &Terms, clamp_gradient: Option<f64>) -> Result<()> {
    adam.zero_grad();
    terms.total().f_backward()?;
    if let Some(limit) = clamp_gradient {
        adam.clamp_gradients(limit);
    }
    adam.step().context("Adam")
}
