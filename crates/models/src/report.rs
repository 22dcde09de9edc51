//! What a checkpoint and a network disagree about.

use std::fmt;

use abbe_checkpoint::{Dtype, Tensor as Saved};
use tch::{Kind, Tensor};

use crate::convert;

/// Every difference between a network and a checkpoint, for the user to read at once.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct LoadReport {
    /// Names that the network has and the checkpoint lacks.
    pub missing: Vec<String>,
    /// Names that the checkpoint has and the network lacks.
    pub unexpected: Vec<String>,
    /// Tensors whose shapes differ.
    pub shape: Vec<Mismatch>,
    /// Tensors whose types cannot stand for each other, such as integers for float32.
    pub dtype: Vec<Mismatch>,
    /// Tensors that never change in the project that wrote the file, and have other values in it.
    pub constant: Vec<Mismatch>,
    /// Tensors whose numbers are converted, such as float16 to float32; no obstacle.
    pub converted: Vec<Mismatch>,
}

/// A tensor that is not what the network needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Mismatch {
    /// The tensor's name.
    pub name: String,
    /// What the network needs.
    pub expected: String,
    /// What the checkpoint has.
    pub found: String,
}

impl LoadReport {
    /// Whether the checkpoint can be loaded.
    pub fn fits(&self) -> bool {
        let mismatches = [&self.shape, &self.dtype, &self.constant];
        self.missing.is_empty() && self.unexpected.is_empty() && mismatches.iter().all(|list| list.is_empty())
    }

    /// What was converted, for the user to know; none when every tensor had the network's type.
    pub fn conversions(&self) -> Option<String> {
        let first = self.converted.first()?;
        let same = self.converted.iter().all(|other| other.found == first.found);
        let found = if same { &first.found } else { "several types" };
        Some(format!("{} tensors of {found} were converted to {}", self.converted.len(), first.expected))
    }

    pub(crate) fn compare(&mut self, name: &str, expected: &Tensor, found: &Saved) {
        let mismatch = |expected: String, found: String| Mismatch { name: name.to_string(), expected, found };
        let shape = convert::shape(expected);
        if shape != found.shape() {
            self.shape.push(mismatch(format!("{shape:?}"), format!("{:?}", found.shape())));
        }
        if !convert::converts(found.dtype(), expected.kind()) {
            let expected = if expected.kind() == Kind::Float { "floating point" } else { "int64" };
            self.dtype.push(mismatch(expected.to_string(), found.dtype().to_string()));
        } else if expected.kind() == Kind::Float && found.dtype() != Dtype::F32 {
            self.converted.push(mismatch(Dtype::F32.to_string(), found.dtype().to_string()));
        }
    }

    /// Values within a thousandth are the same: projects round their constants.
    pub(crate) fn compare_constant(&mut self, name: &str, expected: &Saved, found: Option<&Saved>) {
        let Some(found) = found else { return self.missing.push(name.to_string()) };
        let same = match (expected.to_f32(), found.to_f32()) {
            (Ok(a), Ok(b)) => {
                expected.shape() == found.shape()
                    && a.iter().zip(&b).all(|(a, b)| (a - b).abs() <= 1e-3 * a.abs().max(1.0))
            }
            _ => false,
        };
        if !same {
            let [expected, found] =
                [expected, found].map(|tensor| format!("{:?} {:.4?}", tensor.shape(), first(tensor)));
            self.constant.push(Mismatch { name: name.to_string(), expected, found });
        }
    }
}

impl fmt::Display for LoadReport {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        names(f, "missing", &self.missing)?;
        names(f, "unexpected", &self.unexpected)?;
        mismatches(f, "shape", &self.shape)?;
        mismatches(f, "type", &self.dtype)?;
        mismatches(f, "value", &self.constant)
    }
}

/// A tensor's first numbers.
fn first(tensor: &Saved) -> Vec<f32> {
    tensor.to_f32().map(|values| values.into_iter().take(3).collect()).unwrap_or_default()
}

fn names(f: &mut fmt::Formatter, title: &str, names: &[String]) -> fmt::Result {
    let mut names = names.to_vec();
    names.sort();
    names.iter().try_for_each(|name| writeln!(f, "  {title}: {}", name.escape_debug()))
}

fn mismatches(f: &mut fmt::Formatter, title: &str, mismatches: &[Mismatch]) -> fmt::Result {
    let mut mismatches = mismatches.to_vec();
    mismatches.sort_by(|a, b| a.name.cmp(&b.name));
    mismatches.iter().try_for_each(|Mismatch { name, expected, found }| {
        writeln!(f, "  {title}: {}: expected {expected}, found {found}", name.escape_debug())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_is_sorted_and_shows_control_characters_harmless() {
        let wrong = |name: &str| Mismatch { name: name.into(), expected: "[2]".into(), found: "[1]".into() };
        let report = LoadReport {
            missing: vec!["b".into(), "a".into()],
            unexpected: vec!["x\u{1b}[31m".into()],
            shape: vec![wrong("d"), wrong("c")],
            ..LoadReport::default()
        };
        let expected = "  missing: a\n  missing: b\n  unexpected: x\\u{1b}[31m\n  \
                        shape: c: expected [2], found [1]\n  shape: d: expected [2], found [1]\n";
        assert_eq!(report.to_string(), expected);
        assert!(!report.fits() && LoadReport::default().fits());
    }
}
