//! Which optimiser trains a network, and which of its parameters have numbers of their own.

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

/// An optimiser; the keys are those of `torch.optim`. A weight decay or momentum that is left out is 0: there is none.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum OptimizerConfig {
    /// Kingma and Ba, arXiv 1412.6980.
    Adam {
        /// Learning rate, above 0.
        lr: f64,
        /// Decay of the two moments, each in [0, 1).
        betas: [f64; 2],
        /// Added to the denominator, above 0.
        eps: f64,
        /// L2 penalty added to the gradient, at least 0.
        #[serde(default)]
        weight_decay: f64,
    },
    /// Adam whose weights decay by themselves (Loshchilov and Hutter, arXiv 1711.05101).
    AdamW {
        /// Learning rate, above 0.
        lr: f64,
        /// Decay of the two moments, each in [0, 1).
        betas: [f64; 2],
        /// Added to the denominator, above 0.
        eps: f64,
        /// Each step multiplies the weights with 1 - lr * weight_decay; at least 0.
        weight_decay: f64,
    },
    /// Stochastic gradient descent (Nesterov's form: Sutskever et al., ICML 2013).
    Sgd {
        /// Learning rate, above 0.
        lr: f64,
        /// Part of the last move that the next one keeps, in [0, 1).
        momentum: f64,
        /// Whether the step looks ahead along the momentum.
        #[serde(default)]
        nesterov: bool,
        /// L2 penalty added to the gradient, at least 0.
        #[serde(default)]
        weight_decay: f64,
    },
    /// Tieleman and Hinton, lecture 6.5 of "Neural Networks for Machine Learning", 2012.
    RmsProp {
        /// Learning rate, above 0.
        lr: f64,
        /// Decay of the mean square, in [0, 1).
        alpha: f64,
        /// Added to the denominator, above 0.
        eps: f64,
        /// Part of the last move that the next one keeps, in [0, 1).
        #[serde(default)]
        momentum: f64,
        /// Whether the gradient's mean is taken off its mean square (Graves, arXiv 1308.0850).
        #[serde(default)]
        centered: bool,
        /// L2 penalty added to the gradient, at least 0.
        #[serde(default)]
        weight_decay: f64,
    },
}

/// Parameters with a learning rate or a weight decay of their own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Patterns of their names, `*` standing for any characters; a parameter belongs to the first group that matches.
    pub names: Vec<String>,
    /// Factor on the learning rate, above 0; absent: 1. What shall not move at all is named in `freeze`.
    pub lr: Option<f64>,
    /// In the place of the optimiser's, at least 0; absent: the optimiser's.
    pub weight_decay: Option<f64>,
}

impl OptimizerConfig {
    /// Learning rate from which a schedule begins.
    pub fn lr(&self) -> f64 {
        let (Self::Adam { lr, .. } | Self::AdamW { lr, .. } | Self::Sgd { lr, .. } | Self::RmsProp { lr, .. }) = *self;
        lr
    }

    /// The key in experiment files.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Adam { .. } => "adam",
            Self::AdamW { .. } => "adamw",
            Self::Sgd { .. } => "sgd",
            Self::RmsProp { .. } => "rmsprop",
        }
    }

    /// Checks every number.
    ///
    /// # Errors
    /// The key, what was expected and what was found.
    pub fn validate(&self) -> Result<()> {
        self.numbers().context(self.name())
    }

    fn numbers(&self) -> Result<()> {
        match *self {
            Self::Adam { lr, betas, eps, weight_decay } | Self::AdamW { lr, betas, eps, weight_decay } => {
                above_zero("lr", lr)?;
                betas.iter().try_for_each(|&beta| part("betas", beta))?;
                above_zero("eps", eps)?;
                not_negative("weight_decay", weight_decay)
            }
            Self::Sgd { lr, momentum, nesterov, weight_decay } => {
                above_zero("lr", lr)?;
                part("momentum", momentum)?;
                ensure!(!nesterov || momentum > 0.0, "nesterov: expected a momentum above 0, found 0");
                not_negative("weight_decay", weight_decay)
            }
            Self::RmsProp { lr, alpha, eps, momentum, centered: _, weight_decay } => {
                above_zero("lr", lr)?;
                part("alpha", alpha)?;
                above_zero("eps", eps)?;
                part("momentum", momentum)?;
                not_negative("weight_decay", weight_decay)
            }
        }
    }
}

