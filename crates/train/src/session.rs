//! What lasts over all phases of a training: the trainer, the pictures, the log and the checkpoints.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use abbe_data::patches::Sampler;
use abbe_models::vgg;
use abbe_run::{BestRecord, Events, Log, LogRow, RunFolder, json_number};
use abbe_torch::ProcessGroup;
use anyhow::{Result, bail, ensure};
use tch::{Device, Tensor};

use crate::batches::{Batch, Batches, Pictures};
use crate::experiment::{Experiment, Phase, Progress};
use crate::health::{Watch, memory};
use crate::networks::Networks;
use crate::numbers::Numbers;
use crate::trainer::{At, Trainer};
use crate::validation::{Measured, Validator};

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
    pictures: Pictures,
    log: Option<Log>,
    /// Of the phase that goes on.
    events: Option<Events>,
    watch: Watch,
    started: Instant,
}

/// Seconds of a step.
struct Times {
    waiting: f64,
    all: f64,
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
            group.check_equal("the precision", &trainer.precision.name())?;
        }
        let (batch, (_, ranks)) = (setup.experiment.data.batch, trainer.rank());
        let mut parts = setup.experiment.phases.iter().map(|phase| phase.accumulate * ranks as usize);
        ensure!(
            parts.all(|parts| batch.is_multiple_of(parts)),
            "data.batch: {batch} patches cannot be shared out to {ranks} ranks, each with `accumulate` parts"
        );
        let (best, scores, watch) = (Vec::new(), Vec::new(), Watch::default());
        let (next, seconds_before, started) = ((0, 0), 0.0, Instant::now());
        Ok(Session {
            setup,
            trainer,
            best,
            next,
            scores,
            seconds_before,
            pictures,
            log: None,
            events: None,
            watch,
            started,
        })
    }

    /// Runs the phase that comes next, from its next step.
    ///
    /// # Errors
    /// Those of [`train`](crate::train).
    pub(crate) fn run_phase(&mut self, report: Report) -> Result<()> {
        let (index, from) = self.next;
        self.begin_phase(index)?;
        let mut batches = self.batches(index, from)?;
        for step in from..self.steps(index) {
            let asked = Instant::now();
            let Some(batch) = batches.next() else { break };
            let (batch, waiting) = (batch?, asked.elapsed().as_secs_f64());
            let scores = std::mem::take(&mut self.scores);
            let numbers = self.trainer.step(index, self.at(index, step, &scores), &batch);
            self.scores = scores;
            let numbers = match numbers {
                Ok(numbers) => numbers,
                Err(error) => bail!("{:#}", error.context(format!("at step {step}"))),
            };
            let times = Times { waiting, all: asked.elapsed().as_secs_f64() };
            self.end_step(step, numbers, &times, report)?;
        }
        self.end_phase(index)
    }

    /// Begins the log where it has not begun, what TensorBoard shows of a phase, and the phase's optimisers.
    fn begin_phase(&mut self, index: usize) -> Result<()> {
        self.watch = Watch::default();
        self.trainer.begin_phase(index)?;
        if self.next.1 == 0 {
            self.trainer.take_average(index)?;
        }
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
            events.restart(self.next.1)?;
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
        let (index, step) = self.next;
        if self.next == (0, 0) {
            return Ok(Log::create(&path)?);
        }
        let place = |row: &LogRow| self.setup.experiment.phases.iter().position(|phase| phase.name == row.phase);
        Ok(Log::resume(&path, |row| place(row).is_some_and(|at| at < index || (at == index && row.step < step)))?)
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

    /// Ends a step: validates where that is due, logs its numbers, keeps the checkpoints that are due, and stops when told
    /// to.
    ///
    /// # Errors
    /// A validation that fails, a file that cannot be written, Ctrl-C.
    fn end_step(&mut self, step: u64, numbers: Numbers, times: &Times, report: Report) -> Result<()> {
        let index = self.next.0;
        self.next.1 = step + 1;
        let measured = match self.validate(index, step) {
            Ok(measured) => measured,
            Err(error) => return Err(self.rescue(error)),
        };
        let Measured { values, pictures } = measured.unwrap_or_default();
        let row = self.row(numbers, times, &values);
        if let Some(log) = &mut self.log {
            log.write(&row)?;
        }
        if let Some(events) = &mut self.events {
            events.row(&row)?;
            events.pictures(step, pictures)?;
        }
        if self.writes() {
            report(&row);
        }
        self.keep_best(&self.setup.experiment.phases[index], step, &values)?;
        self.share_scores(index, step)?;
        self.keep_due(index, step + 1)?;
        if self.is_stopped()? {
            let path = self.interrupt()?;
            if let Some(group) = &self.setup.group {
                group.barrier()?; // a launcher ends all ranks as soon as one has ended
            }
            bail!(
                "stopped by Ctrl-C after step {step}; the weights so far are in {}; `--resume` goes on from here",
                path.display()
            );
        }
        Ok(())
    }

    /// Whether this process or another rank was told to stop.
    fn is_stopped(&self) -> Result<bool> {
        let stopped = self.setup.stop.load(Ordering::Relaxed);
        let Some(group) = &self.setup.group else { return Ok(stopped) };
        let ranks = Tensor::from(i64::from(stopped));
        group.all_reduce_sum(&[ranks.shallow_clone()])?;
        Ok(ranks.int64_value(&[]) > 0)
    }

    /// Tells every rank what the first has found in its validations, on which the learning rate may depend.
    fn share_scores(&mut self, index: usize, step: u64) -> Result<()> {
        let (Some(group), true) = (&self.setup.group, self.validates(index, step)) else { return Ok(()) };
        group.meet()?; // a validation may take longer than a collective
        let count = Tensor::from(self.scores.len() as i64);
        group.broadcast(&[count.shallow_clone()])?;
        self.scores.resize(count.int64_value(&[]) as usize, 0.0);
        let scores = Tensor::from_slice(&self.scores);
        group.broadcast(&[scores.shallow_clone()])?;
        self.scores = Vec::try_from(scores)?;
        Ok(())
    }

    /// The row of the log of the step that was just done.
    fn row(&mut self, numbers: Numbers, times: &Times, values: &indexmap::IndexMap<String, f64>) -> LogRow {
        let (experiment, (index, done)) = (self.setup.experiment, self.next);
        let mut warnings = self.watch.warnings(&numbers);
        let Numbers { lr, weighted, raw, discriminator, mut health, notices } = numbers;
        warnings.extend(notices);
        let speed = experiment.data.batch as f64 / times.all.max(1e-9);
        health.insert("patches_per_second".into(), json_number(speed));
        health.insert("waiting".into(), json_number(times.waiting / times.all.max(1e-9)));
        if let Some(bytes) = memory() {
            health.insert("memory_gib".into(), json_number(bytes as f64 / (1u64 << 30) as f64));
        }
        LogRow {
            phase: experiment.phases[index].name.clone(),
            step: done - 1,
            epoch: (done - 1) / experiment.steps_per_epoch(self.setup.sampler.pictures()),
            seconds: self.seconds(),
            lr,
            terms: weighted,
            raw,
            discriminator,
            validation: values.iter().map(|(name, value)| (name.clone(), json_number(*value))).collect(),
            health,
            warnings,
        }
    }

    /// Seconds of training, also those before it was cut off.
    pub(crate) fn seconds(&self) -> f64 {
        self.seconds_before + self.started.elapsed().as_secs_f64()
    }

    /// Keeps what is due after so many steps of a phase: a checkpoint of its network, a point to go on from.
    fn keep_due(&mut self, index: usize, done: u64) -> Result<()> {
        if !self.writes() {
            return Ok(());
        }
        let (experiment, pictures) = (self.setup.experiment, self.setup.sampler.pictures());
        let (phase, of_epoch) = (&experiment.phases[index], experiment.steps_per_epoch(pictures));
        if done.is_multiple_of(of_epoch) && phase.save_epochs.contains(&(done / of_epoch)) {
            self.save(phase, &format!("epoch_{}", done / of_epoch), None)?;
        }
        let every = experiment.resume.map(|resume| experiment.steps_of(resume.every, pictures));
        if every.is_some_and(|every| done.is_multiple_of(every)) && done < self.steps(index) {
            self.save_resume_point()?;
        }
        Ok(())
    }

    /// Keeps what was trained when training is to stop: checkpoints, and a point to go on from.
    fn interrupt(&self) -> Result<PathBuf> {
        if !self.writes() {
            return Ok(self.setup.folder.resume());
        }
        self.save_resume_point()?;
        self.save_all(self.next.0, "interrupted", self.next.1)
    }

    /// Keeps what was trained when something beside the training fails, and says where it is.
    fn rescue(&self, error: anyhow::Error) -> anyhow::Error {
        match self.interrupt() {
            Ok(path) => error.context(format!(
                "stopped; the weights so far are in {}; `--resume` goes on from here",
                path.display()
            )),
            Err(_) => error, // weights that cannot be saved are no comfort
        }
    }

    /// Ends a phase with its final checkpoints; the next one comes.
    ///
    /// # Errors
    /// A file that cannot be written.
    fn end_phase(&mut self, index: usize) -> Result<()> {
        self.next = (index + 1, 0);
        self.scores.clear();
        if self.writes() {
            self.save_all(index, "final", self.steps(index))?;
            self.save_resume_point()?;
        }
        Ok(())
    }
}

impl Phase {
    /// The learning rate of its network at a step.
    pub(crate) fn rate(&self, progress: Progress) -> f64 {
        let factor = self.warm_up.map_or(1.0, |warm_up| warm_up.factor(progress.step));
        factor * self.schedule.at(self.optimizer.lr(), progress)
    }
}
