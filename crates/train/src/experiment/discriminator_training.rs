//! How the discriminator is trained in an adversarial phase, and how it is held back.

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::optimizer::OptimizerConfig;
use super::schedule::Schedule;
use crate::clip::Clip;
use crate::loss::adversarial::Form;
use crate::loss::{adversarial, gradient_penalty, r1};

/// How the discriminator is trained during an adversarial phase.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiscriminatorTraining {
    /// It is updated on the steps (from 0) that this number divides: 1 is every step.
    pub every: u64,
    /// The generator is updated on the steps that this number divides, 1 (where it is left out) being every step: a critic
    /// that is to be near its optimum is updated more often than the generator, on batches of its own (5 times in WGAN, arXiv
    /// 1701.07875).
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub generator_every: u64,
    /// In so many steps from the beginning of the phase the discriminator is trained alone, at each of them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub pretrain: u64,
    /// Holds back a discriminator that is too far ahead: its update is left out where this does not hold. Absent: it never is.
    pub when: Option<Throttle>,
    /// Of the discriminator.
    pub optimizer: OptimizerConfig,
    /// Of its learning rate, constant where it is left out.
    #[serde(default = "constant", skip_serializing_if = "is_constant")]
    pub schedule: Schedule,
    /// Bound on its gradient; absent: none.
    pub clip: Option<Clip>,
    /// On slopes other than 1 between HR and SR; absent: none.
    pub gradient_penalty: Option<gradient_penalty::Config>,
    /// On slopes at HR; absent: none.
    pub r1: Option<r1::Config>,
}

fn one() -> u64 {
    1
}

fn is_one(every: &u64) -> bool {
    *every == 1
}

fn is_zero(steps: &u64) -> bool {
    *steps == 0
}

fn constant() -> Schedule {
    Schedule::Constant
}

fn is_constant(schedule: &Schedule) -> bool {
    *schedule == Schedule::Constant
}

/// When a discriminator may be updated.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Throttle {
    /// By how much of the batch it gets right.
    Accuracy {
        /// The part of its answers that are right must be below this, above 0 and at most 1.
        below: f64,
    },
    /// By its loss, as a running mean over the steps on which an update was due.
    Loss {
        /// The running mean must be above this.
        above: f64,
        /// The weight of the earlier losses in it, in [0, 1): 0 is the loss of this step alone.
        decay: f64,
    },
}

impl DiscriminatorTraining {
    /// Whether the generator is updated at a step, counted from 0 in the phase.
    pub fn trains_generator(&self, step: u64) -> bool {
        step >= self.pretrain && (step - self.pretrain).is_multiple_of(self.generator_every)
    }

    /// Whether the discriminator is to be updated at a step.
    pub fn is_due(&self, step: u64) -> bool {
        step < self.pretrain || (step - self.pretrain).is_multiple_of(self.every)
    }

    /// The number of the update that is due at a step, counted from 0 in the phase.
    pub fn update(&self, step: u64) -> u64 {
        step.min(self.pretrain) + step.saturating_sub(self.pretrain) / self.every
    }

    /// Checks that the pretraining ends within a phase of so many steps.
    pub(super) fn leaves_steps(&self, steps: u64) -> Result<()> {
        let pretrain = self.pretrain;
        ensure!(pretrain < steps, "pretrain: expected fewer steps than the phase's {steps}, found {pretrain}");
        Ok(())
    }

    /// Checks the numbers; `adversarial` is the phase's loss.
    pub(super) fn validate(&self, adversarial: adversarial::Config) -> Result<()> {
        ensure!(self.every > 0, "every: expected at least 1, found 0");
        ensure!(self.generator_every > 0, "generator_every: expected at least 1, found 0");
        self.optimizer.validate().context("optimizer")?;
        self.schedule.validate(self.optimizer.lr())?;
        self.clip.as_ref().map_or(Ok(()), Clip::validate).context("clip")?;
        self.when.map_or(Ok(()), |when| when.validate(adversarial)).context("when")?;
        self.gradient_penalty.map_or(Ok(()), |penalty| penalty.validate())?;
        self.r1.map_or(Ok(()), |penalty| penalty.validate())
    }
}

impl Throttle {
    fn validate(self, adversarial: adversarial::Config) -> Result<()> {
        match self {
            Self::Accuracy { below } => {
                ensure!(below > 0.0 && below <= 1.0, "accuracy.below: expected above 0 and at most 1, found {below}");
                let has_sides = adversarial.form != Form::Wasserstein;
                ensure!(has_sides, "accuracy: a Wasserstein critic calls nothing real or fake: use `loss`");
            }
            Self::Loss { above, decay } => {
                ensure!(above.is_finite(), "loss.above: expected a number, found {above}");
                ensure!((0.0..1.0).contains(&decay), "loss.decay: expected 0 or more and below 1, found {decay}");
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn training(keys: &str) -> DiscriminatorTraining {
        toml::from_str(&format!("optimizer = {{ adam = {{ lr = 1e-4, betas = [0.9, 0.999], eps = 1e-8 }} }}\n{keys}"))
            .unwrap()
    }

    #[test]
    fn steps_are_shared_out_behind_the_pretraining() {
        let training = training("every = 2\ngenerator_every = 3\npretrain = 2");
        let steps = |of: &dyn Fn(u64) -> bool| (0..9).filter(|&step| of(step)).collect::<Vec<u64>>();
        assert_eq!(steps(&|step| training.is_due(step)), [0, 1, 2, 4, 6, 8]);
        assert_eq!(steps(&|step| training.trains_generator(step)), [2, 5, 8]);
        assert_eq!([0, 1, 2, 4, 6, 8].map(|step| training.update(step)), [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn numbers_out_of_range_are_refused_by_name() {
        let form = |form| adversarial::Config { weight: 1.0, form, relativistic_average: false };
        let said = |keys: &str, form| {
            let training = training(keys);
            let checked = training.validate(form).and_then(|()| training.leaves_steps(10));
            checked.map_or_else(|error| format!("{error:#}"), |()| "fine".into())
        };
        let all = "every = 1\npretrain = 9\nwhen = { accuracy = { below = 1.0 } }";
        assert_eq!(said(all, form(Form::Hinge)), "fine");
        for (keys, part) in [
            ("every = 0", "every: expected at least 1"),
            ("every = 1\ngenerator_every = 0", "generator_every"),
            ("every = 1\npretrain = 10", "pretrain: expected fewer steps than the phase's 10"),
            ("every = 1\nwhen = { accuracy = { below = 1.5 } }", "when: accuracy.below"),
            ("every = 1\nwhen = { loss = { above = nan, decay = 0.5 } }", "when: loss.above"),
            ("every = 1\nwhen = { loss = { above = 0.5, decay = 1.0 } }", "when: loss.decay"),
            (all, "a Wasserstein critic"),
        ] {
            let said = said(keys, form(Form::Wasserstein));
            assert!(said.contains(part), "{keys}: {said}");
        }
    }
}
