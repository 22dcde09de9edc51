//! The plain values that a checkpoint holds.

use crate::Tensor;

/// A plain value: what a checkpoint's Python objects are read as.
///
/// Some types are kept as the nearest plain value: `torch.Size` as a tuple, `set` as a list, `bytearray` as bytes,
/// `torch.device` and `torch.dtype` as text (`"cuda:1"`, `"torch.float32"`), `Parameter` as its tensor.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `None`
    None,
    /// `True` or `False`
    Bool(bool),
    /// An integer.
    Int(i64),
    /// An integer that needs more than 64 bits.
    BigInt(i128),
    /// A float.
    Float(f64),
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A list.
    List(Vec<Value>),
    /// A tuple.
    Tuple(Vec<Value>),
    /// A `dict`: keys and values in the file's order, no key twice.
    Dict(Vec<(Value, Value)>),
    /// A `collections.OrderedDict`, which is what `state_dict()` returns.
    OrderedDict(Vec<(Value, Value)>),
    /// A `collections.Counter`, which schedulers keep their milestones in.
    Counter(Vec<(Value, Value)>),
    /// A tensor.
    Tensor(Tensor),
}

impl Value {
    /// The keys and values of a dict of any of the three kinds, in order.
    pub fn entries(&self) -> Option<&[(Value, Value)]> {
        match self {
            Value::Dict(entries) | Value::OrderedDict(entries) | Value::Counter(entries) => Some(entries),
            _ => None,
        }
    }

    /// The value under a text key of a dict.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.entries()?
            .iter()
            .find(|(found, _)| matches!(found, Value::Text(text) if text == key))
            .map(|entry| &entry.1)
    }

    /// The name of the Python type, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Value::None => "None",
            Value::Bool(_) => "a bool",
            Value::Int(_) | Value::BigInt(_) => "an int",
            Value::Float(_) => "a float",
            Value::Text(_) => "a text",
            Value::Bytes(_) => "bytes",
            Value::List(_) => "a list",
            Value::Tuple(_) => "a tuple",
            Value::Dict(_) | Value::OrderedDict(_) | Value::Counter(_) => "a dict",
            Value::Tensor(_) => "a tensor",
        }
    }
}
