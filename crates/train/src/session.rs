//! What lasts over all phases of a training: the trainer, the pictures, the log and the checkpoints.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use abbe_data::patches::Sampler;
use abbe_models::vgg;
use abbe_run::{BestRecord, Events, Log, LogRow, RunFolder};
use abbe_torch::ProcessGroup;
use anyhow::{Context, Result, ensure};
use tch::Device;

use crate::batches::{Batch, Batches, Pictures};
use crate::check;
use crate::experiment::{Experiment, Phase, Progress};
use crate::health::Watch;
use crate::networks::Networks;
use crate::numbers::Numbers;
use crate::trainer::{At, Trainer};
use crate::validation::Validator;

/// Called after each step with its row of the log.
pub type Report<'a> = &'a mut dyn FnMut(&LogRow);

/// What a training is given.
pub struct Setup<'a> {
    /// What to do.
    pub experiment: &'a Experiment,
    /// Cuts the patches; see [`Experiment::sampler`].
    pub sampler: Arc<Sampler>,
    /// SHA-256 over the training pictures: a training goes on with no others.
    pub data: String,
    /// What the weights of VGG are, where a loss has it ([`OpenVgg::identity`](crate::OpenVgg)): it goes on with no others.
    pub vgg: Option<String>,
    /// Where to compute.
    pub device: Device,
    /// The ranks that train together: each on its share of every batch, and the first alone writes and validates.
    pub group: Option<ProcessGroup>,
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
    /// The networks and what trains them.
    pub trainer: Trainer<'a>,
    /// The best checkpoints so far.
    pub best: Vec<BestRecord>,
    /// Index of the phase and the step of it that comes next.
    pub(crate) next: (usize, u64),
    /// What the validations of this phase have found, the higher the better.
    pub(crate) scores: Vec<f64>,
    /// Seconds of training before it was cut off.
    pub(crate) seconds_before: f64,
    pub(crate) started: Instant,
    /// Of the last step, where its validation has not come to an end: all but what that would find.
    pub(crate) unfinished: Option<LogRow>,
    /// Of the phase that goes on.
    pub(crate) watch: Watch,
    /// Of the phase that goes on.
    pub(crate) events: Option<Events>,
    pub(crate) log: Option<Log>,
    pictures: Pictures,
}

/// Seconds of a step.
pub(crate) struct Times {
    /// Until its data was there.
    pub(crate) waiting: f64,
    /// Until it was done.
    pub(crate) all: f64,
}

impl<'a> Session<'a> {
    /// A training of `networks` that has not begun; it may be made to go on from where an earlier one was, by
    /// [`Session::resume`](crate::Session::resume).
    ///
    /// # Errors
    /// Pictures that do not fit onto the device, a precision that it does not have.
    pub fn new(setup: Setup<'a>, networks: Networks, vgg: Option<vgg::Features>) -> Result<Self> {
        let pictures = Pictures::new(&setup)?;
        let trainer = Trainer::new(setup.experiment, networks, vgg, setup.device, setup.group.clone())?;
        if let Some(group) = &setup.group {
            group.check_equal("the training pictures", &setup.data)?;
            group.check_equal("the weights of VGG", &setup.vgg)?;
            group.check_equal("the precision", &trainer.precision.name())?;
        }
        let (batch, (_, ranks)) = (setup.experiment.data.batch, trainer.rank());
        let mut parts = setup.experiment.phases.iter().map(|phase| phase.accumulate * ranks as usize);
        ensure!(
            parts.all(|parts| batch.is_multiple_of(parts)),
            "data.batch: {batch} patches cannot be shared out to {ranks} ranks, each with `accumulate` parts"
        );
        Ok(Session {
            setup,
            trainer,
            best: Vec::new(),
            next: (0, 0),
            scores: Vec::new(),
            seconds_before: 0.0,
            started: Instant::now(),
            unfinished: None,
            watch: Watch::default(),
            events: None,
            log: None,
            pictures,
        })
    }

