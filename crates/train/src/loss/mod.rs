//! The losses, one file each, and their weighted sum.

pub mod adversarial;
pub mod content;
pub mod pixel;

use anyhow::{Result, ensure};
use serde_json::{Map, Value};
use tch::Tensor;

/// How far two tensors are apart.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Distance {
    /// Mean of the absolute differences.
    L1,
    /// Mean of the squared differences.
    Mse,
}

impl Distance {
    /// The distance of `a` and `b`, tensors of one shape: a scalar.
    pub fn of(self, a: &Tensor, b: &Tensor) -> Tensor {
        match self {
            Distance::L1 => a.l1_loss(b, tch::Reduction::Mean),
            Distance::Mse => a.mse_loss(b, tch::Reduction::Mean),
        }
    }
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
