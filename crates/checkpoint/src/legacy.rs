//! PyTorch's legacy stream (0.1.10 to 1.5): five pickles back to back, then the storages.

use std::collections::HashSet;
use std::io::{Read, Seek, SeekFrom};
use std::sync::Arc;

use crate::Container;
use crate::error::{CUT_OFF, Fault, refuse};
use crate::pickle::{self, Graph, Ids, StorageSpec, Unknown};
use crate::read::{Checkpoint, length};
use crate::tensor::{Storage, checked_bools};

/// The first pickle of every legacy file, whole: protocol 2, the magic number, stop.
pub(crate) const START: &[u8] = &[0x80, 2, 0x8A, 10, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19, b'.'];

const PROTOCOL: i128 = 1001;

/// The pickles: where the object starts, and the position in the file after them all.
struct Head {
    graph: Graph,
    object: usize,
    keys: Vec<String>,
    end: usize,
}

pub(crate) fn read(mut file: impl Read + Seek, unknown: Unknown) -> Result<Checkpoint, Fault> {
    let length = length(&mut file)?;
    let Head { graph, object, keys, end } = read_head(&mut file, unknown)?;
    let named: HashSet<_> = graph.storages.keys().collect();
    if keys.len() != named.len() || keys.iter().collect::<HashSet<_>>() != named {
        return refuse(format!(
            "byte {end}: the list of storages that ends here differs from those that the tensors name; the file is \
             damaged or hostile"
        ));
    }
    let mut storages = vec![None; keys.len()];
    file.seek(SeekFrom::Start(end as u64))?;
    let mut left = length.saturating_sub(end as u64);
    for key in &keys {
        if let Some((index, _, spec)) = graph.storages.get_full(key) {
            let at = length - left;
            let storage = read_storage(&mut file, &mut left, *spec)
                .map_err(|fault| fault.within(format!("storage {key:?} at byte {at}")))?;
            storages[index] = Some(Arc::new(storage));
        }
    }
    if left != 0 {
        return refuse(format!("byte {}: {left} bytes follow the last storage; the file is damaged", length - left));
    }
    let storages: Vec<_> = storages.into_iter().flatten().collect();
    let opaque = graph.opaque.iter().cloned().collect();
    let value = graph.into_value(&storages).map_err(|fault| fault.within(format!("object at byte {object}")))?;
    Ok(Checkpoint { opaque, ..Checkpoint::of(Container::Legacy, value) })
}

/// Where the pickles of most files end: those of 700 tensors have about 100 KB.
const USUAL_HEAD: u64 = 1 << 18;

/// Reads the pickles from one buffer, which is freed before the storages are read.
fn read_head(file: &mut (impl Read + Seek), unknown: Unknown) -> Result<Head, Fault> {
    let mut bytes = Vec::new();
    file.take(USUAL_HEAD).read_to_end(&mut bytes)?;
    parse_head(&bytes, unknown).or_else(|_| {
        file.take(pickle::MAX_PICKLE - USUAL_HEAD).read_to_end(&mut bytes)?;
        parse_head(&bytes, unknown)
    })
}

fn parse_head(bytes: &[u8], unknown: Unknown) -> Result<Head, Fault> {
    let mut end = START.len();
    let mut next = |what: &str, ids| -> Result<(Graph, usize), Fault> {
        let start = end;
        let (graph, after) = pickle::run(bytes, start, ids, unknown).map_err(|fault| fault.within(what))?;
        end = after;
        Ok((graph, start))
    };
    let (version, start) = next("protocol version", Ids::None)?;
    if version.integer() != Some(PROTOCOL) {
        return refuse(format!("byte {start}: the protocol version is not {PROTOCOL}; the file is damaged"));
    }
    next("system description", Ids::None)?;
    let (graph, object) = next("object", Ids::Legacy)?;
    let (keys, start) = next("list of storages", Ids::None)?;
    let Some(keys) = keys.keys() else {
        return refuse(format!("byte {start}: the list of storages is not a list of keys; the file is damaged"));
    };
    Ok(Head { graph, object, keys, end })
}

/// The number of elements, then the bytes, read in one piece straight into the storage.
pub(crate) fn read_storage(file: &mut impl Read, left: &mut u64, spec: StorageSpec) -> Result<Storage, Fault> {
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
