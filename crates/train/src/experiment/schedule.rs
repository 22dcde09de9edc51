//! The learning rate over a phase: a pure function of the step and, where a plateau decides, of the validations so far.

use std::f64::consts::PI;

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

/// How the learning rate goes from the optimiser's `lr`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Schedule {
    /// The same at every step.
    Constant,
    /// A straight line down to `to`.
    Linear {
        /// Learning rate that the last step comes close to, from 0 to `lr`.
        to: f64,
    },
    /// Half a cosine down to `to` (Loshchilov and Hutter, arXiv 1608.03983).
    Cosine {
        /// Learning rate that the last step comes close to, from 0 to `lr`.
        to: f64,
    },
    /// Half a cosine in each period, each beginning anew (the same paper; `CosineAnnealingRestartLR` of BasicSR).
    Restarts {
        /// Steps of each period, together at least those of the phase; each begins within it.
        periods: Vec<u64>,
        /// Each period begins at `lr` times its weight, above 0; as many as periods.
        weights: Vec<f64>,
        /// Learning rate that the last step of a period comes close to, from 0 to `lr`.
        to: f64,
    },
    /// Multiplied with `factor` at each of these steps (`MultiStepLR` of PyTorch).
    MultiStep {
        /// Steps of the phase, rising, before its end.
        at: Vec<u64>,
        /// Above 0 and below 1.
        factor: f64,
    },
    /// Multiplied with `factor` whenever more than `patience` validations in a row did not improve on the best by a part in
    /// 10,000 (`ReduceLROnPlateau` of PyTorch); what is watched is `best` of `[validation]`.
    Plateau {
        /// Above 0 and below 1.
        factor: f64,
        /// Validations.
        patience: u64,
        /// The rate does not fall below this, from 0 to `lr`.
        least: f64,
    },
}

/// A rise of the learning rate at the beginning of a phase: a factor on what the schedule says.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WarmUp {
    /// Steps until the factor is 1, at least 1 and at most those of the phase.
    pub steps: u64,
    /// The factor of the first step, from 0 to 1.
    pub from: f64,
    /// How it rises.
    pub form: Rise,
}

/// How a warm-up rises.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rise {
    /// In a straight line (`LinearLR` of PyTorch).
    Linear,
    /// In half a cosine.
    Cosine,
}

/// How far a phase is.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// The step that is about to be taken, from 0.
    pub step: u64,
    /// Steps of the phase.
    pub steps: u64,
    /// What the validations of the phase have found so far, the higher the better.
    pub scores: &'a [f64],
}

impl Schedule {
    /// The learning rate of a step, beginning at `lr`.
    pub fn at(&self, lr: f64, progress: Progress) -> f64 {
        let Progress { step, steps, scores } = progress;
        match self {
            Self::Constant => lr,
            Self::Linear { to } => lr + (to - lr) * part(step, steps),
            Self::Cosine { to } => half_cosine(lr, *to, part(step, steps)),
            Self::Restarts { periods, weights, to } => {
                let (mut begun, mut period) = (0, 0);
                while period + 1 < periods.len() && step >= begun + periods[period] {
                    begun += periods[period];
                    period += 1;
                }
                let weight = weights.get(period).copied().unwrap_or(1.0);
                let length = periods.get(period).copied().unwrap_or(steps);
                to + weight * (half_cosine(lr, *to, part(step - begun, length)) - to)
            }
            Self::MultiStep { at, factor } => lr * power(*factor, at.iter().filter(|&&at| at <= step).count()),
            Self::Plateau { factor, patience, least } => (lr * power(*factor, plateaus(scores, *patience))).max(*least),
        }
    }

    /// Checks that it says something of each of so many steps, and nothing of steps that never come.
    ///
    /// # Errors
    /// Periods that end before the last step or begin behind it; a change of the rate behind it.
    pub(super) fn lasts(&self, steps: u64) -> Result<()> {
        match self {
            Self::Restarts { periods, .. } => {
                let sum = |periods: &[u64]| periods.iter().fold(0, |all: u64, period| all.saturating_add(*period));
                let (all, last) = (sum(periods), periods.last().map_or(0, |_| sum(&periods[..periods.len() - 1])));
                ensure!(
                    all >= steps && last < steps,
                    "schedule.restarts.periods: expected {steps} steps, the phase's, found {all} in all, of which the last \
                     period begins behind {last}"
                );
            }
            Self::MultiStep { at, .. } => {
                let behind = at.iter().find(|at| **at >= steps);
                ensure!(
                    behind.is_none(),
                    "schedule.multi_step.at: expected steps before the end of the phase, which has {steps}, found {at:?}"
                );
            }
            _ => {}
        }
        Ok(())
    }

