//! The numbers of a step, as the log has them.

use abbe_run::json_number;
use abbe_torch::ProcessGroup;
use anyhow::{Result, bail};
use serde_json::{Map, Value};
use tch::Tensor;

use crate::loss::Terms;

/// What a step computed.
#[derive(Debug, Default, Clone)]
pub struct Numbers {
    /// Learning rate of the generator.
    pub lr: f64,
    /// Each term times its weight, and the sum of the generator's as `total`.
    pub weighted: Map<String, Value>,
    /// Each term before its weight.
    pub raw: Map<String, Value>,
    /// What the discriminator answers, on the steps on which it was asked; see [`LogRow`](abbe_run::LogRow).
    pub discriminator: Map<String, Value>,
    /// Norms of gradients, steps that were left out; see [`LogRow`](abbe_run::LogRow).
    pub health: Map<String, Value>,
    /// What must be said of how the step was done, each thing once in a training.
    pub notices: Vec<String>,
}

/// The mean of the terms of one loss over the parts of a batch.
#[derive(Default)]
pub(crate) struct Mean {
    /// Name, weight and sum of each.
    sums: Vec<(&'static str, f64, f64)>,
    parts: usize,
}

impl Mean {
    /// Adds the terms of a part.
    pub(crate) fn add(&mut self, terms: &Terms) -> Result<()> {
        let values = Vec::<f64>::try_from(terms.values())?;
        let named = terms.0.iter().map(|term| (term.name, term.weight, 0.0));
        if self.parts == 0 {
            self.sums = named.collect();
        }
        self.sums.iter_mut().zip(values).for_each(|((_, _, sum), value)| *sum += value);
        self.parts += 1;
        Ok(())
    }

    /// The mean over the ranks, each of which has seen as many pictures.
    ///
    /// # Errors
    /// A lost rank.
    pub(crate) fn over(&mut self, group: Option<&ProcessGroup>) -> Result<()> {
        let Some(group) = group else { return Ok(()) };
        let sums: Vec<f64> = self.sums.iter().map(|(.., sum)| *sum).collect();
        let sums = Tensor::from_slice(&sums);
        group.all_reduce_mean(&[sums.shallow_clone()])?;
        let means = Vec::<f64>::try_from(sums)?;
        self.sums.iter_mut().zip(means).for_each(|((_, _, sum), mean)| *sum = mean);
        Ok(())
    }

    /// Each term's name, weight and mean.
    fn means(&self) -> impl Iterator<Item = (&'static str, f64, f64)> {
        self.sums.iter().map(|(name, weight, sum)| (*name, *weight, sum / self.parts as f64))
    }

    /// The weighted sum of the terms.
    pub(crate) fn total(&self) -> f64 {
        self.means().map(|(_, weight, value)| weight * value).sum()
    }

    /// # Errors
    /// A term that is not finite, by name.
    pub(crate) fn check(&self) -> Result<()> {
        match self.means().find(|(_, _, value)| !value.is_finite()) {
            Some((name, _, value)) => bail!("the term `{name}` of the loss is {value}"),
            None => Ok(()),
        }
    }

    /// Notes the terms.
    pub(crate) fn note(&self, numbers: &mut Numbers) {
        for (name, weight, value) in self.means() {
            numbers.weighted.insert(name.into(), json_number(weight * value));
            numbers.raw.insert(name.into(), json_number(value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loss::Term;

    #[test]
    fn parts_of_a_batch_have_a_mean_and_what_is_not_finite_is_named() {
        let terms = |pixel: f64, style: f64| {
            let term = |name, weight, value: f64| Term { name, weight, value: Tensor::from(value) };
            Terms(vec![term("pixel", 2.0, pixel), term("style", 1.0, style)])
        };
        let (mut mean, mut numbers) = (Mean::default(), Numbers::default());
        mean.add(&terms(1.0, 3.0)).unwrap();
        mean.add(&terms(2.0, 5.0)).unwrap();
        mean.check().unwrap();
        mean.note(&mut numbers);
        // (1 + 2) / 2 = 1.5, twice that is 3; (3 + 5) / 2 = 4.
        assert_eq!((numbers.raw["pixel"].as_f64(), numbers.weighted["pixel"].as_f64()), (Some(1.5), Some(3.0)));
        assert_eq!((numbers.raw["style"].as_f64(), mean.total()), (Some(4.0), 7.0));
        mean.add(&terms(0.0, f64::NAN)).unwrap();
        assert!(mean.check().unwrap_err().to_string().contains("`style` of the loss is NaN"));
    }
}
