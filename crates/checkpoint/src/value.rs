//! The plain values that a checkpoint holds.

use crate::{Dtype, Tensor};

/// A plain value: what a checkpoint's Python objects are read as. A `Parameter` is its tensor.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `None`
    None,
    /// `True` or `False`
    Bool(bool),
    /// An integer, or one of NumPy's.
    Int(i64),
    /// An integer that needs more than 64 bits.
    BigInt(i128),
    /// A float, or one of NumPy's.
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
    /// A `collections.OrderedDict`, which is what `state_dict()` returns; without its attributes (`_metadata`).
    OrderedDict(Vec<(Value, Value)>),
    /// A `collections.Counter`, which schedulers keep their milestones in.
    Counter(Vec<(Value, Value)>),
    /// A `set`: its items in the file's order.
    Set(Vec<Value>),
    /// A `bytearray`.
    ByteArray(Vec<u8>),
    /// A `complex` of real and imaginary part.
    Complex(f64, f64),
    /// A `torch.Size`.
    Size(Vec<i64>),
    /// A `torch.device`, such as `cuda:1`: a type that PyTorch knows, and perhaps an index of 0 to 127.
    Device(String),
    /// A `torch.dtype`.
    Dtype(Dtype),
    /// A tensor.
    Tensor(Tensor),
    /// What is no plain value: only [`inspect`](crate::inspect()) gives it.
    Opaque(Box<Opaque>),
}

/// A Python object of a class that weights do not need, or such a class or function itself: inert, for looking only.
///
/// Nothing of it was run; these are the parts that Python would make it from.
#[derive(Clone, Debug, PartialEq)]
pub struct Opaque {
    /// The class or function: `torch.nn.modules.conv.Conv2d`. It comes from the file: escape it when printing.
    pub class: String,
    /// What the class or function is called with.
    pub arguments: Vec<Value>,
    /// What is put into it as into a dict; a list's items have their index as key.
    pub entries: Vec<(Value, Value)>,
    /// What its attributes are set from, a dict in most cases.
    pub state: Option<Value>,
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
            Value::Set(_) => "a set",
            Value::ByteArray(_) => "a bytearray",
            Value::Complex(..) => "a complex number",
            Value::Size(_) => "a torch.Size",
            Value::Device(_) => "a torch.device",
            Value::Dtype(_) => "a torch.dtype",
            Value::Tensor(_) => "a tensor",
            Value::Opaque(_) => "an object of a class that was not run",
        }
    }
}
