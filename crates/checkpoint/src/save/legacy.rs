//! Writing PyTorch's legacy stream: five pickles back to back, then the storages.

use std::io::Write;

use crate::error::{Fault, refuse};
use crate::pickle::Ids;
use crate::pickle::write::{self, Pickled};
use crate::{Value, legacy};

/// The second pickle: protocol version 1001.
const PROTOCOL: &[u8] = b"\x80\x02M\xE9\x03.";

/// Writes the whole stream. Storage keys are `0`, `1`, ..., and the storages follow in the keys' order as text.
pub(super) fn write(mut out: impl Write, value: &Value) -> Result<(), Fault> {
    let Pickled { pickle, storages } = write::write(value, Ids::Legacy)?;
    check("", value)?;
    let mut keyed: Vec<_> = storages.iter().enumerate().map(|(key, stored)| (key.to_string(), stored)).collect();
    keyed.sort_unstable_by(|one, other| one.0.cmp(&other.0));
    let keys = Value::List(keyed.iter().map(|(key, _)| Value::Text(key.clone())).collect());
    out.write_all(legacy::START)?;
    out.write_all(PROTOCOL)?;
    out.write_all(&write::write(&system(), Ids::None)?.pickle)?;
    out.write_all(&pickle)?;
    out.write_all(&write::write(&keys, Ids::None)?.pickle)?;
    for (_, stored) in keyed {
        let numel = stored.bytes.len() / stored.dtype.size();
        out.write_all(&(numel as i64).to_le_bytes())?;
        out.write_all(&stored.bytes)?;
    }
    Ok(())
}

/// What the third pickle says of the machine; PyTorch reads it and goes on.
fn system() -> Value {
    let entry = |name: &str, value| (Value::Text(name.into()), value);
    let sizes = [("short", 2), ("int", 4), ("long", 4)].map(|(name, size)| entry(name, Value::Int(size)));
    Value::Dict(vec![
        entry("protocol_version", Value::Int(1001)),
        entry("little_endian", Value::Bool(true)),
        entry("type_sizes", Value::Dict(sizes.into())),
    ])
}

/// Refuses tensors of a type that has no storage class: PyTorch writes them into this container and cannot read them back.
fn check(place: &str, value: &Value) -> Result<(), Fault> {
    let below = |key: &str, value| check(&if place.is_empty() { key.into() } else { format!("{place}.{key}") }, value);
    match value {
        Value::Tensor(tensor) if tensor.dtype().storage_class().is_none() => refuse(format!(
            "{place:?} is a tensor of {}, which PyTorch cannot read from a legacy file: choose zip",
            tensor.dtype()
        )),
        Value::List(items) | Value::Tuple(items) => {
            items.iter().enumerate().try_for_each(|(index, item)| below(&index.to_string(), item))
        }
        _ => value.entries().unwrap_or_default().iter().try_for_each(|(key, value)| match key {
            Value::Text(key) => below(key, value),
            Value::Int(key) => below(&key.to_string(), value),
            key => below(key.kind(), value),
        }),
    }
}
