//! PyTorch's zip container (1.6 and later): which records it has, and what is in them.

use std::fs::File;
use std::sync::Arc;

use crate::Value;
use crate::error::{Fault, refuse};
use crate::pickle::{self, Ids, StorageSpec};
use crate::tensor::{Storage, checked_bools};
use crate::zip::Archive;

/// Our own record: the network's configuration, as JSON. PyTorch's readers look up the records they know and leave it.
pub(crate) const CONFIG: &str = "abbe.json";
/// And another: which program wrote the file, as JSON.
pub(crate) const PROVENANCE: &str = "abbe.provenance.json";

/// The most bytes of a small record (version, byte order, configuration).
const MAX_NOTE: u64 = 1 << 20;

pub(crate) fn read(file: File) -> Result<Value, Fault> {
    let mut archive = Archive::open(file)?;
    check_kind(&mut archive)?;
    if archive.size("data.pkl") > Some(pickle::MAX_PICKLE) {
        return refuse("data.pkl is far larger than a checkpoint's; the file is hostile");
    }
    let Some(bytes) = archive.read("data.pkl")? else {
        return refuse("a zip file without data.pkl: not written by torch.save");
    };
    let (graph, _) = pickle::run(&bytes, Ids::Zip).map_err(|fault| fault.within("data.pkl"))?;
    let load = |(key, spec): (&String, &StorageSpec)| storage(&mut archive, key, *spec).map(Arc::new);
    let storages = graph.storages.iter().map(load).collect::<Result<Vec<_>, _>>()?;
    graph.into_value(&storages).map_err(|fault| fault.within("data.pkl"))
}

/// One of our own records, if the file has it.
pub(crate) fn read_note(file: File, name: &str) -> Result<Option<String>, Fault> {
    note(&mut Archive::open(file)?, name)
}

/// Tells torch.save's files from other zip files.
fn check_kind(archive: &mut Archive) -> Result<(), Fault> {
    if archive.names().any(|name| name == "constants.pkl" || name.starts_with("code/")) {
        return refuse(
            "a TorchScript archive, which holds code. In Python: torch.save(torch.jit.load(path).state_dict(), new_path)",
        );
    }
    let version = note(archive, "version")?.or(note(archive, ".data/version")?);
    let version = version.and_then(|text| text.trim_end().parse::<u32>().ok());
    if !version.is_some_and(|version| (1..=10).contains(&version)) {
        return refuse("a zip file without a format version of 1 to 10: not written by torch.save, or damaged");
    }
    match note(archive, "byteorder")?.as_deref() {
        None | Some("little") => Ok(()),
        Some("big") => refuse("written on a big-endian machine: load it in Python and save it again with torch.save"),
        Some(other) => refuse(format!("unknown byte order {other:?}; the file is damaged")),
    }
}

/// A short text record.
fn note(archive: &mut Archive, name: &str) -> Result<Option<String>, Fault> {
    if archive.size(name) > Some(MAX_NOTE) {
        return refuse(format!("the record {name} is far too large; the file is hostile"));
    }
    let text = archive.read(name)?.map(String::from_utf8).transpose();
    text.or_else(|_| refuse(format!("the record {name} is not text; the file is damaged")))
}

fn storage(archive: &mut Archive, key: &str, spec: StorageSpec) -> Result<Storage, Fault> {
    let name = format!("data/{key}");
    let expected = spec.byte_length();
    match archive.size(&name) {
        Some(size) if size == expected as u64 => {}
        Some(size) => {
            return refuse(format!("storage {name:?} has {size} bytes, expected {expected}; the file is damaged"));
        }
        None => return refuse(format!("storage {name:?} is missing; the file is damaged or hostile")),
    }
    let bytes = archive.read(&name)?.unwrap_or_default();
    checked_bools(spec.dtype, bytes).map_err(|fault| fault.within(format!("storage {name:?}")))
}
