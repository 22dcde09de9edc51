//! PyTorch's legacy stream (0.1.10 to 1.5): five pickles back to back, then the storages.

use std::collections::HashSet;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::sync::Arc;

use crate::Value;
use crate::error::{CUT_OFF, Fault, refuse};
use crate::pickle::{self, Graph, Ids, StorageSpec};
use crate::tensor::{Storage, checked_bools};

/// The first pickle of every legacy file, whole: protocol 2, the magic number, stop.
pub(crate) const START: &[u8] = &[0x80, 2, 0x8A, 10, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19, b'.'];

const PROTOCOL: i128 = 1001;

/// The pickles, and the position in the file after them.
struct Head {
    graph: Graph,
    keys: Vec<String>,
    end: usize,
}

pub(crate) fn read(mut file: File) -> Result<Value, Fault> {
    let length = file.metadata()?.len();
    let Head { graph, keys, end } = read_head(&mut file)?;
    let named: HashSet<_> = graph.storages.keys().collect();
    if keys.len() != named.len() || keys.iter().collect::<HashSet<_>>() != named {
        return refuse("the list of storages differs from those that the tensors name; the file is damaged or hostile");
    }
    let mut storages = vec![None; keys.len()];
    file.seek(SeekFrom::Start(end as u64))?;
    let mut left = length.saturating_sub(end as u64);
    for key in &keys {
        if let Some((index, _, spec)) = graph.storages.get_full(key) {
            let storage =
                read_storage(&mut file, &mut left, *spec).map_err(|fault| fault.within(format!("storage {key:?}")))?;
            storages[index] = Some(Arc::new(storage));
        }
    }
    if left != 0 {
        return refuse(format!("{left} bytes follow the last storage; the file is damaged"));
    }
    let storages: Vec<_> = storages.into_iter().flatten().collect();
    graph.into_value(&storages)
}

/// Reads the pickles from one buffer, which is freed before the storages are read.
fn read_head(file: &mut File) -> Result<Head, Fault> {
    let mut bytes = Vec::new();
    file.by_ref().take(pickle::MAX_PICKLE).read_to_end(&mut bytes)?;
    let mut end = START.len();
    let mut next = |what: &str, ids| -> Result<Graph, Fault> {
        let rest = bytes.get(end..).unwrap_or_default();
        let (graph, length) = pickle::run(rest, ids).map_err(|fault| fault.within(format!("{what} at byte {end}")))?;
        end += length;
        Ok(graph)
    };
    if next("protocol version", Ids::None)?.integer() != Some(PROTOCOL) {
        return refuse(format!("the protocol version of a legacy checkpoint is not {PROTOCOL}; the file is damaged"));
    }
    next("system description", Ids::None)?;
    let graph = next("object", Ids::Legacy)?;
    let Some(keys) = next("list of storages", Ids::None)?.keys() else {
        return refuse("the list of storages is not a list of keys; the file is damaged");
    };
    Ok(Head { graph, keys, end })
}

/// The number of elements, then the bytes, read in one piece straight into the storage.
fn read_storage(file: &mut File, left: &mut u64, spec: StorageSpec) -> Result<Storage, Fault> {
    let expected = spec.byte_length();
    let Some(rest) = left.checked_sub(8) else { return refuse(CUT_OFF) };
    let mut numel = [0; 8];
    file.read_exact(&mut numel)?;
    let numel = i64::from_le_bytes(numel);
    if usize::try_from(numel) != Ok(spec.numel) {
        return refuse(format!("it has {numel} elements, expected {}; the file is damaged", spec.numel));
    }
    // Compared before anything is allocated.
    let Some(rest) = rest.checked_sub(expected as u64) else { return refuse(CUT_OFF) };
    let mut bytes = vec![0; expected];
    file.read_exact(&mut bytes)?;
    *left = rest;
    checked_bools(spec.dtype, bytes)
}
