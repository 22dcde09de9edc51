//! One phase of an experiment: which network is trained, for how long, by which losses and with which optimiser.

use abbe_torch::AdamConfig;
use serde::{Deserialize, Serialize};

use super::Losses;
use crate::loss::{gradient_penalty, r1};

/// A stretch of training. It goes on from where an earlier phase left the same network and its optimiser.
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
    pub optimizer: Optimizer,
    /// Of the learning rate.
    pub schedule: Schedule,
    /// Whether the network's output is clamped to [0, 1] before any loss sees it.
    pub clamp_output: bool,
    /// Bound on the size of each component of the gradient; absent: none.
    pub clamp_gradient: Option<f64>,
    /// Epochs, counted from 1, after which a checkpoint is kept.
    pub save_epochs: Vec<u64>,
    /// What is minimised: the sum of the terms, each times its weight.
    pub loss: Losses,
    /// How the discriminator is trained, when the phase is adversarial.
    pub discriminator: Option<DiscriminatorTraining>,
}

/// How long a phase lasts.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Length {
    /// Passes of `data.patches_per_picture` patches per picture.
    Epochs(u64),
    /// Batches.
    Steps(u64),
}

/// Adam's numbers, as `torch.optim.Adam` calls them.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Optimizer {
    /// Learning rate, above 0.
    pub lr: f64,
    /// Decay of the two moments, each in [0, 1).
    pub betas: [f64; 2],
    /// Added to the denominator, above 0.
    pub eps: f64,
}

impl From<Optimizer> for AdamConfig {
    fn from(optimizer: Optimizer) -> Self {
        let Optimizer { lr, betas, eps } = optimizer;
        AdamConfig { lr, betas, eps, weight_decay: 0.0, decoupled_weight_decay: false }
    }
}

/// The learning rate over a phase.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Schedule {
    /// The same at every step.
    Constant,
    /// Half a cosine from the optimizer's `lr` down to `to` (Loshchilov and Hutter, arXiv 1608.03983, without restarts).
    Cosine {
        /// Learning rate that the last step comes close to.
        to: f64,
    },
}

impl Schedule {
    /// The learning rate of `step` (from 0) of `steps`, beginning at `lr`.
    pub fn at(self, lr: f64, step: u64, steps: u64) -> f64 {
        match self {
            Schedule::Constant => lr,
            Schedule::Cosine { to } => {
                let done = step as f64 / steps as f64;
                to + (lr - to) * (1.0 + (std::f64::consts::PI * done).cos()) / 2.0
            }
        }
    }
}

/// How the discriminator is trained during an adversarial phase.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiscriminatorTraining {
    /// It is updated on the steps (from 0) that this number divides: 1 is every step.
    pub every: u64,
    /// Of the discriminator.
    pub optimizer: Optimizer,
    /// Bound on the size of each component of its gradient; absent: none.
    pub clamp_gradient: Option<f64>,
    /// On slopes other than 1 between HR and SR; absent: none.
    pub gradient_penalty: Option<gradient_penalty::Config>,
    /// On slopes at HR; absent: none.
    pub r1: Option<r1::Config>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cosine_begins_at_lr_is_halfway_in_the_middle_and_nears_its_end() {
        let schedule = Schedule::Cosine { to: 0.2 };
        assert_eq!(schedule.at(1.0, 0, 100), 1.0);
        // cos(pi / 2) = 0, so the rate is 0.2 + 0.8 / 2 = 0.6.
        assert!((schedule.at(1.0, 50, 100) - 0.6).abs() < 1e-12);
        assert!((schedule.at(1.0, 100, 100) - 0.2).abs() < 1e-12);
        assert_eq!(Schedule::Constant.at(1.0, 99, 100), 1.0);
    }
}
