//! What follows a step: its row of the log, a validation, the checkpoints that are due, Ctrl-C.

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use abbe_run::{LogRow, json_number};
use anyhow::{Result, bail};
use tch::Tensor;

use crate::health::{Watch, memory};
use crate::numbers::Numbers;
use crate::saving::INTERRUPTED;
use crate::session::{Report, Session, Times};
use crate::validation::Measured;

impl Session<'_> {
    /// Ends a step: validates where that is due, logs its numbers, keeps the checkpoints that are due, and stops when told
    /// to.
    ///
    /// # Errors
    /// A validation that fails, a file that cannot be written, Ctrl-C.
    pub(crate) fn end_step(&mut self, step: u64, numbers: Numbers, times: &Times, report: Report) -> Result<()> {
        self.next.1 = step + 1;
        let row = self.row(step, numbers, times);
        self.finish(row, report)
    }

    /// Ends the step in whose validation training was cut off, where it was.
    ///
    /// # Errors
    /// Those of [`Session::end_step`].
    pub(crate) fn end_unfinished(&mut self, report: Report) -> Result<()> {
        let Some(row) = self.unfinished.take() else { return Ok(()) };
        let phase = self.setup.experiment.phases[self.next.0].name.clone(); // it may have another name by now
        self.finish(LogRow { phase, ..row }, report)
    }

    /// Ends the step of this row, or leaves it unfinished where its validation does not come to an end.
    fn finish(&mut self, row: LogRow, report: Report) -> Result<()> {
        let (index, step) = (self.next.0, row.step);
        match self.validate(index, step) {
            Ok(Some(measured)) => self.record(row, measured, report)?,
            Ok(None) => self.unfinished = Some(row),
            Err(error) => {
                self.unfinished = Some(row);
                return Err(self.rescue(error));
            }
        }
        self.share_scores(index, step)?;
        if self.unfinished.is_none() {
            self.keep_due(index, step + 1)?;
        }
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

    /// Logs a step with what its validation has found, and keeps the network if it is the best.
    fn record(&mut self, row: LogRow, measured: Measured, report: Report) -> Result<()> {
        let Measured { values, pictures } = measured;
        let validation = values.iter().map(|(name, value)| (name.clone(), json_number(*value))).collect();
        let row = LogRow { validation, ..row };
        if let Some(log) = &mut self.log {
            log.write(&row)?;
        }
        if let Some(events) = &mut self.events {
            events.row(&row)?;
            events.pictures(row.step, pictures)?;
        }
        if self.writes() {
            report(&row);
        }
        self.keep_best(&self.setup.experiment.phases[self.next.0], row.step, &values)
    }

    /// Whether this process or another rank was told to stop.
    fn is_stopped(&self) -> Result<bool> {
        let stopped = self.unfinished.is_some() || self.setup.stop.load(Ordering::Relaxed);
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

    /// The row of the log of a step, but for its validation.
    fn row(&mut self, step: u64, mut numbers: Numbers, times: &Times) -> LogRow {
        let experiment = self.setup.experiment;
        let mut warnings = self.watch.look(&mut numbers);
        let Numbers { lr, weighted, raw, discriminator, mut health, notices } = numbers;
        warnings.extend(notices);
        let speed = experiment.data.batch as f64 / times.all.max(1e-9);
        health.insert("patches_per_second".into(), json_number(speed));
        health.insert("waiting".into(), json_number(times.waiting / times.all.max(1e-9)));
        let gpu = abbe_torch::peak_memory(self.setup.device);
        for (name, bytes) in [("memory_gib", memory()), ("gpu_memory_gib", gpu)] {
            let gib = bytes.map(|bytes| json_number(bytes as f64 / (1u64 << 30) as f64));
            health.extend(gib.map(|gib| (name.to_owned(), gib)));
        }
        LogRow {
            phase: experiment.phases[self.next.0].name.clone(),
            step,
            epoch: step / experiment.steps_per_epoch(self.setup.sampler.pictures()),
            seconds: self.seconds(),
            lr,
            terms: weighted,
            raw,
            discriminator,
            validation: serde_json::Map::new(),
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

    /// Keeps what was trained when training is to stop: a point to go on from, and checkpoints.
    fn interrupt(&self) -> Result<PathBuf> {
        if !self.writes() {
            return Ok(self.setup.folder.resume());
        }
        self.save_resume_point()?;
        self.save_all(self.next.0, INTERRUPTED, self.next.1)
    }

    /// Keeps what was trained when something beside the training fails, and says where it is.
    fn rescue(&self, error: anyhow::Error) -> anyhow::Error {
        if !self.writes() || self.save_resume_point().is_err() {
            return error; // weights that cannot be saved are no comfort
        }
        let saved = self.save_all(self.next.0, INTERRUPTED, self.next.1);
        let place = saved.map(|path| format!("the weights so far are in {}; ", path.display())).unwrap_or_default();
        error.context(format!("stopped; {place}`--resume` goes on from here"))
    }

    /// Ends a phase with its final checkpoints; the next one comes.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub(crate) fn end_phase(&mut self, index: usize) -> Result<()> {
        self.next = (index + 1, 0);
        self.scores.clear();
        self.watch = Watch::default();
        if self.writes() {
            self.save_all(index, "final", self.steps(index))?;
            self.save_resume_point()?;
        }
        Ok(())
    }
}