    /// Checks the numbers against the optimiser's `lr`.
    ///
    /// # Errors
    /// The key, what was expected and what was found.
    pub fn validate(&self, lr: f64) -> Result<()> {
        let to = |to: f64| {
            ensure!((0.0..=lr).contains(&to), "expected 0 to the lr, {lr}, found {to}");
            Ok(())
        };
        let shrinking = |factor: f64| {
            ensure!(factor > 0.0 && factor < 1.0, "schedule: factor: expected above 0 and below 1, found {factor}");
            Ok(())
        };
        match self {
            Self::Constant => Ok(()),
            Self::Linear { to: end } => to(*end).map_err(|error| error.context("schedule.linear.to")),
            Self::Cosine { to: end } => to(*end).map_err(|error| error.context("schedule.cosine.to")),
            Self::Restarts { periods, weights, to: end } => {
                ensure!(
                    !periods.is_empty() && periods.len() == weights.len() && !periods.contains(&0),
                    "schedule.restarts: expected a weight for each period and periods above 0, found {periods:?} and {weights:?}"
                );
                let positive = weights.iter().all(|weight| weight.is_finite() && *weight > 0.0);
                ensure!(positive, "schedule.restarts.weights: expected numbers above 0, found {weights:?}");
                to(*end).map_err(|error| error.context("schedule.restarts.to"))
            }
            Self::MultiStep { at, factor } => {
                ensure!(at.is_sorted_by(|a, b| a < b), "schedule.multi_step.at: expected rising steps, found {at:?}");
                shrinking(*factor)
            }
            Self::Plateau { factor, least, .. } => {
                to(*least).map_err(|error| error.context("schedule.plateau.least"))?;
                shrinking(*factor)
            }
        }
    }
}

impl WarmUp {
    /// The factor of `step`, from 0.
    pub fn factor(&self, step: u64) -> f64 {
        let part = part(step, self.steps).min(1.0);
        let risen = match self.form {
            Rise::Linear => part,
            Rise::Cosine => (1.0 - (PI * part).cos()) / 2.0,
        };
        self.from + (1.0 - self.from) * risen
    }

    /// Checks that it ends within a phase of so many steps.
    ///
    /// # Errors
    /// Steps that never come.
    pub(super) fn ends(&self, steps: u64) -> Result<()> {
        let own = self.steps;
        ensure!(own <= steps, "warm_up.steps: expected at most {steps}, those of the phase, found {own}");
        Ok(())
    }

    /// Checks the numbers.
    ///
    /// # Errors
    /// The key, what was expected and what was found.
    pub fn validate(&self) -> Result<()> {
        ensure!(self.steps > 0, "warm_up.steps: expected at least 1, found 0");
        ensure!((0.0..=1.0).contains(&self.from), "warm_up.from: expected 0 to 1, found {}", self.from);
        Ok(())
    }
}

fn part(step: u64, steps: u64) -> f64 {
    step as f64 / steps.max(1) as f64
}

fn half_cosine(from: f64, to: f64, part: f64) -> f64 {
    to + (from - to) * (1.0 + (PI * part).cos()) / 2.0
}

fn power(factor: f64, times: usize) -> f64 {
    factor.powi(i32::try_from(times).unwrap_or(i32::MAX))
}

