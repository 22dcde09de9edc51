//! Reading entries.

use std::collections::{HashMap, HashSet};
use std::io::Read;

use flate2::read::DeflateDecoder;

use super::directory::{self, Entry};
use super::*;
use crate::cursor::Cursor;
use crate::error::{Fault, refuse};
use crate::source::{self, Source};

/// An open zip file whose directory was checked: one top folder, no name twice, no byte in two entries.
pub(crate) struct Archive<S> {
    file: S,
    root: String,
    records: HashMap<String, Record>,
}

struct Record {
    start: u64,
    /// In the file, and unpacked: they differ only where it is compressed.
    packed: u64,
    size: u64,
    method: u16,
    crc: u32,
}

/// Compressed entries may unpack to this many times the file's size and this much more, together.
const MAX_RATIO: u64 = 4;
const MAX_MORE: u64 = 64 << 20;

impl<S: Source> Archive<S> {
    pub(crate) fn open(mut file: S) -> Result<Self, Fault> {
        let length = source::length(&mut file)?;
        // The end record with the longest comment, and the zip64 records before it.
        let longest = END_LENGTH + u64::from(u16::MAX) + END_64_LENGTH + LOCATOR_64_LENGTH;
        let tail_start = length.saturating_sub(longest);
        let tail = bytes_at(&file, tail_start, length - tail_start)?;
        let place = directory::locate(&tail, length)?;
        if place.length > MAX_DIRECTORY {
            return refuse(format!(
                "byte {}: a zip directory of {} bytes; the file is hostile",
                place.offset, place.length
            ));
        }
        let bytes = bytes_at(&file, place.offset, place.length)?;
        let entries = directory::entries(&bytes, &place)?;
        let root = top_folder(&entries)?;
        let unpacked = entries.iter().filter(|entry| entry.method == DEFLATED).map(|entry| u128::from(entry.size));
        if unpacked.sum::<u128>() > u128::from(length) * u128::from(MAX_RATIO) + u128::from(MAX_MORE) {
            return refuse("the compressed entries would unpack to far more than the file's size; the file is hostile");
        }
        let records = records(&file, entries, &root, place.offset)?;
        Ok(Self { file, root, records })
    }

    /// The names of the files, without the top folder.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.records.keys().map(String::as_str)
    }

    /// The size of a record in bytes, if there is one of this name (without the top folder).
    pub(crate) fn size(&self, name: &str) -> Option<u64> {
        self.records.get(name).map(|record| record.size)
    }

    /// A record's bytes, if there is one of this name. A checksum of 0 means that the writer computed none.
    pub(crate) fn read(&self, name: &str) -> Result<Option<Vec<u8>>, Fault> {
        let Some(record) = self.records.get(name) else { return Ok(None) };
        let within = |fault: Fault| fault.within(format!("entry {:?}", format!("{}/{name}", self.root)));
        let (bytes, crc) = unpack(&self.file, record).map_err(within)?;
        if record.crc != 0 && crc != record.crc {
            let damaged = "the checksum does not match, the file is damaged: download or copy it again";
            return refuse(damaged).map_err(within);
        }
        Ok(Some(bytes))
    }
}

/// A record's bytes and their checksum.
fn unpack(file: &impl Source, record: &Record) -> Result<(Vec<u8>, u32), Fault> {
    if record.method == STORED {
        return Ok(source::read_with_crc(file, record.start, in_memory(record.size)?)?);
    }
    let bytes = inflate(&bytes_at(file, record.start, record.packed)?, record.size)?;
    let crc = crc32fast::hash(&bytes);
    Ok((bytes, crc))
}

/// Reads bytes that are known to lie within the file, so that no more is allocated than there is.
fn bytes_at(file: &impl Source, start: u64, length: u64) -> Result<Vec<u8>, Fault> {
    Ok(source::read_at(file, start, in_memory(length)?)?)
}

fn in_memory(length: u64) -> Result<usize, Fault> {
    usize::try_from(length).or_else(|_| refuse("an entry is larger than this machine's memory"))
}

/// Unpacks exactly `size` bytes: neither more nor fewer.
fn inflate(packed: &[u8], size: u64) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    let unpacked = DeflateDecoder::new(packed).take(size.saturating_add(1)).read_to_end(&mut bytes);
    match unpacked {
        Ok(_) if bytes.len() as u64 == size => Ok(bytes),
        _ => refuse(format!("it does not unpack to {size} bytes; the file is damaged or hostile")),
    }
}

fn top_folder(entries: &[Entry]) -> Result<String, Fault> {
    let top = |entry: &Entry| entry.name.split_once('/').map(|(top, _)| top.to_string());
    let Some(first) = entries.first() else { return refuse("an empty zip file; download or save it again") };
    match top(first).filter(|first| entries.iter().all(|entry| top(entry).as_ref() == Some(first))) {
        Some(first) => Ok(first),
        None => refuse(format!(
            "entry {:?} and the others are not in one folder: a zip file that torch.save did not write",
            first.name
        )),
    }
}

fn records(file: &impl Source, entries: Vec<Entry>, root: &str, end: u64) -> Result<HashMap<String, Record>, Fault> {
    let mut names = HashSet::new();
    let mut ranges = Vec::new();
    let mut records = HashMap::new();
    for entry in entries {
        // PyTorch compares names without case, so two that differ in case only are one to it.
        if !names.insert(entry.name.to_ascii_lowercase()) {
            return refuse(format!("entry {:?} is there twice; the file is damaged or hostile", entry.name));
        }
        let start = data_start(file, &entry, end)?;
        ranges.push((entry.header, start + entry.packed));
        if let Some(name) = entry.name.get(root.len() + 1..).filter(|name| !name.is_empty() && !name.ends_with('/')) {
            let Entry { packed, size, method, crc, .. } = entry;
            records.insert(name.into(), Record { start, packed, size, method, crc });
        }
    }
    ranges.sort_unstable();
    if let Some([_, second]) = ranges.array_windows().find(|[before, after]| before.1 > after.0) {
        return refuse(format!("byte {}: two entries of the zip file overlap; it is damaged or hostile", second.0));
    }
    Ok(records)
}

/// Where an entry's data starts, from its local header, which must agree with the directory and end before it.
fn data_start(file: &impl Source, entry: &Entry, end: u64) -> Result<u64, Fault> {
    let damaged = || refuse(format!("entry {:?} is not where the zip directory says; the file is damaged", entry.name));
    let prefix = LOCAL_LENGTH + entry.name.len() as u64;
    if entry.header.checked_add(prefix).is_none_or(|header_end| header_end > end) {
        return damaged();
    }
    let bytes = bytes_at(file, entry.header, prefix)?;
    let mut header = Cursor::new(&bytes);
    let signature = header.array::<4>()?;
    header.take(4)?; // version and flags
    let method = header.u16()?;
    header.take(16)?; // time, date, checksum and sizes, which torch.save leaves 0
    let (name_length, extra_length) = (header.u16()?, header.u16()?);
    let start = entry.header + prefix + u64::from(extra_length);
    let same_name = usize::from(name_length) == entry.name.len() && bytes.ends_with(entry.name.as_bytes());
    let fits = start.checked_add(entry.packed).is_some_and(|data_end| data_end <= end);
    if signature != *LOCAL || method != entry.method || !same_name || !fits {
        return damaged();
    }
    Ok(start)
}
