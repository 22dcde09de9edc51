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

    /// The numbers for the log: weighted terms with their `total`, and the raw values.
    ///
    /// # Errors
    /// A term that is not finite, by name.
    pub fn numbers(&self) -> Result<(Map<String, Value>, Map<String, Value>)> {
        let (mut weighted, mut raw, mut total) = (Map::new(), Map::new(), 0.0);
        for term in &self.0 {
            let value = term.value.double_value(&[]);
            ensure!(value.is_finite(), "the term `{}` of the loss is {value}", term.name);
            total += value * term.weight;
            weighted.insert(term.name.into(), (value * term.weight).into());
            raw.insert(term.name.into(), value.into());
        }
        weighted.insert("total".into(), total.into());
        Ok((weighted, raw))
    }
}
