//! Writing Hugging Face's safetensors: the length of a JSON header, the header, then the tensors' bytes.
//!
//! The header is the `safetensors` crate's own; its functions that write files would replace ours for doing so.

use std::collections::HashSet;
use std::io::Write;

use ::safetensors::Dtype as Stored;
use ::safetensors::tensor::{Metadata, TensorInfo};

use super::PROVENANCE;
use crate::error::{Fault, refuse};
use crate::safetensors::{CARD, MAX_HEADER, PROVENANCE as PROVENANCE_KEY, TYPES};
use crate::{Dtype, Tensor, Value};

/// The header's own entry beside those of tensors.
const METADATA: &str = "__metadata__";

/// Writes the tensors, those of the widest type first so that each is aligned, otherwise in the order given.
pub(super) fn write(mut out: impl Write, value: &Value, card: Option<&str>) -> Result<(), Fault> {
    let mut tensors = tensors(value)?;
    tensors.sort_by_key(|(_, stored, _)| std::cmp::Reverse(*stored));
    let header = header(&tensors, card)?;
    out.write_all(&(header.len() as u64).to_le_bytes())?;
    out.write_all(&header)?;
    for (_, _, tensor) in &tensors {
        out.write_all(&tensor.to_contiguous_bytes())?;
    }
    Ok(())
}

/// The entries of a dict of tensors by name, with their types in this format.
fn tensors<'a>(value: &'a Value) -> Result<Vec<(&'a str, Stored, &'a Tensor)>, Fault> {
    let Some(entries) = value.entries() else {
        return refuse(format!("safetensors holds a dict of tensors, not {}: choose zip", value.kind()));
    };
    let mut names = HashSet::new();
    let tensor = |(key, value): &'a (Value, Value)| match (key, value) {
        (Value::Text(name), _) if name == METADATA => refuse(format!("safetensors keeps the name {name:?} for itself")),
        (Value::Text(name), _) if !names.insert(name) => refuse(format!("{name:?} is there twice")),
        (Value::Text(name), Value::Tensor(tensor)) => Ok((name.as_str(), stored(name, tensor.dtype())?, tensor)),
        (Value::Text(name), other) => {
            refuse(format!("{name:?} is {}, and safetensors holds tensors alone: choose zip", other.kind()))
        }
        (key, _) => refuse(format!("a key is {}, and safetensors has names alone: choose zip", key.kind())),
    };
    entries.iter().map(tensor).collect()
}

fn stored(name: &str, dtype: Dtype) -> Result<Stored, Fault> {
    match TYPES.into_iter().find(|(own, _)| *own == dtype) {
        Some((_, stored)) => Ok(stored),
        None => refuse(format!("{name:?} is a tensor of {dtype}, which safetensors does not have: choose zip")),
    }
}

/// The JSON header, filled up with blanks to a multiple of 8 bytes.
fn header(tensors: &[(&str, Stored, &Tensor)], card: Option<&str>) -> Result<Vec<u8>, Fault> {
    let mut end = 0;
    let info = |(name, dtype, tensor): &(&str, Stored, &Tensor)| {
        let start = end;
        end += tensor.numel() * tensor.dtype().size();
        let shape = tensor.shape().to_vec();
        (String::from(*name), TensorInfo { dtype: *dtype, shape, data_offsets: (start, end) })
    };
    let infos = tensors.iter().map(info).collect();
    let header = Metadata::new(None, infos).map_err(|error| Fault::Content(error.to_string()))?;
    let mut header = serde_json::to_value(header).map_err(std::io::Error::from)?;
    let mut metadata = serde_json::json!({ "format": "pt", PROVENANCE_KEY: PROVENANCE });
    if let Some(card) = card {
        metadata[CARD] = card.into();
    }
    header[METADATA] = metadata;
    let mut bytes = serde_json::to_vec(&header).map_err(std::io::Error::from)?;
    bytes.resize(bytes.len().next_multiple_of(8), b' ');
    if bytes.len() as u64 > MAX_HEADER {
        return refuse(format!("a header of {} bytes, expected at most {MAX_HEADER}: choose zip", bytes.len()));
    }
    Ok(bytes)
}