/// How often more than `patience` scores in a row were no better than the best before them.
fn plateaus(scores: &[f64], patience: u64) -> usize {
    let (mut best, mut waited, mut plateaus) = (f64::NEG_INFINITY, 0, 0);
    for &score in scores {
        let better = score > best + 1e-4 * best.abs() || best == f64::NEG_INFINITY;
        (best, waited) = if better { (score, 0) } else { (best, waited + 1) };
        if waited > patience {
            (waited, plateaus) = (0, plateaus + 1);
        }
    }
    plateaus
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(schedule: &Schedule, step: u64) -> f64 {
        schedule.at(1.0, Progress { step, steps: 100, scores: &[] })
    }

    fn near(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-12, "{found}, expected {expected}");
    }

    #[test]
    fn rates_fall_from_lr_to_their_end() {
        // A quarter of the way: 1 - 0.8 / 4; cos(pi / 4) = sqrt(1/2); half of the way: cos(pi / 2) = 0.
        let (linear, cosine) = (Schedule::Linear { to: 0.2 }, Schedule::Cosine { to: 0.2 });
        for schedule in [&linear, &cosine, &Schedule::Constant] {
            assert_eq!(at(schedule, 0), 1.0);
        }
        near(at(&linear, 25), 0.8);
        near(at(&cosine, 25), 0.2 + 0.4 * (1.0 + 0.5f64.sqrt()));
        near(at(&cosine, 50), 0.6);
        near(at(&linear, 100), 0.2);
        near(at(&cosine, 100), 0.2);
        assert_eq!(at(&Schedule::Constant, 99), 1.0);
    }

    #[test]
    fn a_period_begins_at_its_weight() {
        let restarts = Schedule::Restarts { periods: vec![40, 60], weights: vec![1.0, 0.5], to: 0.2 };
        near(at(&restarts, 20), 0.6);
        near(at(&restarts, 40), 0.2 + 0.5 * 0.8);
        near(at(&restarts, 70), 0.2 + 0.5 * 0.4);
        near(at(&restarts, 100), 0.2);
    }

    #[test]
    fn milestones_count_from_their_step_on() {
        let steps = Schedule::MultiStep { at: vec![10, 50], factor: 0.5 };
        assert_eq!([9, 10, 49, 50, 99].map(|step| at(&steps, step)), [1.0, 0.5, 0.5, 0.25, 0.25]);
    }

    #[test]
    fn a_plateau_is_more_than_patience_validations_without_gain() {
        let plateau = Schedule::Plateau { factor: 0.5, patience: 1, least: 0.2 };
        let rate = |scores: &[f64]| plateau.at(1.0, Progress { step: 0, steps: 1, scores });
        assert_eq!(rate(&[]), 1.0);
        assert_eq!(rate(&[30.0, 30.001]), 1.0); // a gain of less than 0.003 is none, and one is waited for
        assert_eq!(rate(&[30.0, 30.001, 29.0]), 0.5);
        assert_eq!(rate(&[30.0, 30.001, 29.0, 31.0, 31.0]), 0.5);
        assert_eq!(rate(&[1.0; 20]), 0.2);
        // A score below 0, as of a metric whose lower values are better.
        assert_eq!(rate(&[-0.5, -0.4, -0.3, -0.2]), 1.0);
    }

    #[test]
    fn a_warm_up_rises_to_one_and_stays() {
        let warm_up = |form| WarmUp { steps: 10, from: 0.2, form };
        assert_eq!(warm_up(Rise::Linear).factor(0), 0.2);
        near(warm_up(Rise::Linear).factor(5), 0.6);
        near(warm_up(Rise::Cosine).factor(5), 0.6);
        near(warm_up(Rise::Cosine).factor(2), 0.2 + 0.4 * (1.0 - (PI / 5.0).cos()));
        assert_eq!([10, 99].map(|step| warm_up(Rise::Cosine).factor(step)), [1.0, 1.0]);
    }

    #[test]
    fn numbers_out_of_range_are_refused_by_name() {
        let refused = |schedule: &str, key: &str| {
            let schedule: std::collections::HashMap<String, Schedule> =
                toml::from_str(&format!("s = {schedule}")).unwrap();
            let error = format!("{:#}", schedule["s"].validate(1e-4).unwrap_err());
            assert!(error.contains(key), "{error}");
        };
        refused("{ linear = { to = 1e-3 } }", "schedule.linear.to");
        refused("{ cosine = { to = nan } }", "schedule.cosine.to");
        refused("{ restarts = { periods = [5], weights = [], to = 0.0 } }", "a weight for each period");
        let restarts = Schedule::Restarts { periods: vec![5, 4], weights: vec![1.0, 1.0], to: 0.0 };
        assert!(restarts.lasts(9).is_ok() && Schedule::Constant.lasts(9).is_ok());
        assert!(restarts.lasts(10).unwrap_err().to_string().contains("expected 10 steps, the phase's, found 9"));
        // The second period begins with the sixth step.
        assert!(restarts.lasts(6).is_ok() && restarts.lasts(5).is_err());
        let multi_step = Schedule::MultiStep { at: vec![3, 5], factor: 0.5 };
        assert!(multi_step.lasts(6).is_ok()); // steps 0 to 5
        let error = multi_step.lasts(5).unwrap_err().to_string();
        assert!(error.contains("schedule.multi_step.at") && error.contains("found [3, 5]"), "{error}");
        refused("{ restarts = { periods = [5], weights = [-1.0], to = 0.0 } }", "schedule.restarts.weights");
        refused("{ multi_step = { at = [5, 5], factor = 0.5 } }", "rising");
        refused("{ multi_step = { at = [5], factor = 1.0 } }", "factor");
        refused("{ plateau = { factor = 0.5, patience = 1, least = 1.0 } }", "schedule.plateau.least");
        let long = WarmUp { steps: 5, from: 0.0, form: Rise::Linear };
        assert!(long.ends(5).is_ok() && long.ends(4).unwrap_err().to_string().contains("expected at most 4"));
        let warm_up = WarmUp { steps: 0, from: 0.0, form: Rise::Linear };
        assert!(warm_up.validate().is_err() && WarmUp { steps: 1, from: 2.0, ..warm_up }.validate().is_err());
    }
}
