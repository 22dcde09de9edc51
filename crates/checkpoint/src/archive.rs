//! PyTorch's zip container (1.6 and later): which records it has, and what is in them.

use std::sync::Arc;

use crate::Container;
use crate::error::{Fault, refuse};
use crate::pickle::{self, Ids, StorageSpec, Unknown};
use crate::read::Checkpoint;
use crate::source::Source;
use crate::tensor::{Storage, checked_bools};
use crate::zip::Archive;

/// Our own record: what Abbe says beside the value, as JSON. PyTorch's readers look up the records they know and leave it.
pub(crate) const CARD: &str = "abbe.json";
/// And another: which program wrote the file, as JSON.
pub(crate) const PROVENANCE: &str = "abbe.provenance.json";

/// The most bytes of a small record (version, byte order, card).
pub(crate) const MAX_NOTE: u64 = 1 << 20;

pub(crate) fn read(file: impl Source, unknown: Unknown) -> Result<Checkpoint, Fault> {
    let archive = Archive::open(file)?;
    let order = check_kind(&archive)?;
    let (card, provenance) = (note(&archive, CARD)?, note(&archive, PROVENANCE)?);
    if archive.size("data.pkl") > Some(pickle::MAX_PICKLE) {
        return refuse("entry data.pkl is far larger than a checkpoint's; the file is hostile");
    }
    let Some(bytes) = archive.read("data.pkl")? else {
        return refuse(
            "a zip file without the entry data.pkl: not written by torch.save; if a checkpoint is packed in it, unpack it",
        );
    };
    let within = |fault: Fault| fault.within("entry data.pkl");
    let (graph, _) = pickle::run(&bytes, 0, Ids::Zip, unknown).map_err(within)?;
    drop(bytes);
    let load = |(key, spec): (&String, &StorageSpec)| {
        let name = format!("data/{key}");
        let storage = storage(&archive, &name, *spec, order);
        storage.map(Arc::new).map_err(|fault| fault.within(format!("entry {name:?}")))
    };
    let storages = graph.storages.iter().map(load).collect::<Result<Vec<_>, _>>()?;
    let opaque = graph.opaque.iter().cloned().collect();
    let value = graph.into_value(&storages).map_err(within)?;
    Ok(Checkpoint { card, provenance, opaque, ..Checkpoint::of(Container::Zip, value) })
}

/// The order of the bytes of a number.
#[derive(Clone, Copy, PartialEq)]
enum Order {
    Little,
    Big,
}

/// Tells torch.save's files from other zip files, and the order of their bytes.
fn check_kind(archive: &Archive<impl Source>) -> Result<Order, Fault> {
    if let Some(name) = archive.names().find(|name| *name == "constants.pkl" || name.starts_with("code/")) {
        return refuse(format!(
            "entry {name:?}: a TorchScript archive, which holds code. In Python: \
             torch.save(torch.jit.load(path).state_dict(), new_path)"
        ));
    }
    let version = note(archive, "version")?.or(note(archive, ".data/version")?);
    let version = version.and_then(|text| text.trim_end().parse::<u32>().ok());
    if !version.is_some_and(|version| (1..=10).contains(&version)) {
        return refuse("entry \"version\": expected a format of 1 to 10: not written by torch.save, or damaged");
    }
    match note(archive, "byteorder")?.as_deref() {
        None | Some("little") => Ok(Order::Little),
        Some("big") => Ok(Order::Big),
        Some(other) => {
            let start: String = other.chars().take(20).collect();
            refuse(format!("entry \"byteorder\": unknown order {start:?}; the file is damaged"))
        }
    }
}

/// A short text record.
fn note(archive: &Archive<impl Source>, name: &str) -> Result<Option<String>, Fault> {
    if archive.size(name) > Some(MAX_NOTE) {
        return refuse(format!("entry {name:?} is far too large; the file is hostile"));
    }
    let text = archive.read(name)?.map(String::from_utf8).transpose();
    text.or_else(|_| refuse(format!("entry {name:?} is not text; the file is damaged")))
}

fn storage(archive: &Archive<impl Source>, name: &str, spec: StorageSpec, order: Order) -> Result<Storage, Fault> {
    let expected = spec.byte_length();
    match archive.size(name) {
        Some(size) if size == expected as u64 => {}
        Some(size) => return refuse(format!("it has {size} bytes, expected {expected}; the file is damaged")),
        None => return refuse("it is missing; the file is damaged or hostile"),
    }
    let mut bytes = archive.read(name)?.unwrap_or_default();
    if order == Order::Big {
        let Some(dtype) = spec.dtype else {
            return refuse("an untyped storage of a big-endian machine is not supported; save it again in Python");
        };
        bytes.chunks_exact_mut(dtype.component_size()).for_each(<[u8]>::reverse);
    }
    checked_bools(spec.dtype, bytes)
}
