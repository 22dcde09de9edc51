//! PyTorch's tar container (before 0.1.10), read in memory: nothing is extracted to disk.

use std::collections::HashMap;
use std::io::{Read, SeekFrom};
use std::sync::Arc;

use ::tar::{Archive, EntryType};
use indexmap::IndexMap;

use crate::Container;
use crate::cursor::Cursor;
use crate::error::{CUT_OFF, Fault, refuse};
use crate::legacy::read_storage;
use crate::pickle::{self, Graph, Ids, StorageSpec, TensorSpec, Unknown};
use crate::read::Checkpoint;
use crate::source::{self, Source};
use crate::tensor::Storage;

/// The most bytes of the small pickle before each storage and each tensor; PyTorch's have about 50.
const MAX_NOTE: u64 = 512;

/// The members that are read.
const MEMBERS: [&str; 3] = ["storages", "tensors", "pickle"];

/// Where a member's bytes start in the file, and how many they are.
type Place = (u64, u64);

/// What is known of each storage, by key.
type Specs = IndexMap<String, StorageSpec>;

pub(crate) fn read(mut file: impl Source, unknown: Unknown) -> Result<Checkpoint, Fault> {
    let [storages, tensors, object] = places(&mut file)?;
    let (specs, storages) = read_storages(&mut file, storages).map_err(|fault| fault.within("entry \"storages\""))?;
    let bytes = read_member(&mut file, tensors).map_err(|fault| fault.within("entry \"tensors\""))?;
    let tensors = read_tensors(&bytes, &specs).map_err(|fault| fault.within("entry \"tensors\""))?;
    let bytes = read_member(&mut file, object)?;
    let value = pickle::run(&bytes, 0, Ids::Tar(&tensors), unknown).and_then(|(mut graph, _)| {
        graph.storages = specs;
        let opaque = graph.opaque.iter().cloned().collect();
        Ok((graph.into_value(&storages)?, opaque))
    });
    let (value, opaque) = value.map_err(|fault| fault.within("entry \"pickle\""))?;
    Ok(Checkpoint { opaque, ..Checkpoint::of(Container::Tar, value) })
}

/// Only regular members of the three names count; links, devices and paths are never followed.
fn places(file: &mut impl Source) -> Result<[Place; 3], Fault> {
    let mut places = HashMap::new();
    for (index, entry) in Archive::new(file).entries_with_seek()?.enumerate() {
        // The crate's reason may quote the file.
        let entry = entry.or_else(|error| {
            refuse(format!("entry {index} of the tar file is damaged: {}", error.to_string().escape_debug()))
        })?;
        let name = MEMBERS.iter().find(|name| entry.path_bytes().as_ref() == name.as_bytes());
        if let (Some(name), EntryType::Regular) = (name, entry.header().entry_type())
            && places.insert(*name, (entry.raw_file_position(), entry.size())).is_some()
        {
            return refuse(format!("entry {name:?} is there twice; the file is damaged or hostile"));
        }
    }
    let place = |name| match places.get(name) {
        Some(place) => Ok(*place),
        None => refuse(format!("the tar file has no entry {name:?}: PyTorch did not write it, or it is damaged")),
    };
    Ok([place(MEMBERS[0])?, place(MEMBERS[1])?, place(MEMBERS[2])?])
}

fn read_member(file: &mut impl Source, (start, length): Place) -> Result<Vec<u8>, Fault> {
    if length > pickle::MAX_PICKLE {
        return refuse(format!("an entry of {length} bytes, far larger than a checkpoint's; the file is hostile"));
    }
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(start))?;
    file.take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A count; per storage the pickle `(key, location, class)`, then its length and bytes; last a list of views.
fn read_storages(file: &mut impl Source, (start, length): Place) -> Result<(Specs, Vec<Arc<Storage>>), Fault> {
    let end = source::length(file)?.min(start.saturating_add(length));
    let (mut at, mut specs, mut storages) = (start, Specs::new(), Vec::new());
    for _ in 0..count(&note(file, &mut at, end)?)? {
        let Some((key, _, dtype)) = note(file, &mut at, end)?.note() else {
            return refuse(format!("byte {at}: no description of a storage; the file is damaged"));
        };
        let numel = peek_numel(file, at)?;
        let Some(spec) = StorageSpec::new(Some(dtype), numel) else { return refuse(CUT_OFF) };
        let place = |fault: Fault| fault.within(format!("storage {key:?}"));
        let (storage, after) = read_storage(file, at, end, spec).map_err(place)?;
        at = after;
        if specs.insert(key, spec).is_some() {
            return refuse(format!("byte {at}: a storage is there twice; the file is damaged or hostile"));
        }
        storages.push(Arc::new(storage));
    }
    match note(file, &mut at, end)?.keys() {
        Some(views) if views.is_empty() => Ok((specs, storages)),
        _ => refuse(format!("byte {at}: views of storages are not supported; save the file again with PyTorch 0.1.10")),
    }
}

/// The number of elements that stands at byte `at`.
fn peek_numel(file: &impl Source, at: u64) -> Result<usize, Fault> {
    let mut numel = [0; 8];
    file.read_exact_at(&mut numel, at)?;
    usize::try_from(i64::from_le_bytes(numel))
        .or_else(|_| refuse(format!("byte {at}: a storage of a negative length; the file is damaged or hostile")))
}

