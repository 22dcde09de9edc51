//! Two state dicts side by side.

use std::fmt;

use crate::{StateDict, Tensor};

/// Entries of a list that are shown at most.
const MOST: usize = 10;

/// How two state dicts differ.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Comparison {
    /// Names that only the first has.
    pub only_first: Vec<String>,
    /// Names that only the second has.
    pub only_second: Vec<String>,
    /// Tensors whose type or shape differs.
    pub unlike: Vec<Unlike>,
    /// Tensors of one shape whose numbers or types differ, in the first's order.
    pub differences: Vec<Difference>,
    /// Tensors that are equal bit for bit.
    pub equal: usize,
}

/// A tensor of another type or shape in each.
#[derive(Debug, Clone, PartialEq)]
pub struct Unlike {
    /// Its name.
    pub name: String,
    /// The first's type and shape, such as `float32 [3, 3]`.
    pub first: String,
    /// The second's.
    pub second: String,
}

/// A tensor with other numbers in each.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// Its name.
    pub name: String,
    /// The largest absolute difference of two numbers in the same place; infinite where only one is finite.
    pub largest: f64,
}

impl Comparison {
    /// Whether both have the same tensors: names, types, shapes and bits. Their order does not matter.
    pub fn is_equal(&self) -> bool {
        self.is_alike() && self.differences.is_empty()
    }

    /// Whether both have the same names, types and shapes.
    pub fn is_alike(&self) -> bool {
        self.only_first.is_empty() && self.only_second.is_empty() && self.unlike.is_empty()
    }
}

/// Compares names, types and shapes, and the numbers of tensors that have the same shape.
pub fn compare(first: &StateDict, second: &StateDict) -> Comparison {
    let mut comparison = compare_shapes(first, second);
    for (name, one, other) in pairs(first, second) {
        if same_bits(one, other) {
            comparison.equal += 1;
        } else if one.shape() == other.shape() && one.dtype().is_complex() == other.dtype().is_complex() {
            let difference = Difference { name: name.clone(), largest: largest_difference(one, other) };
            comparison.differences.push(difference);
        }
    }
    comparison
}

/// Compares names, types and shapes alone.
pub(crate) fn compare_shapes(first: &StateDict, second: &StateDict) -> Comparison {
    let lacking = |all: &StateDict, other: &StateDict| {
        all.keys().filter(|name| !other.contains_key(*name)).cloned().collect::<Vec<_>>()
    };
    let alike = |one: &Tensor, other: &Tensor| one.dtype() == other.dtype() && one.shape() == other.shape();
    let form = |tensor: &Tensor| format!("{} {:?}", tensor.dtype(), tensor.shape());
    let unlike = pairs(first, second).filter(|(_, one, other)| !alike(one, other)).map(|(name, one, other)| Unlike {
        name: name.clone(),
        first: form(one),
        second: form(other),
    });
    Comparison {
        only_first: lacking(first, second),
        only_second: lacking(second, first),
        unlike: unlike.collect(),
        ..Comparison::default()
    }
}

fn pairs<'a>(
    first: &'a StateDict,
    second: &'a StateDict,
) -> impl Iterator<Item = (&'a String, &'a Tensor, &'a Tensor)> {
    first.iter().filter_map(|(name, tensor)| Some((name, tensor, second.get(name)?)))
}

/// What equality of tensors is here: whether one is a parameter does not matter.
pub(crate) fn same_bits(one: &Tensor, other: &Tensor) -> bool {
    one.dtype() == other.dtype()
        && one.shape() == other.shape()
        && one.to_contiguous_bytes() == other.to_contiguous_bytes()
}

/// Of two tensors of one shape. Two numbers that are not finite differ by nothing when they are the same, or both NaN.
fn largest_difference(one: &Tensor, other: &Tensor) -> f64 {
    let mut largest = 0.0f64;
    let mut others = other.numbers().into_iter();
    one.for_each(|a| {
        let b = others.next().unwrap_or(a);
        let difference = if a == b || a.is_nan() && b.is_nan() { 0.0 } else { (a - b).abs() };
        largest = largest.max(if difference.is_nan() { f64::INFINITY } else { difference });
    });
    largest
}

/// The names, types and shapes that differ, one to a line and ten of each kind at most, with control characters escaped.
impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        for (title, names) in [("only in the first", &self.only_first), ("only in the second", &self.only_second)] {
            names.iter().take(MOST).try_for_each(|name| writeln!(f, "  {title}: {}", name.escape_debug()))?;
            more(f, title, names.len())?;
        }
        self.unlike.iter().take(MOST).try_for_each(|Unlike { name, first, second }| {
            writeln!(f, "  unlike: {}: {first} in the first, {second} in the second", name.escape_debug())
        })?;
        more(f, "unlike", self.unlike.len())
    }
}

fn more(f: &mut fmt::Formatter, title: &str, count: usize) -> fmt::Result {
    if count > MOST { writeln!(f, "  {title}: ... and {} more", count - MOST) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Dtype, cast};

    fn state<const N: usize>(entries: [(&str, Tensor); N]) -> StateDict {
        entries.map(|(name, tensor)| (name.to_string(), tensor)).into()
    }

    fn vector(values: &[f32]) -> Tensor {
        Tensor::from_f32(&[values.len()], values)
    }

    #[test]
    fn every_kind_of_difference_is_told_apart() {
        let first = state([
            ("a", vector(&[1.0, 2.0, 3.0])),
            ("same", vector(&[f32::NAN])),
            ("long", vector(&[1.0])),
            ("mine", vector(&[1.0])),
        ]);
        // |2 - 1.5| = 0.5 and |3 - 3.25| = 0.25.
        let second = state([
            ("yours\n", vector(&[1.0])),
            ("same", vector(&[f32::NAN])),
            ("long", vector(&[1.0, 1.0])),
            ("a", vector(&[1.0, 1.5, 3.25])),
        ]);
        let found = compare(&first, &second);
        assert_eq!(found.differences, [Difference { name: "a".into(), largest: 0.5 }]);
        assert_eq!((found.equal, found.is_alike(), found.is_equal()), (1, false, false));
        let expected = "  only in the first: mine\n  only in the second: yours\\n\n  \
                        unlike: long: float32 [1] in the first, float32 [2] in the second\n";
        assert_eq!(found.to_string(), expected);
        assert!(compare(&first, &first).is_equal());
    }

    #[test]
    fn long_lists_are_cut() {
        let first: StateDict = (0..12).map(|index| (format!("t{index}"), vector(&[1.0]))).collect();
        let text = compare(&first, &StateDict::new()).to_string();
        assert!(text.lines().count() == 11 && text.ends_with("only in the first: ... and 2 more\n"), "{text}");
    }

    #[test]
    fn types_and_numbers_that_are_not_finite() {
        let single = state([("w", vector(&[1.0, 2049.0]))]);
        let half = cast(&single, Dtype::F16).unwrap().0; // 2049 becomes 2048
        let found = compare(&single, &half);
        assert_eq!((found.unlike.len(), found.differences[0].largest, found.equal), (1, 1.0, 0));
        let [a, b] = [[f32::NAN, 0.0], [f32::NAN, -0.0]].map(|values| vector(&values));
        assert_eq!((largest_difference(&a, &b), a == b), (0.0, false));
        assert_eq!(largest_difference(&a, &vector(&[1.0, 0.0])), f64::INFINITY);
    }
}
