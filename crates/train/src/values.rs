//! Plain values of a checkpoint by their keys.

use abbe_checkpoint::Value;
use anyhow::{Context, Result, bail};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json};

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

/// Anything that JSON can say, as values; no number is rounded on the way.
///
/// # Errors
/// What JSON cannot say.
pub(crate) fn to_value(of: &impl Serialize) -> Result<Value> {
    Ok(of_json(serde_json::to_value(of)?))
}

/// Back from what [`to_value`] gave.
///
/// # Errors
/// Values of something else.
pub(crate) fn from_value<T: DeserializeOwned>(value: &Value) -> Result<T> {
    Ok(serde_json::from_value(to_json(value)?)?)
}

fn of_json(json: Json) -> Value {
    match json {
        Json::Null => Value::None,
        Json::Bool(truth) => Value::Bool(truth),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => Value::Int(whole),
            None => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::Text(text),
        Json::Array(items) => list(items.into_iter().map(of_json)),
        Json::Object(map) => {
            Value::Dict(map.into_iter().map(|(key, item)| (Value::Text(key), of_json(item))).collect())
        }
    }
}

fn to_json(value: &Value) -> Result<Json> {
    Ok(match value {
        Value::None => Json::Null,
        Value::Bool(truth) => (*truth).into(),
        Value::Int(number) => (*number).into(),
        Value::Float(number) => (*number).into(),
        Value::Text(text) => text.as_str().into(),
        Value::List(items) => items.iter().map(to_json).collect::<Result<Vec<_>>>()?.into(),
        Value::Dict(entries) => {
            let entry = |(key, item): &(Value, Value)| match key {
                Value::Text(key) => Ok((key.clone(), to_json(item)?)),
                _ => bail!("expected text as a key"),
            };
            entries.iter().map(entry).collect::<Result<Map<_, _>>>()?.into()
        }
        _ => bail!("expected what JSON can say"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_json_can_say_comes_back_to_the_last_bit() {
        let third = f64::from_bits((1.0f64 / 3.0).to_bits() + 1); // whose text JSON may read as its neighbour
        let json = serde_json::json!({ "a": [third, 1.0, 1, -2, "x", null, true], "b": { "c": {} } });
        let value = to_value(&json).unwrap();
        assert_eq!(from_value::<Json>(&value).unwrap(), json);
        let Value::List(items) = value.get("a").unwrap() else { panic!("{value:?}") };
        assert_eq!(items[..3], [Value::Float(third), Value::Float(1.0), Value::Int(1)]);
        assert!(from_value::<Json>(&Value::Bytes(vec![])).is_err());
    }
}
