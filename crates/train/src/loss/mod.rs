//! The losses, one file each, and their weighted sum.
//!
//! A loss of the generator is a `Config` that is a [`Loss`], a field of [`Losses`](crate::Losses) and a row of its table; a
//! penalty on the discriminator is a field of [`DiscriminatorTraining`](crate::DiscriminatorTraining).

pub mod adversarial;
pub mod content;
mod distance;
pub mod feature_matching;
pub mod focal_frequency;
pub mod frequency;
pub mod gradient_penalty;
pub mod histogram;
pub mod ldl;
mod perception;
pub mod pixel;
pub mod r1;
pub mod ssim;
pub mod style;
pub mod total_variation;

use abbe_torch::ProcessGroup;
use anyhow::{Context, Result};
use tch::{Device, Kind, Tensor};

pub use distance::Distance;
pub use perception::{Feature, Perception};

/// A loss of the generator, as an experiment describes it.
pub trait Loss {
    /// Its key in the experiment and in the log.
    fn name(&self) -> &'static str;

    /// What it is multiplied by in the sum, at least 0.
    fn weight(&self) -> f64;

    /// The scalar before its weight, with a gradient for SR.
    ///
    /// # Errors
    /// When something that it is computed from is not there.
    fn value(&self, of: &Inputs) -> Result<Tensor>;

    /// Whether its own numbers, but the weight, lie in their ranges.
    ///
    /// # Errors
    /// The key, what was expected and what was found.
    fn validate(&self) -> Result<()> {
        Ok(())
    }

    /// The term that it adds to the sum.
    ///
    /// # Errors
    /// Those of [`Loss::value`].
    fn term(&self, of: &Inputs) -> Result<Term> {
        Ok(Term { name: self.name(), weight: self.weight(), value: self.value(of)? })
    }
}

/// What the losses of a step are computed from.
pub struct Inputs<'a> {
    /// `[N, 3, H, W]`, RGB, in [0, 1] or thereabouts.
    pub sr: &'a Tensor,
    /// Of the same shape, in [0, 1].
    pub hr: &'a Tensor,
    /// What the averaged network makes of the same LR, for a loss that compares with it.
    pub sr_average: Option<&'a Tensor>,
    /// For the losses in its features.
    pub vgg: Option<&'a Perception<'a>>,
    /// For the losses by way of the discriminator.
    pub judgement: Option<&'a Judgement>,
}

impl<'a> Inputs<'a> {
    /// The pictures alone.
    pub fn of_pictures(sr: &'a Tensor, hr: &'a Tensor) -> Self {
        Inputs { sr, hr, sr_average: None, vgg: None, judgement: None }
    }

    fn judgement(&self) -> Result<&Judgement> {
        self.judgement.context("the experiment has no [discriminator]")
    }
}

/// What the discriminator makes of a step's pictures.
pub struct Judgement {
    /// Of SR, with a gradient for it.
    pub fake: Judged,
    /// Of HR, where a loss compares the two.
    pub real: Option<Judged>,
    /// The ranks that share the batch, where a loss compares its pictures with each other.
    pub ranks: Option<ProcessGroup>,
}

impl Judgement {
    fn real(&self) -> Result<&Judged> {
        self.real.as_ref().context("the discriminator was not asked about HR")
    }
}

/// What the discriminator makes of a batch.
pub struct Judged {
    /// Above 0 where pictures look real: `[N, 1]`, or `[N, 1, h, w]`.
    pub logits: Tensor,
    /// The outputs of its layers on the way, `[N, C, h, w]` each.
    pub features: Vec<Tensor>,
}

/// One term of a loss: a scalar tensor and its weight.
pub struct Term {
    /// Its name in the experiment and the log.
    pub name: &'static str,
    /// At least 0.
    pub weight: f64,
    /// The scalar before its weight.
    pub value: Tensor,
}

impl Term {
    /// The term as it enters the sum.
    pub fn weighted(&self) -> Tensor {
        &self.value * self.weight
    }
}

/// The terms of one loss at one step.
pub struct Terms(pub Vec<Term>);

impl Terms {
    /// The sum of the weighted terms; a scalar, undefined when there is no term.
    pub fn total(&self) -> Tensor {
        self.0.iter().map(Term::weighted).reduce(|sum, term| sum + term).unwrap_or_default()
    }

    /// The terms before their weights, `[terms]` of float64 on the CPU: one transfer for all.
    pub(crate) fn values(&self) -> Tensor {
        let values: Vec<Tensor> = self.0.iter().map(|term| term.value.detach().to_kind(Kind::Double)).collect();
        Tensor::stack(&values, 0).to_device(Device::Cpu)
    }
}
