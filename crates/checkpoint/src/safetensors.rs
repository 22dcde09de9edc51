//! The safetensors format: the length of a JSON header, the header, then the tensors without gaps.

use std::io::Read;

use ::safetensors::tensor::{Dtype as Stored, Metadata};

use crate::error::{CUT_OFF, Fault, refuse};
use crate::pickle::check_shape;
use crate::read::Checkpoint;
use crate::source::{self, Source};
use crate::tensor::checked_bools;
use crate::{Container, Dtype, Tensor, Value};

/// The most bytes of a header, 4 MiB: that of 700 tensors has about 100 KB, and parsed it takes many times its size.
pub(crate) const MAX_HEADER: u64 = 4 << 20;

/// The keys of the metadata under which Abbe keeps its card, and which program wrote the file.
pub(crate) const CARD: &str = "abbe";
pub(crate) const PROVENANCE: &str = "abbe.provenance";

/// Each type with its name in this format.
pub(crate) const TYPES: [(Dtype, Stored); 18] = [
    (Dtype::F64, Stored::F64),
    (Dtype::F32, Stored::F32),
    (Dtype::F16, Stored::F16),
    (Dtype::Bf16, Stored::BF16),
    (Dtype::I64, Stored::I64),
    (Dtype::I32, Stored::I32),
    (Dtype::I16, Stored::I16),
    (Dtype::I8, Stored::I8),
    (Dtype::U64, Stored::U64),
    (Dtype::U32, Stored::U32),
    (Dtype::U16, Stored::U16),
    (Dtype::U8, Stored::U8),
    (Dtype::Bool, Stored::BOOL),
    (Dtype::C64, Stored::C64),
    (Dtype::F8E4m3fn, Stored::F8_E4M3),
    (Dtype::F8E5m2, Stored::F8_E5M2),
    (Dtype::F8E4m3fnuz, Stored::F8_E4M3FNUZ),
    (Dtype::F8E5m2fnuz, Stored::F8_E5M2FNUZ),
];

pub(crate) fn read(mut file: impl Source) -> Result<Checkpoint, Fault> {
    let length = source::length(&mut file)?;
    let header = header(&mut file, length)?;
    let mut names = header.offset_keys();
    let place = |name: &String| header.info(name).map(|info| info.data_offsets);
    names.sort_by(|a, b| (place(a), a).cmp(&(place(b), b)));
    let start = length - header.data_len() as u64;
    let mut entries = Vec::with_capacity(names.len());
    for name in names {
        let tensor = tensor(&file, start, &header, &name).map_err(|fault| fault.within(format!("tensor {name:?}")))?;
        entries.push((Value::Text(name), Value::Tensor(tensor)));
    }
    let mut metadata: Vec<_> = header.metadata().iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect();
    metadata.sort();
    let text = |wanted| metadata.iter().find(|(key, _)| key == wanted).map(|(_, text)| text.clone());
    let (card, provenance) = (text(CARD), text(PROVENANCE));
    let value = Value::OrderedDict(entries);
    Ok(Checkpoint { card, provenance, metadata, ..Checkpoint::of(Container::Safetensors, value) })
}

/// The header, whose tensors fill the rest of the file one after the other: the crate checks the offsets and the sizes.
fn header(file: &mut impl Read, length: u64) -> Result<Metadata, Fault> {
    let mut size = [0; 8];
    file.read_exact(&mut size)?;
    let size = u64::from_le_bytes(size);
    if size > MAX_HEADER {
        return refuse(format!("byte 0: a header of {size} bytes, expected at most {MAX_HEADER}; the file is hostile"));
    }
    let mut bytes = Vec::new();
    file.take(size).read_to_end(&mut bytes)?;
    if bytes.len() as u64 != size {
        return refuse(format!("byte 8: {CUT_OFF}"));
    }
    let header: Metadata = serde_json::from_slice(&bytes)
        .or_else(|error| refuse(format!("byte 8: the header is damaged: {}", error.to_string().escape_debug())))?;
    let (data, expected) = (length - 8 - size, header.data_len() as u64);
    if data != expected {
        return refuse(format!(
            "byte {}: {data} bytes of tensors follow, expected {expected}: download or copy the file again",
            8 + size
        ));
    }
    Ok(header)
}

fn tensor(file: &impl Source, start: u64, header: &Metadata, name: &str) -> Result<Tensor, Fault> {
    let Some(info) = header.info(name) else { return refuse("it is not in the header; the file is damaged") };
    let Some((dtype, _)) = TYPES.into_iter().find(|(_, stored)| *stored == info.dtype) else {
        return refuse(format!("elements of the type {:?} are not supported; convert them in Python", info.dtype));
    };
    check_shape(&info.shape)?;
    let (first, end) = info.data_offsets;
    let bytes = source::read_at(file, start + first as u64, end - first)?;
    let storage = checked_bools(Some(dtype), bytes)?;
    Ok(Tensor::contiguous(dtype, &info.shape, storage.bytes))
}