/// The small pickle at byte `at`, which is moved behind it.
fn note(file: &mut impl Source, at: &mut u64, end: u64) -> Result<Graph, Fault> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(*at))?;
    file.take(MAX_NOTE.min(end.saturating_sub(*at))).read_to_end(&mut bytes)?;
    let (graph, length) = pickle::run(&bytes, 0, Ids::None, Unknown::Refuse)
        .map_err(|fault| fault.within(format!("the pickle at byte {at}")))?;
    *at += length as u64;
    Ok(graph)
}

fn count(graph: &Graph) -> Result<u64, Fault> {
    let count = graph.integer().and_then(|count| u64::try_from(count).ok());
    count.map_or_else(|| refuse("byte 0: not a number of objects; the file is damaged"), Ok)
}

/// A count; per tensor the pickle `(key, key of the storage, class)`, then rank, padding, sizes, strides and offset.
fn read_tensors(bytes: &[u8], specs: &Specs) -> Result<HashMap<String, TensorSpec>, Fault> {
    let run = |at| pickle::run(bytes, at, Ids::None, Unknown::Refuse);
    let (number, mut at) = run(0)?;
    let mut tensors = HashMap::new();
    for _ in 0..count(&number)? {
        let (note, end) = run(at)?;
        let place = |fault: Fault| fault.within(format!("the tensor at byte {at}"));
        let mut fields = Cursor::starting_at(bytes, end);
        let (key, tensor) = read_tensor(&note, &mut fields, specs).map_err(place)?;
        if tensors.insert(key, tensor).is_some() {
            return refuse(format!("byte {at}: a tensor is there twice; the file is damaged or hostile"));
        }
        at = fields.position();
    }
    Ok(tensors)
}

fn read_tensor(note: &Graph, fields: &mut Cursor, specs: &Specs) -> Result<(String, TensorSpec), Fault> {
    let Some((key, storage, dtype)) = note.note() else { return refuse("it is not described; the file is damaged") };
    let Some((storage, _, spec)) = specs.get_full(&storage).filter(|(_, _, spec)| spec.dtype == Some(dtype)) else {
        return refuse("its storage is missing or of another type; the file is damaged or hostile");
    };
    let rank = fields.u32()?;
    fields.take(4)?; // padding
    let mut numbers = || {
        let number = |_| usize::try_from(fields.u64()?).or_else(|_| refuse(CUT_OFF));
        (0..rank).map(number).collect::<Result<Vec<_>, Fault>>()
    };
    let (shape, stride) = (numbers()?, numbers()?);
    let offset = usize::try_from(fields.u64()?).or_else(|_| refuse(CUT_OFF))?;
    Ok((key, TensorSpec::over(storage, *spec, offset, shape, stride)?))
}

#[cfg(test)]
mod tests {
    use ::tar::{Builder, Header};

    use super::*;
    use crate::{Value, open_bytes};

    /// A storage of two float32 and a tensor of it, both with the key 1, each with its number of axes and what follows.
    fn members(tensors: u8) -> [(&'static str, Vec<u8>); 3] {
        let longs = |values: [i64; 4]| values.map(i64::to_le_bytes).concat();
        let count = |count| [b'K', count, b'.'];
        let storage = b"(K\x01X\x03\0\0\0cpuctorch\nFloatStorage\nt.";
        let data = [&2i64.to_le_bytes()[..], &[0; 4], &1.5f32.to_le_bytes()].concat();
        let storages = [&count(1)[..], storage, &data, b"]."].concat();
        // One axis and four bytes of padding, then size 1, stride 1 and offset 1.
        let tensor =
            [&b"(K\x01K\x01ctorch\nFloatTensor\nt."[..], &1u32.to_le_bytes(), &longs([0, 1, 1, 1])[4..]].concat();
        let tensors = [&count(tensors)[..], &tensor.repeat(tensors.into())].concat();
        [("storages", storages), ("tensors", tensors), ("pickle", b"K\x01Q.".to_vec())]
    }

    fn tar(members: &[(&str, Vec<u8>)], kind: EntryType) -> Vec<u8> {
        let mut tar = Builder::new(Vec::new());
        for (name, data) in members {
            let mut header = Header::new_ustar();
            header.set_size(data.len() as u64);
            header.set_entry_type(kind);
            tar.append_data(&mut header, name, data.as_slice()).unwrap();
        }
        tar.into_inner().unwrap()
    }

    fn message(file: &[u8]) -> String {
        open_bytes(file).unwrap_err().to_string()
    }

    #[test]
    fn a_tensor_is_a_view_of_its_storage() {
        let Value::Tensor(tensor) = open_bytes(&tar(&members(1), EntryType::Regular)).unwrap().value else { panic!() };
        assert_eq!((tensor.to_f32().unwrap(), tensor.offset()), (vec![1.5], 1));
    }

    #[test]
    fn doubles_links_and_gaps_are_refused() {
        assert!(message(&tar(&members(2), EntryType::Regular)).contains("a tensor is there twice"));
        assert!(message(&tar(&members(1), EntryType::Link)).contains("no entry \"storages\""));
        assert!(message(&tar(&members(1)[..2], EntryType::Regular)).contains("no entry \"pickle\""));
        let twice = [members(1), members(1)].concat();
        assert!(message(&tar(&twice, EntryType::Regular)).contains("is there twice"));
        let [storages, mut tensors, pickle] = members(1);
        let offset = tensors.1.len() - 8;
        tensors.1[offset] = 2;
        assert!(message(&tar(&[storages, tensors, pickle], EntryType::Regular)).contains("reaches beyond"));
    }
}