    /// Runs the phase that comes next, from its next step.
    ///
    /// # Errors
    /// Those of [`train`](crate::train).
    pub(crate) fn run_phase(&mut self, report: Report) -> Result<()> {
        let (index, from) = self.next;
        self.begin_phase(index)?;
        self.end_unfinished(report)?;
        let mut batches = self.batches(index, from)?;
        for step in from..self.steps(index) {
            let asked = Instant::now();
            let Some(batch) = batches.next() else { break };
            let (batch, waiting) = (batch?, asked.elapsed().as_secs_f64());
            let numbers = self.step(step, &batch).with_context(|| format!("at step {step}"))?;
            let times = Times { waiting, all: asked.elapsed().as_secs_f64() };
            self.end_step(step, numbers, &times, report)?;
        }
        self.end_phase(index)
    }

    /// Takes a step of the phase that goes on.
    fn step(&mut self, step: u64, batch: &Batch) -> Result<Numbers> {
        let (index, scores) = (self.next.0, std::mem::take(&mut self.scores));
        let at = self.at(index, step, &scores);
        let taken = check::in_memory(|| self.trainer.step(index, at, batch));
        self.scores = scores;
        let phase = &self.setup.experiment.phases[index];
        taken.unwrap_or_else(|| Err(check::too_much(self, phase, batch)))
    }

    /// Begins the log where it has not begun, what TensorBoard shows of a phase, and the phase's optimisers.
    fn begin_phase(&mut self, index: usize) -> Result<()> {
        if self.next.1 == 0 {
            self.trainer.take_average(index)?;
        }
        self.trainer.begin_phase(index)?;
        if !self.writes() {
            return Ok(());
        }
        let goes_on = self.log.is_none() && self.next != (0, 0);
        if self.log.is_none() {
            self.log = Some(self.open_log()?);
        }
        let phase = &self.setup.experiment.phases[index];
        let mut events = Events::create(&self.setup.folder.tensorboard(&phase.name))?;
        if goes_on {
            events.restart(self.logged())?;
        }
        if let Some(validator) = &self.setup.validator {
            events.pictures(self.next.1, validator.references.clone())?;
        }
        self.events = Some(events);
        Ok(())
    }

    /// A new log, or the one of the training that this one goes on with.
    fn open_log(&self) -> Result<Log> {
        let path = self.setup.folder.log();
        if self.next == (0, 0) {
            return Ok(Log::create(&path)?);
        }
        let (index, step) = (self.next.0, self.logged());
        let place = |row: &LogRow| self.setup.experiment.phases.iter().position(|phase| phase.name == row.phase);
        Ok(Log::resume(&path, |row| place(row).is_some_and(|at| at < index || (at == index && row.step < step)))?)
    }

    /// How many steps of the phase that goes on have come to their end.
    fn logged(&self) -> u64 {
        self.next.1.saturating_sub(self.unfinished.is_some().into())
    }

    /// Where a step of a phase stands.
    pub(crate) fn at<'s>(&self, index: usize, step: u64, scores: &'s [f64]) -> At<'s> {
        let progress = Progress { step, steps: self.steps(index), scores };
        At { progress, number: self.numbers(index).start + step }
    }

    /// The patches of a step that this rank trains on.
    fn share(&self) -> std::ops::Range<u64> {
        let (rank, ranks) = self.trainer.rank();
        let share = self.setup.experiment.data.batch as u64 / ranks as u64;
        share * rank as u64..share * (rank as u64 + 1)
    }

    /// Whether this process is the one that writes.
    pub(crate) fn writes(&self) -> bool {
        self.trainer.rank().0 == 0
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

    /// The batches of a phase, from a step of it on.
    ///
    /// # Errors
    /// When the system refuses a thread.
    fn batches(&self, index: usize, from: u64) -> Result<Batches> {
        let (data, numbers) = (&self.setup.experiment.data, self.numbers(index));
        self.pictures.batches(numbers.start + from..numbers.end, self.share(), data.workers)
    }

    /// The first batch of a phase.
    ///
    /// # Errors
    /// A degradation that fails.
    pub(crate) fn first_batch(&self, index: usize) -> Result<Batch> {
        self.pictures.batch(self.numbers(index).start, self.share())
    }
}

impl Phase {
    /// The learning rate of its network at a step.
    pub(crate) fn rate(&self, progress: Progress) -> f64 {
        let factor = self.warm_up.map_or(1.0, |warm_up| warm_up.factor(progress.step));
        factor * self.schedule.at(self.optimizer.lr(), progress)
    }
}