impl Group {
    /// Checks every number; the names are checked against a network by
    /// [`Optimizer::new`](crate::optimizer::Optimizer::new).
    ///
    /// # Errors
    /// The key, what was expected and what was found.
    pub fn validate(&self) -> Result<()> {
        ensure!(!self.names.is_empty(), "names: expected at least one pattern, found none");
        self.lr.map_or(Ok(()), |factor| above_zero("lr", factor))?;
        self.weight_decay.map_or(Ok(()), |decay| not_negative("weight_decay", decay))
    }
}

fn above_zero(key: &str, value: f64) -> Result<()> {
    ensure!(value > 0.0 && value.is_finite(), "{key}: expected a number above 0, found {value}");
    Ok(())
}

fn not_negative(key: &str, value: f64) -> Result<()> {
    ensure!(value >= 0.0 && value.is_finite(), "{key}: expected 0 or more, found {value}");
    Ok(())
}

fn part(key: &str, value: f64) -> Result<()> {
    ensure!((0.0..1.0).contains(&value), "{key}: expected 0 or more and less than 1, found {value}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Serialize, Deserialize)]
    struct Table {
        optimizer: OptimizerConfig,
    }

    fn read(text: &str) -> Result<OptimizerConfig, toml::de::Error> {
        toml::from_str(&format!("optimizer = {{ {text} }}")).map(|table: Table| table.optimizer)
    }

    #[test]
    fn every_optimiser_is_read_checked_and_written_again() {
        let texts = [
            "adam = { lr = 1e-4, betas = [0.9, 0.99], eps = 1e-8 }",
            "adamw = { lr = 1e-4, betas = [0.9, 0.99], eps = 1e-8, weight_decay = 0.01 }",
            "sgd = { lr = 1e-4, momentum = 0.9, nesterov = true, weight_decay = 1e-4 }",
            "rmsprop = { lr = 1e-4, alpha = 0.99, eps = 1e-8, momentum = 0.9, centered = true }",
        ];
        for text in texts {
            let optimizer = read(text).unwrap();
            optimizer.validate().unwrap();
            assert_eq!(optimizer.lr(), 1e-4);
            assert!(text.starts_with(&format!("{} =", optimizer.name())));
            let again: Table = toml::from_str(&toml::to_string(&Table { optimizer }).unwrap()).unwrap();
            assert_eq!(again.optimizer, optimizer);
        }
    }

    #[test]
    fn numbers_out_of_range_and_unknown_keys_are_refused_by_name() {
        let cases = [
            ("adam = { lr = 0.0, betas = [0.9, 0.99], eps = 1e-8 }", "adam: lr: expected a number above 0, found 0"),
            ("adam = { lr = inf, betas = [0.9, 0.99], eps = 1e-8 }", "adam: lr"),
            ("adam = { lr = 1.0, betas = [0.9, 1.0], eps = 1e-8 }", "adam: betas"),
            ("adam = { lr = 1.0, betas = [0.9], eps = 1e-8 }", "length"),
            ("adam = { lr = 1.0, betas = [0.9, 0.99], eps = 0.0 }", "adam: eps"),
            ("adamw = { lr = 1.0, betas = [0.9, 0.99], eps = 1e-8 }", "weight_decay"),
            ("adamw = { lr = 1.0, betas = [0.9, 0.99], eps = 1e-8, weight_decay = -1.0 }", "adamw: weight_decay"),
            ("sgd = { lr = 1.0, momentum = 1.0 }", "sgd: momentum"),
            ("sgd = { lr = 1.0, momentum = 0.0, nesterov = true }", "sgd: nesterov: expected a momentum above 0"),
            ("sgd = { lr = 1.0, momentum = 0.0, dampening = 0.1 }", "dampening"),
            ("rmsprop = { lr = 1.0, alpha = nan, eps = 1e-8 }", "rmsprop: alpha"),
            ("rmsprop = { lr = 1.0, alpha = 0.9, eps = 1e-8, momentum = -0.1 }", "rmsprop: momentum"),
            ("lion = { lr = 1.0 }", "lion"),
        ];
        for (text, part) in cases {
            let error =
                read(text).map_or_else(|error| error.to_string(), |read| format!("{:#}", read.validate().unwrap_err()));
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn groups_are_checked_too() {
        let said = |text: &str| match toml::from_str::<Group>(text) {
            Ok(group) => group.validate().map_or_else(|error| error.to_string(), |()| "fine".into()),
            Err(error) => error.to_string(),
        };
        assert_eq!(said("names = ['*.bias']\nweight_decay = 0.0"), "fine");
        assert!(said("names = []").contains("names"));
        assert!(said("names = ['*']\nlr = 0.0").contains("lr: expected a number above 0"));
        assert!(said("names = ['*']\nweight_decay = nan").contains("weight_decay"));
        assert!(said("names = ['*']\nbetas = [0.0, 0.0]").contains("betas"));
    }
}
