//! Typed access to the entries of a dict, with messages that name the place.

use crate::error::{Fault, refuse};
use crate::{Dtype, Tensor, Value};

/// A dict, and where in the whole value it is.
pub(super) struct Fields<'a> {
    pub(super) place: String,
    dict: &'a Value,
}

impl<'a> Fields<'a> {
    pub(super) fn of(place: impl Into<String>, value: &'a Value) -> Result<Self, Fault> {
        let place = place.into();
        match value.entries() {
            Some(_) => Ok(Self { place, dict: value }),
            None => refuse(format!("{place} is {}, expected a dict", value.kind())),
        }
    }

    /// The entry, None when it is absent or Python's None.
    pub(super) fn optional(&self, name: &str) -> Option<&'a Value> {
        self.dict.get(name).filter(|value| **value != Value::None)
    }

    fn required(&self, name: &str) -> Result<&'a Value, Fault> {
        self.optional(name).ok_or_else(|| Fault::Content(format!("{} has no {name}", self.place)))
    }

    pub(super) fn list(&self, name: &str) -> Result<&'a [Value], Fault> {
        match self.required(name)? {
            Value::List(items) | Value::Tuple(items) => Ok(items),
            other => self.odd(name, other, "a list"),
        }
    }

    pub(super) fn entries(&self, name: &str) -> Result<&'a [(Value, Value)], Fault> {
        let value = self.required(name)?;
        value.entries().map_or_else(|| self.odd(name, value, "a dict"), Ok)
    }

    pub(super) fn tensor(&self, name: &str) -> Result<&'a Tensor, Fault> {
        match self.required(name)? {
            Value::Tensor(tensor) => Ok(tensor),
            other => self.odd(name, other, "a tensor"),
        }
    }

    /// A finite number: an int, a float, or a tensor of one element.
    pub(super) fn number(&self, name: &str) -> Result<f64, Fault> {
        let value = self.required(name)?;
        number(value).map_or_else(|| self.odd(name, value, "a finite number"), Ok)
    }

    pub(super) fn optional_number(&self, name: &str) -> Result<Option<f64>, Fault> {
        self.optional(name).map(|_| self.number(name)).transpose()
    }

    /// A count of steps or epochs: a whole number from 0 on, exact.
    pub(super) fn count(&self, name: &str) -> Result<u64, Fault> {
        let value = self.required(name)?;
        let whole = |number: &f64| *number >= 0.0 && number.fract() == 0.0 && *number <= MAX_COUNT;
        number(value).filter(whole).map_or_else(|| self.odd(name, value, "a whole number from 0 on"), |n| Ok(n as u64))
    }

    /// A flag; false when the entry is absent, as in files of older versions.
    pub(super) fn flag(&self, name: &str) -> Result<bool, Fault> {
        match self.optional(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(other) => self.odd(name, other, "a bool"),
        }
    }

    /// The names of a group's parameters, which optimisers built from `named_parameters()` have.
    pub(super) fn names(&self, name: &str, parameters: usize) -> Result<Option<Vec<String>>, Fault> {
        if self.optional(name).is_none() {
            return Ok(None);
        }
        let text = |value: &Value| match value {
            Value::Text(text) => Ok(text.clone()),
            other => self.odd(name, other, "a text"),
        };
        let names = self.list(name)?.iter().map(text).collect::<Result<Vec<_>, _>>()?;
        if names.len() != parameters {
            return refuse(format!("{}.{name} has {} names for {parameters} parameters", self.place, names.len()));
        }
        Ok(Some(names))
    }

    fn odd<T>(&self, name: &str, found: &Value, expected: &str) -> Result<T, Fault> {
        refuse(format!("{}.{name} is or holds {}, expected {expected}", self.place, found.kind()))
    }
}

/// Up to here every whole number is a float64.
const MAX_COUNT: f64 = (1u64 << 53) as f64;

/// `value` as a finite number.
pub(super) fn number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Int(value) => Some(*value as f64),
        Value::Float(value) => Some(*value),
        Value::Tensor(tensor) if tensor.numel() == 1 => element(tensor),
        _ => None,
    };
    number.filter(|number| number.is_finite())
}

fn element(tensor: &Tensor) -> Option<f64> {
    if tensor.dtype() == Dtype::F64 {
        return Some(f64::from_le_bytes(tensor.to_contiguous_bytes().as_ref().try_into().ok()?));
    }
    let float = tensor.to_f32().ok().and_then(|values| Some(f64::from(*values.first()?)));
    float.or_else(|| Some(*tensor.to_i64().ok()?.first()? as f64))
}

/// A dict with text keys.
pub(super) fn dict<'a>(entries: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    Value::Dict(entries.into_iter().map(|(name, value)| (Value::Text(name.into()), value)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_as_ints_floats_and_tensors_of_one_element() {
        let one = |tensor| number(&Value::Tensor(tensor));
        assert_eq!(number(&Value::Int(2)), Some(2.0));
        assert_eq!(one(Tensor::from_f32(&[], &[2.0])), Some(2.0));
        assert_eq!(one(Tensor::from_i64(&[1], &[2])), Some(2.0));
        assert_eq!(one(Tensor::from_f32(&[2], &[2.0, 2.0])), None);
        assert_eq!(number(&Value::Float(f64::NAN)), None);
        assert_eq!(number(&Value::Bool(true)), None);
    }

    #[test]
    fn counts_are_whole() {
        let count = |value| Fields::of("x", &dict([("step", value)])).unwrap().count("step").ok();
        assert_eq!(count(Value::Float(3.0)), Some(3));
        assert_eq!(count(Value::Float(2.5)), None);
        assert_eq!(count(Value::Int(-1)), None);
    }
}
