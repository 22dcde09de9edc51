//! Looking at whole pictures while training goes on, and keeping the best checkpoint.

use abbe_models::SrModel;
use abbe_run::{BestRecord, Shown};
use anyhow::{Context, Error, Result, anyhow};
use indexmap::IndexMap;

use crate::check;
use crate::ema::Ema;
use crate::experiment::Phase;
use crate::session::Session;

/// What measures a network in the middle of training. It may not change the network, which it runs in evaluation mode, nor
/// draw from libtorch's generator: then training goes on as if it had not been measured.
pub struct Validator<'a> {
    /// The one of [`Measured::values`] by which the best checkpoint is kept.
    pub best: String,
    /// Whether more of it is better.
    pub higher_is_better: bool,
    /// What whoever uses the best checkpoint must know.
    pub notice: Option<String>,
    /// Pictures that stay the same, for TensorBoard: LR and HR.
    pub references: Vec<Shown>,
    /// Measures a network.
    pub measure: Measure<'a>,
}

/// Measures a network; gives nothing when it was told to stop (by Ctrl-C) before it was done.
pub type Measure<'a> = Box<dyn FnMut(&dyn SrModel) -> Result<Option<Measured>> + 'a>;

/// What a validation finds.
#[derive(Debug, Default)]
pub struct Measured {
    /// The mean of each metric over the pictures, by its name with its convention.
    pub values: IndexMap<String, f64>,
    /// SR, for TensorBoard.
    pub pictures: Vec<Shown>,
}

impl Session<'_> {
    /// Measures the network of a phase, if that is due after this step; nothing where it was told to stop before it was done.
    ///
    /// # Errors
    /// Those of [`Validator::measure`]; memory that is too small for it.
    pub(crate) fn validate(&mut self, index: usize, step: u64) -> Result<Option<Measured>> {
        let (experiment, validates) = (self.setup.experiment, self.validates(index, step));
        let Some(validator) = self.setup.validator.as_mut().filter(|_| validates) else {
            return Ok(Some(Measured::default()));
        };
        let trainee = &self.trainer.networks.trainees[&experiment.phases[index].network];
        let of_average = experiment.validation.as_ref().is_some_and(|config| config.ema);
        let model = trainee.ema.as_ref().filter(|_| of_average).map_or(trainee.model.as_ref(), Ema::model);
        let measured = check::in_memory(|| (validator.measure)(model));
        measured.unwrap_or_else(|| Err(too_large())).with_context(|| format!("in the validation after step {step}"))
    }

    /// Whether the network of a phase is measured after this step: by the first of the ranks.
    pub(crate) fn validates(&self, index: usize, step: u64) -> bool {
        let Some(config) = &self.setup.experiment.validation else { return false };
        let every = self.setup.experiment.steps_of(config.every, self.setup.sampler.pictures());
        (step + 1).is_multiple_of(every) || step + 1 == self.steps(index)
    }

    /// Keeps the network of a phase as its best, if these values are there and say so. Of equal ones the first is kept; a
    /// value that is not a number (of a picture without structure NIQE has none) is never the best.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub(crate) fn keep_best(&mut self, phase: &Phase, step: u64, values: &IndexMap<String, f64>) -> Result<()> {
        let Some(validator) = self.setup.validator.as_ref().filter(|_| !values.is_empty()) else { return Ok(()) };
        let metric = &validator.best;
        let value = *values.get(metric).with_context(|| format!("validation.best: `{metric}` was not measured"))?;
        self.scores.push(if validator.higher_is_better { value } else { -value });
        let best = self.best.iter().position(|best| best.phase == phase.name);
        let sign = if validator.higher_is_better { 1.0 } else { -1.0 };
        if value.is_nan() || best.is_some_and(|at| sign * value <= sign * self.best[at].value) {
            return Ok(());
        }
        self.save(phase, "best", validator.notice.as_ref())?;
        let record = BestRecord { phase: phase.name.clone(), metric: metric.clone(), value, step };
        match best {
            Some(at) => self.best[at] = record,
            None => self.best.push(record),
        }
        Ok(())
    }
}

