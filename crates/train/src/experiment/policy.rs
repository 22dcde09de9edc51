//! What is done about numbers that are not finite, and which points of a training are kept to go on from.

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::Length;

/// What is done about a loss or gradient that is not finite.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum NonFinite {
    /// Training ends with an error that names it.
    #[default]
    Stop,
    /// The network's step is left out, and the log says so and counts; training ends when that happens more often in a row.
    Skip {
        /// Steps, at least 1.
        in_a_row: u64,
    },
}

/// Points from which training can go on after it was cut off. One is kept at the end of each phase, on Ctrl-C, and when a
/// validation fails in any case.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resume {
    /// How often one is kept, counted from the beginning of each phase.
    pub every: Length,
    /// How many of the last are kept, at least 1.
    pub keep: usize,
}

impl NonFinite {
    /// How many steps may be left out in a row.
    pub fn in_a_row(self) -> u64 {
        match self {
            Self::Stop => 0,
            Self::Skip { in_a_row } => in_a_row,
        }
    }

    pub(super) fn validate(self) -> Result<()> {
        ensure!(self != Self::Skip { in_a_row: 0 }, "skip.in_a_row: expected at least 1, found 0: say \"stop\"");
        Ok(())
    }
}

impl Resume {
    pub(super) fn validate(&self) -> Result<()> {
        self.every.validate().context("every")?;
        ensure!((1..=1000).contains(&self.keep), "keep: expected 1 to 1000, found {}", self.keep);
        Ok(())
    }
}
