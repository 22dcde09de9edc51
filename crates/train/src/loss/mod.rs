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
pub mod pixel;
pub mod r1;
pub mod ssim;
pub mod style;
pub mod total_variation;

use abbe_models::vgg;
use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value};
use tch::Tensor;

pub use distance::Distance;

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
    /// For the losses in its features.
    pub vgg: Option<&'a vgg::Features>,
    /// For the losses by way of the discriminator.
    pub judgement: Option<&'a Judgement>,
}

impl<'a> Inputs<'a> {
    /// The pictures alone.
    pub fn of_pictures(sr: &'a Tensor, hr: &'a Tensor) -> Self {
        Inputs { sr, hr, vgg: None, judgement: None }
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

    /// The terms as numbers.
    ///
    /// # Errors
    /// A term that is not finite, by name.
    pub fn numbers(&self) -> Result<Numbers> {
        let mut numbers = Numbers::default();
        for Term { name, weight, value } in &self.0 {
            let value = value.double_value(&[]);
            ensure!(value.is_finite(), "the term `{name}` of the loss is {value}");
            numbers.weighted.insert((*name).into(), (value * weight).into());
            numbers.raw.insert((*name).into(), value.into());
        }
        Ok(numbers)
    }
}

/// The terms of a step as the log has them.
#[derive(Default)]
pub struct Numbers {
    /// Each term times its weight.
    pub weighted: Map<String, Value>,
    /// Each term before its weight.
    pub raw: Map<String, Value>,
    /// What the discriminator answers, on the steps that train it; see [`LogRow::discriminator`](abbe_run::LogRow).
    pub discriminator: Map<String, Value>,
}

impl Numbers {
    /// Adds the sum of the weighted terms as `total`.
    pub fn with_total(mut self) -> Self {
        let total: f64 = self.weighted.values().filter_map(Value::as_f64).sum();
        self.weighted.insert("total".into(), total.into());
        self
    }

    /// Adds those of another loss.
    pub fn extend(&mut self, other: Numbers) {
        self.weighted.extend(other.weighted);
        self.raw.extend(other.raw);
        self.discriminator.extend(other.discriminator);
    }
}
