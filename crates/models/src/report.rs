//! What a checkpoint and a network disagree about.

use std::fmt;

use abbe_checkpoint::Tensor as Saved;
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
        self.missing.is_empty() && self.unexpected.is_empty() && self.shape.is_empty() && self.dtype.is_empty()
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
        }
    }
}

impl fmt::Display for LoadReport {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        names(f, "missing", &self.missing)?;
        names(f, "unexpected", &self.unexpected)?;
        mismatches(f, "shape", &self.shape)?;
        mismatches(f, "type", &self.dtype)
    }
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
        writeln!(f, "  {title}: {name}: expected {expected}, found {found}")
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
            dtype: vec![],
        };
        let expected = "  missing: a\n  missing: b\n  unexpected: x\\u{1b}[31m\n  \
                        shape: c: expected [2], found [1]\n  shape: d: expected [2], found [1]\n";
        assert_eq!(report.to_string(), expected);
        assert!(!report.fits() && LoadReport::default().fits());
    }
}
