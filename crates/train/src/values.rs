//! Plain values of a checkpoint by their keys.

use abbe_checkpoint::Value;
use anyhow::{Context, Result, bail};

/// A dict with text keys.
pub(crate) struct Fields<'a>(pub &'a Value);

impl<'a> Fields<'a> {
    /// # Errors
    /// No such key.
    pub(crate) fn get(&self, key: &str) -> Result<&'a Value> {
        self.0.get(key).with_context(|| format!("`{key}` is missing"))
    }

    /// # Errors
    /// No such key, or no whole number from 0 on.
    pub(crate) fn whole(&self, key: &str) -> Result<u64> {
        match self.get(key)? {
            Value::Int(number) if *number >= 0 => Ok(*number as u64),
            _ => bail!("`{key}`: expected a whole number from 0 on"),
        }
    }

    /// # Errors
    /// No such key, or no float.
    pub(crate) fn number(&self, key: &str) -> Result<f64> {
        match self.get(key)? {
            Value::Float(number) => Ok(*number),
            _ => bail!("`{key}`: expected a float"),
        }
    }

    /// # Errors
    /// No such key, or no text.
    pub(crate) fn text(&self, key: &str) -> Result<&'a str> {
        match self.get(key)? {
            Value::Text(text) => Ok(text),
            _ => bail!("`{key}`: expected text"),
        }
    }

    /// # Errors
    /// No such key, or no list.
    pub(crate) fn items(&self, key: &str) -> Result<&'a [Value]> {
        match self.get(key)? {
            Value::List(items) => Ok(items),
            _ => bail!("`{key}`: expected a list"),
        }
    }
}

/// A dict of these entries.
pub(crate) fn dict<'a>(entries: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    Value::Dict(entries.into_iter().map(|(key, value)| (Value::Text(key.into()), value)).collect())
}

/// A list of these values.
pub(crate) fn list(values: impl Iterator<Item = Value>) -> Value {
    Value::List(values.collect())
}
