//! Ranges of a degradation's settings, with errors that name the key.

use std::fmt::Debug;

use crate::Error;

/// An error about `key` unless `holds`.
pub fn require(holds: bool, key: String, expected: impl Into<String>, found: impl Debug) -> Result<(), Error> {
    if holds { Ok(()) } else { Err(Error::Degradation { key, expected: expected.into(), found: format!("{found:?}") }) }
}

/// Two ordered numbers, both between `least` and `most`.
pub fn range<T: PartialOrd + Debug>(key: String, [low, high]: [T; 2], least: T, most: T) -> Result<(), Error> {
    let expected = format!("[low, high] with {least:?} <= low <= high <= {most:?}");
    require(least <= low && low <= high && high <= most, key, expected, [low, high])
}

/// What rounding may take from or add to a sum of probabilities.
const ROUNDING: f64 = 1e-6;

/// Probabilities, each in [0, 1], that add up to 1.
pub fn probabilities(key: String, values: &[f64]) -> Result<(), Error> {
    let whole = values.iter().sum::<f64>() > 1.0 - ROUNDING;
    require(whole, key.clone(), "probabilities in [0, 1] that add up to 1", values)?;
    shares(key, values)
}

/// Probabilities, each in [0, 1], that add up to 1 or less.
pub fn shares(key: String, values: &[f64]) -> Result<(), Error> {
    let holds = values.iter().all(|value| (0.0..=1.0).contains(value)) && values.iter().sum::<f64>() < 1.0 + ROUNDING;
    require(holds, key, "probabilities in [0, 1] that add up to 1 at most", values)
}
