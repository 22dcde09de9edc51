//! Writing PyTorch's legacy stream: five pickles back to back, then the storages.

use std::io::Write;

use crate::error::{Fault, refuse};
use crate::pickle::write::{self, Pickled};
use crate::pickle::{Ids, MAX_PICKLE};
use crate::{Value, legacy};

/// The second pickle: protocol version 1001.
const PROTOCOL: &[u8] = b"\x80\x02M\xE9\x03.";

/// Writes the whole stream. Storage keys are `0`, `1`, ..., and the storages follow in the keys' order as text.
pub(super) fn write(mut out: impl Write, value: &Value) -> Result<(), Fault> {
    let Pickled { pickle, storages } = write::write(value, Ids::Legacy)?;
    let mut keyed: Vec<_> = storages.iter().enumerate().map(|(key, stored)| (key.to_string(), stored)).collect();
    keyed.sort_unstable_by(|one, other| one.0.cmp(&other.0));
    let keys = Value::List(keyed.iter().map(|(key, _)| Value::Text(key.clone())).collect());
    let [system, keys] = [&system(), &keys].map(|value| write::write(value, Ids::None).map(|pickled| pickled.pickle));
    let head = [legacy::START, PROTOCOL, &system?, &pickle, &keys?].concat();
    if head.len() as u64 > MAX_PICKLE {
        return refuse(format!("its pickles have {} bytes, expected at most {MAX_PICKLE}", head.len()));
    }
    out.write_all(&head)?;
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
