//! PyTorch's legacy stream (0.1.10 to 1.5): five pickles back to back, then the storages.

use std::collections::HashSet;
use std::io::Read;
use std::sync::Arc;

use crate::Container;
use crate::error::{CUT_OFF, Fault, refuse};
use crate::pickle::{self, Graph, Ids, StorageSpec, Unknown};
use crate::read::Checkpoint;
use crate::source::{self, Source};
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

pub(crate) fn read(mut file: impl Source, unknown: Unknown) -> Result<Checkpoint, Fault> {
    let length = source::length(&mut file)?;
    let Head { graph, object, keys, end } = read_head(&mut file, unknown)?;
    let named: HashSet<_> = graph.storages.keys().collect();
    if keys.len() != named.len() || keys.iter().collect::<HashSet<_>>() != named {
        return refuse(format!(
            "byte {end}: the list of storages that ends here differs from those that the tensors name; the file is \
             damaged or hostile"
        ));
    }
    let mut storages = vec![None; keys.len()];
    let mut at = end as u64;
    for key in &keys {
        if let Some((index, _, spec)) = graph.storages.get_full(key) {
            let place = |fault: Fault| fault.within(format!("storage {key:?} at byte {at}"));
            let (storage, after) = read_storage(&file, at, length, *spec).map_err(place)?;
            storages[index] = Some(Arc::new(storage));
            at = after;
        }
    }
    if at != length {
        let left = length - at;
        return refuse(format!("byte {at}: {left} bytes follow the last storage; the file is damaged"));
    }
    let storages: Vec<_> = storages.into_iter().flatten().collect();
    let opaque = graph.opaque.iter().cloned().collect();
    let value = graph.into_value(&storages).map_err(|fault| fault.within(format!("object at byte {object}")))?;
    Ok(Checkpoint { opaque, ..Checkpoint::of(Container::Legacy, value) })
}

/// Where the pickles of most files end: those of 700 tensors have about 100 KB.
const USUAL_HEAD: u64 = 1 << 18;

/// Reads the pickles from one buffer, which is freed before the storages are read.
fn read_head(file: &mut impl Source, unknown: Unknown) -> Result<Head, Fault> {
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

/// The number of elements at byte `at`, then the bytes, straight into the storage; and the position after it.
pub(crate) fn read_storage(file: &impl Source, at: u64, end: u64, spec: StorageSpec) -> Result<(Storage, u64), Fault> {
    let mut numel = [0; 8];
    file.read_exact_at(&mut numel, at)?;
    let numel = i64::from_le_bytes(numel);
    if usize::try_from(numel) != Ok(spec.numel) {
        return refuse(format!("it has {numel} elements, expected {}; the file is damaged", spec.numel));
    }
    let (start, length) = (at + 8, spec.byte_length());
    // Compared before anything is allocated.
    let Some(after) = start.checked_add(length as u64).filter(|after| *after <= end) else { return refuse(CUT_OFF) };
    let bytes = source::read_at(file, start, length)?;
    Ok((checked_bools(spec.dtype, bytes)?, after))
}
