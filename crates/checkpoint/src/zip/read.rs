//! Reading entries.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use super::directory::{self, Entry};
use super::*;
use crate::cursor::Cursor;
use crate::error::{Fault, refuse};

/// An open zip file whose directory was checked: one top folder, no name twice, no byte in two entries.
pub(crate) struct Archive {
    file: File,
    root: String,
    records: HashMap<String, Record>,
}

struct Record {
    start: u64,
    size: u64,
    crc: u32,
}

impl Archive {
    pub(crate) fn open(mut file: File) -> Result<Self, Fault> {
        let length = file.metadata()?.len();
        // The end record with the longest comment, and the zip64 records before it.
        let longest = END_LENGTH + u64::from(u16::MAX) + END_64_LENGTH + LOCATOR_64_LENGTH;
        let tail_start = length.saturating_sub(longest);
        let tail = bytes_at(&mut file, tail_start, length - tail_start)?;
        let place = directory::locate(&tail, length)?;
        let bytes = bytes_at(&mut file, place.offset, place.length)?;
        let entries = directory::entries(&bytes, place.count)?;
        let root = top_folder(&entries)?;
        let records = records(&mut file, entries, &root, place.offset)?;
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
    pub(crate) fn read(&mut self, name: &str) -> Result<Option<Vec<u8>>, Fault> {
        let Some(record) = self.records.get(name) else { return Ok(None) };
        let bytes = bytes_at(&mut self.file, record.start, record.size)?;
        if record.crc != 0 && crc32fast::hash(&bytes) != record.crc {
            return refuse(format!(
                "entry {:?}: the checksum does not match, the file is damaged: download or copy it again",
                format!("{}/{name}", self.root)
            ));
        }
        Ok(Some(bytes))
    }
}

/// Reads bytes that are known to lie within the file, so that no more is allocated than there is.
fn bytes_at(file: &mut File, start: u64, length: u64) -> Result<Vec<u8>, Fault> {
    let Ok(length) = usize::try_from(length) else { return refuse("an entry is larger than this machine's memory") };
    let mut bytes = vec![0; length];
    file.seek(SeekFrom::Start(start))?;
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn top_folder(entries: &[Entry]) -> Result<String, Fault> {
    let tops: HashSet<_> = entries.iter().map(|entry| entry.name.split_once('/').map(|(top, _)| top)).collect();
    match Vec::from_iter(tops).as_slice() {
        [Some(top)] => Ok((*top).into()),
        [] => refuse("an empty zip file; download or save it again"),
        _ => refuse("a zip file, but its entries are not in one folder: not written by torch.save"),
    }
}

fn records(file: &mut File, entries: Vec<Entry>, root: &str, end: u64) -> Result<HashMap<String, Record>, Fault> {
    let mut names = HashSet::new();
    let mut ranges = Vec::new();
    let mut records = HashMap::new();
    for entry in entries {
        // PyTorch compares names without case, so two that differ in case only are one to it.
        if !names.insert(entry.name.to_ascii_lowercase()) {
            return refuse(format!("entry {:?} is there twice; the file is damaged or hostile", entry.name));
        }
        let start = data_start(file, &entry, end)?;
        ranges.push((entry.header, start + entry.size));
        if let Some(name) = entry.name.get(root.len() + 1..).filter(|name| !name.is_empty() && !name.ends_with('/')) {
            records.insert(name.into(), Record { start, size: entry.size, crc: entry.crc });
        }
    }
    ranges.sort_unstable();
    if ranges.array_windows().any(|[before, after]| before.1 > after.0) {
        return refuse("two entries of the zip file overlap; it is damaged or hostile");
    }
    Ok(records)
}

/// Where an entry's data starts, from its local header, which must agree with the directory and end before it.
fn data_start(file: &mut File, entry: &Entry, end: u64) -> Result<u64, Fault> {
    let damaged = || refuse(format!("entry {:?} is not where the zip directory says; the file is damaged", entry.name));
    let prefix = LOCAL_LENGTH + entry.name.len() as u64;
    if entry.header + prefix > end {
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
    if signature != *LOCAL || method != 0 || !same_name || start + entry.size > end {
        return damaged();
    }
    Ok(start)
}
