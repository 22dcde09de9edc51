//! The end records and the central directory, from the bytes at the end of the file.

use super::*;
use crate::cursor::Cursor;
use crate::error::{Fault, refuse};

/// Where the central directory is.
pub(super) struct Place {
    pub(super) offset: u64,
    pub(super) length: u64,
    pub(super) count: u64,
}

/// One entry as the central directory has it.
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) crc: u32,
    pub(super) size: u64,
    pub(super) header: u64,
}

/// Reads the end records from `tail`, the last bytes of a file of `length` bytes.
pub(super) fn locate(tail: &[u8], length: u64) -> Result<Place, Fault> {
    let Some(end) = find_end(tail) else {
        return refuse("the end of the zip file is missing, or other bytes follow it: download or copy it again");
    };
    let tail_start = length - tail.len() as u64;
    let mut record = Cursor::new(&tail[end + 4..]);
    let (disk, directory_disk, on_disk, total) = (record.u16()?, record.u16()?, record.u16()?, record.u16()?);
    let (size, offset) = (record.u32()?, record.u32()?);
    if disk != 0 || directory_disk != 0 || on_disk != total {
        return refuse("a zip file in several parts is not supported; save it again in Python");
    }
    let mut place = Place { offset: offset.into(), length: size.into(), count: total.into() };
    let mut expected_end = tail_start + end as u64;
    if let Some(larger) = locate_64(&tail[..end], tail_start)? {
        let fits = |short: u64, overflow: u32, long: u64| short == long || short == u64::from(overflow);
        if !fits(place.count, u16::MAX.into(), larger.count)
            || !fits(place.length, OVERFLOW, larger.length)
            || !fits(place.offset, OVERFLOW, larger.offset)
        {
            return refuse("the two end records of the zip file differ; it is damaged");
        }
        expected_end -= END_64_LENGTH + LOCATOR_64_LENGTH;
        place = larger;
    }
    if place.offset.checked_add(place.length) != Some(expected_end) || place.count > place.length / CENTRAL_LENGTH {
        return refuse("the zip directory is not where the end of the file says; the file is damaged or cut off");
    }
    Ok(place)
}

/// The end record, which together with its comment ends the file.
fn find_end(tail: &[u8]) -> Option<usize> {
    let last = tail.len().checked_sub(END_LENGTH as usize)?;
    (0..=last).rev().find(|at| {
        let comment = usize::from(u16::from_le_bytes([tail[at + 20], tail[at + 21]]));
        tail[*at..].starts_with(END) && at + END_LENGTH as usize + comment == tail.len()
    })
}

/// The zip64 end record, which PyTorch always writes, directly before its locator and the end record.
fn locate_64(before_end: &[u8], start: u64) -> Result<Option<Place>, Fault> {
    let Some(locator) = before_end.len().checked_sub(LOCATOR_64_LENGTH as usize) else { return Ok(None) };
    if !before_end[locator..].starts_with(LOCATOR_64) {
        return Ok(None);
    }
    let mut fields = Cursor::new(&before_end[locator + 4..]);
    let (disk, at, disks) = (fields.u32()?, fields.u64()?, fields.u32()?);
    let record = locator.checked_sub(END_64_LENGTH as usize).filter(|record| before_end[*record..].starts_with(END_64));
    let Some(record) = record.filter(|record| disk == 0 && disks == 1 && at == start + *record as u64) else {
        return refuse("the zip64 end record is not where it should be; the file is damaged");
    };
    let mut fields = Cursor::new(&before_end[record + 24..]);
    let (on_disk, count, length, offset) = (fields.u64()?, fields.u64()?, fields.u64()?, fields.u64()?);
    if on_disk != count {
        return refuse("a zip file in several parts is not supported; save it again in Python");
    }
    Ok(Some(Place { offset, length, count }))
}

/// Reads the entries of the central directory, which must fill `bytes` exactly.
pub(super) fn entries(bytes: &[u8], count: u64) -> Result<Vec<Entry>, Fault> {
    let mut input = Cursor::new(bytes);
    let entries = (0..count).map(|_| entry(&mut input)).collect::<Result<Vec<_>, _>>()?;
    if input.left() != 0 {
        return refuse("the zip directory has more bytes than entries; the file is damaged");
    }
    Ok(entries)
}

fn entry(input: &mut Cursor) -> Result<Entry, Fault> {
    if input.array::<4>()? != *CENTRAL {
        return refuse("the zip directory is damaged: an entry has the wrong signature");
    }
    input.take(4)?; // versions
    let (flags, method) = (input.u16()?, input.u16()?);
    input.take(4)?; // time and date
    let (crc, packed, size) = (input.u32()?, input.u32()?, input.u32()?);
    let (name_length, extra_length, comment_length, disk) = (input.u16()?, input.u16()?, input.u16()?, input.u16()?);
    input.take(6)?; // attributes
    let header = input.u32()?;
    let name = name(input.take(name_length.into())?)?;
    input.take(u64::from(extra_length) + u64::from(comment_length))?;
    let refuse = |reason: &str| refuse(format!("entry {name:?}: {reason}"));
    if flags & 0x2041 != 0 {
        return refuse("it is encrypted; save the file again without a password");
    }
    if method != 0 {
        return refuse("it is compressed; unpack and save it again in Python with torch.save, which does not compress");
    }
    if [packed, size, header].contains(&OVERFLOW) || disk != 0 {
        return refuse("files of 4 GiB and more are not supported; save the weights in smaller files");
    }
    if packed != size {
        return refuse("it has two different sizes; the file is damaged or hostile");
    }
    Ok(Entry { name, crc, size: size.into(), header: header.into() })
}

/// A name that means the same everywhere: relative, with `/`, and without `.` and `..`. A folder's name ends with `/`.
fn name(bytes: &[u8]) -> Result<String, Fault> {
    let name = String::from_utf8_lossy(bytes);
    let path = name.strip_suffix('/').unwrap_or(&name);
    let is_odd = |part: &str| part.is_empty() || part == "." || part == ".." || part.contains(['\\', '\0', '\u{FFFD}']);
    if path.split('/').any(is_odd) {
        return refuse(format!("an entry has the unsafe name {name:?}; the file is hostile"));
    }
    Ok(name.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_leave_the_archive_are_refused() {
        for odd in [&b"../x"[..], b"/x", b"a//b", b"a/./b", b"a\\b", b"a\0b", b"", b"\xFF"] {
            assert!(name(odd).is_err(), "{odd:?}");
        }
        assert_eq!(name(b"run.v1/.data/serialization_id").unwrap(), "run.v1/.data/serialization_id");
        assert_eq!(name(b"a/data/").unwrap(), "a/data/");
    }
}
