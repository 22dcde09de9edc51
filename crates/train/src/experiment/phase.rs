//! One phase of an experiment: which network is trained, for how long, by which losses and with which optimiser.

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

use super::optimizer::{Group, OptimizerConfig};
use super::schedule::{Schedule, WarmUp};
use super::{DiscriminatorTraining, Experiment, Losses};
use crate::clip::Clip;

/// A stretch of training. It goes on from where an earlier phase left the same network and, if that is of the same kind and
/// groups, its optimiser.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phase {
    /// Names the phase in the log, its checkpoints (`<name>_final.pth`) and its row of the table.
    pub name: String,
    /// The network that it trains, a key of `networks`.
    pub network: String,
    /// What its network begins with; where it is left out, what the phase before it left.
    #[serde(default, skip_serializing_if = "Begin::is_network")]
    pub begin: Begin,
    /// How long it lasts.
    pub length: Length,
    /// Of the network.
    pub optimizer: OptimizerConfig,
    /// Parameters with a learning rate or weight decay of their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Group>,
    /// Parameters that stay as they are, by patterns of their names (`*` is any run of characters). The statistics of batch
    /// norm, which are no parameters, go on following the batches.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub freeze: Vec<String>,
    /// Of the learning rate.
    pub schedule: Schedule,
    /// How the learning rate rises at the beginning; absent: it begins as the schedule says.
    pub warm_up: Option<WarmUp>,
    /// Bound on the gradient; absent: none.
    pub clip: Option<Clip>,
    /// Into how many parts of equal size a batch is cut, whose gradients are added before a step: the same step with less
    /// memory. Batch norm, and losses that compare the pictures of a batch with each other, see the parts alone.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub accumulate: usize,
    /// Whether the network's output is clamped to [0, 1] before any loss sees it.
    pub clamp_output: bool,
    /// Epochs, counted from 1, after which a checkpoint is kept.
    pub save_epochs: Vec<u64>,
    /// What is minimised: the sum of the terms, each times its weight.
    pub loss: Losses,
    /// How the discriminator is trained, when the phase is adversarial.
    pub discriminator: Option<DiscriminatorTraining>,
}

fn one() -> usize {
    1
}

fn is_one(count: &usize) -> bool {
    *count == 1
}

/// What a phase begins with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Begin {
    /// The weights that its network has.
    #[default]
    Network,
    /// The average of its network's weights (`ema`) over the phases before; its optimiser begins anew. As Real-ESRGAN, whose
    /// adversarial training starts from the averaged weights of Real-ESRNet.
    Average,
}

impl Begin {
    fn is_network(&self) -> bool {
        *self == Self::Network
    }
}

impl Phase {
    /// Checks that there is an average to begin with where it is wanted.
    pub(super) fn check_begin(&self, experiment: &Experiment) -> Result<()> {
        let name = &self.network;
        let is_kept = experiment.ema.contains_key(name);
        ensure!(
            self.begin == Begin::Network || is_kept,
            "begin: no average of `{name}` is kept to begin with: expected `ema.{name}`"
        );
        let first = experiment.phases.iter().find(|phase| phase.network == *name);
        ensure!(
            self.begin == Begin::Network || first.is_some_and(|first| first.name != self.name),
            "begin: no earlier phase trains `{name}`, so that there is no average yet"
        );
        Ok(())
    }

    /// What whoever runs it should know.
    pub(super) fn notice(&self, experiment: &Experiment) -> Option<String> {
        let relative = self.loss.adversarial.is_some_and(|config| config.relativistic_average);
        (relative && self.accumulate > 1).then(|| {
            format!(
                "phase `{}`: with `accumulate` the means of `relativistic_average` are those of each part of {} patches, not of \
                 the whole batch",
                self.name,
                experiment.data.batch / self.accumulate
            )
        })
    }
}

/// How long a phase lasts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Length {
    /// Passes of `data.patches_per_picture` patches per picture.
    Epochs(u64),
    /// Batches.
    Steps(u64),
}

impl Length {
    pub(super) fn validate(self) -> Result<()> {
        let (Self::Epochs(length) | Self::Steps(length)) = self;
        ensure!((1..=1_000_000_000).contains(&length), "expected 1 to 1000000000, found {length}");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_parts_of_a_batch_change_is_said() {
        let text = include_str!("../../../../experiments/esrgan.toml");
        let own = "name = \"esrgan\"\nnetwork";
        assert!(text.contains(own) && text.contains("batch = 16"));
        let notices = |accumulate: usize| {
            let text = text.replace(own, &format!("name = \"esrgan\"\naccumulate = {accumulate}\nnetwork"));
            Experiment::parse(&text).unwrap().notices()
        };
        assert!(notices(1).is_empty());
        assert!(notices(2)[0].starts_with("phase `esrgan`: with `accumulate` the means of `relativistic_average`"));
        assert!(notices(2)[0].contains("each part of 8 patches"));
    }
}
