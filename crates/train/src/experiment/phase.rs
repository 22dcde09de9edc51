//! One phase of an experiment: which network is trained, for how long, by which losses and with which optimiser.

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

use super::optimizer::{Group, OptimizerConfig};
use super::schedule::{Schedule, WarmUp};
use super::{DiscriminatorTraining, Losses};
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
