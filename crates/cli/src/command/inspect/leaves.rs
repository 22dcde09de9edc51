//! What is in a checkpoint, as one list: tensors, and everything else.

use abbe_checkpoint::{Stats, Tensor, Value};
use serde::Serialize;
use serde_json::json;

/// A tensor.
#[derive(Serialize)]
pub struct TensorEntry {
    /// Keys and positions on the way to it, joined by dots.
    pub name: String,
    /// PyTorch's name of its type.
    pub dtype: &'static str,
    /// The size of each axis.
    pub shape: Vec<usize>,
    /// What its numbers are like, when that was asked for.
    #[serde(flatten)]
    pub stats: Option<Numbers>,
}

/// [`Stats`] in JSON, where a number that is not finite is null.
#[derive(Serialize)]
pub struct Numbers {
    pub min: f64,
    pub max: f64,
    pub mean: f64,
    /// How many are not finite.
    pub non_finite: usize,
}

/// Anything but a tensor.
#[derive(Serialize)]
pub struct ValueEntry {
    /// Keys and positions on the way to it, joined by dots.
    pub name: String,
    /// It, or what it is like.
    pub value: serde_json::Value,
}

/// The leaves of a checkpoint, in the file's order.
#[derive(Default)]
pub struct Leaves {
    pub tensors: Vec<TensorEntry>,
    pub values: Vec<ValueEntry>,
    /// Numbers in all tensors.
    pub numbers: usize,
    with_stats: bool,
}

impl Leaves {
    /// Those of `value`.
    pub fn of(value: &Value, with_stats: bool) -> Self {
        let mut leaves = Leaves { with_stats, ..Leaves::default() };
        leaves.walk(String::new(), value);
        leaves
    }

    fn walk(&mut self, name: String, value: &Value) {
        let join =
            |key: &dyn std::fmt::Display| if name.is_empty() { key.to_string() } else { format!("{name}.{key}") };
        match value {
            Value::Tensor(tensor) => {
                self.numbers = self.numbers.saturating_add(tensor.numel());
                self.tensors.push(entry(name, tensor, self.with_stats));
            }
            Value::List(items) | Value::Tuple(items) | Value::Set(items) if !is_plain(items) => {
                items.iter().enumerate().for_each(|(index, item)| self.walk(join(&index), item));
            }
            Value::Opaque(opaque) => {
                self.values.push(ValueEntry { name: name.clone(), value: json!({ "not run": opaque.class }) });
                opaque.arguments.iter().enumerate().for_each(|(index, item)| self.walk(join(&index), item));
                let attributes = opaque.state.as_ref().and_then(Value::entries).unwrap_or_default();
                let told = attributes.iter().filter(|(_, value)| !is_empty(value));
                opaque.entries.iter().chain(told).for_each(|(key, value)| self.walk(join(&key_text(key)), value));
            }
            _ => match value.entries() {
                Some(entries) if !entries.is_empty() => {
                    entries.iter().for_each(|(key, value)| self.walk(join(&key_text(key)), value));
                }
                _ => self.values.push(ValueEntry { value: to_json(value), name }),
            },
        }
    }
}

fn entry(name: String, tensor: &Tensor, with_stats: bool) -> TensorEntry {
    let stats = with_stats.then(|| Stats::of(tensor)).flatten();
    let stats = stats.map(|Stats { min, max, mean, non_finite }| Numbers { min, max, mean, non_finite });
    TensorEntry { name, dtype: tensor.dtype().name(), shape: tensor.shape().to_vec(), stats }
}

/// Most of a module's attributes are empty lists of what it could call.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::List(items) | Value::Tuple(items) | Value::Set(items) => items.is_empty(),
        _ => *value == Value::None || value.entries().is_some_and(<[_]>::is_empty),
    }
}

/// Numbers and the like, which are read better in one line.
fn is_plain(items: &[Value]) -> bool {
    items.iter().all(|item| {
        matches!(
            item,
            Value::None | Value::Bool(_) | Value::Int(_) | Value::BigInt(_) | Value::Float(_) | Value::Text(_)
        )
    })
}

/// A key of a dict, as a part of a name.
pub fn key_text(key: &Value) -> String {
    match key {
        Value::Text(text) => text.clone(),
        other => to_json(other).to_string(),
    }
}

/// A value in JSON; what JSON lacks is described.
fn to_json(value: &Value) -> serde_json::Value {
    match value {
        Value::None => json!(null),
        Value::Bool(value) => json!(value),
        Value::Int(number) => json!(number),
        Value::BigInt(number) => json!(number.to_string()),
        Value::Float(number) if number.is_finite() => json!(number),
        Value::Float(number) => json!(number.to_string()),
        Value::Text(text) => json!(text),
        Value::Bytes(bytes) | Value::ByteArray(bytes) => json!({ "bytes": bytes.len() }),
        Value::List(items) | Value::Tuple(items) | Value::Set(items) => items.iter().map(to_json).collect(),
        Value::Dict(_) | Value::OrderedDict(_) | Value::Counter(_) => json!({}),
        Value::Complex(re, im) => json!({ "complex": [re, im] }),
        Value::Size(sides) => json!(sides),
        Value::Device(device) => json!(device),
        Value::Dtype(dtype) => json!(dtype.name()),
        Value::Tensor(_) | Value::Opaque(_) => json!("an object as a key"),
    }
}