fn too_large() -> Error {
    anyhow!("memory is too small for its pictures: name smaller ones in `validation.pictures`")
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::check::tests::{EXPERIMENT, with_session};
    use crate::train;

    const VALIDATION: &str = r#"
        [validation]
        every = { steps = 2 }
        metrics = ["m"]
        protocols = ["p"]
        best = "m_p"
        show = 0
    "#;

    /// The experiment with a validation after every second of 5 steps, and after the last.
    fn experiment() -> String {
        let text = EXPERIMENT.replace("clamp_output = true", "clamp_output = false");
        text.replace("steps = 1 }", "steps = 5 }").replace("[[phase]]", &format!("{VALIDATION}\n[[phase]]"))
    }

    /// Trains for 5 steps, after the second, fourth and last of which these values are found (none: Ctrl-C was pressed).
    /// The best, the steps with a validation, and what stopped the training.
    fn trained(higher_is_better: bool, found: &[Option<f64>]) -> (Vec<BestRecord>, Vec<u64>, String) {
        let (mut found, stop, mut validated) = (found.iter(), AtomicBool::new(false), Vec::new());
        let measure: Measure = Box::new(|_| {
            let value = found.next().context("it validates too often")?;
            stop.store(value.is_none(), Ordering::Relaxed);
            let values = value.map(|value| IndexMap::from([("m_p".to_owned(), value)]));
            Ok(values.map(|values| Measured { values, pictures: vec![] }))
        });
        let validator = Validator { best: "m_p".into(), higher_is_better, notice: None, references: vec![], measure };
        let (best, trained) = with_session(&experiment(), Some(validator), &stop, |session| {
            let report =
                &mut |row: &abbe_run::LogRow| validated.extend((!row.validation.is_empty()).then_some(row.step));
            let trained = train(session, report);
            assert_eq!(session.setup.folder.checkpoint("dead_best").exists(), !session.best.is_empty());
            (session.best.clone(), trained)
        });
        (best, validated, trained.map_or_else(|error| format!("{error:#}"), |()| String::new()))
    }

    #[test]
    fn the_first_of_the_best_is_kept() {
        let best = |higher, found: [f64; 3]| {
            let (best, validated, error) = trained(higher, &found.map(Some));
            assert_eq!((validated, error.as_str()), (vec![1, 3, 4], ""));
            (best[0].value, best[0].step)
        };
        assert_eq!(best(true, [1.0, 2.0, 2.0]), (2.0, 3));
        assert_eq!(best(false, [1.0, 2.0, 0.5]), (0.5, 4));
        assert_eq!(best(true, [f64::INFINITY, 2.0, f64::INFINITY]), (f64::INFINITY, 1));
    }

    #[test]
    fn a_value_that_is_no_number_is_never_the_best() {
        let (best, validated, error) = trained(true, &[Some(f64::NAN), Some(1.0), Some(f64::NAN)]);
        assert_eq!((best[0].step, best.len(), validated, error.as_str()), (3, 1, vec![1, 3, 4], ""));
    }

    #[test]
    fn what_stops_training_leaves_the_weights() {
        let (_, _, error) = trained(true, &[Some(1.0)]);
        assert!(error.contains("dead_interrupted.pth") && error.contains("after step 3: it validates"), "{error}");
        let (best, validated, error) = trained(true, &[None]);
        assert!(best.is_empty() && validated.is_empty() && error.contains("Ctrl-C after step 1"), "{error}");
    }

    #[test]
    fn pictures_that_memory_is_too_small_for_are_told() {
        let measure: Measure = Box::new(|_| anyhow::bail!("DefaultCPUAllocator: can't allocate memory"));
        let (best, notice, references) = ("m_p".into(), None, vec![]);
        let validator = Validator { best, higher_is_better: true, notice, references, measure };
        let error = with_session(&experiment(), Some(validator), &AtomicBool::new(false), |session| {
            format!("{:#}", train(session, &mut |_| {}).unwrap_err())
        });
        assert!(error.contains("in the validation after step 1: memory is too small for its pictures"), "{error}");
        assert!(error.contains("`--resume` goes on from here"), "{error}");
    }
}
