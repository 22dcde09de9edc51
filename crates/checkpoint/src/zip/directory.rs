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
    pub(super) method: u16,
    pub(super) crc: u32,
    /// In the file, and unpacked.
    pub(super) packed: u64,
    pub(super) size: u64,
    pub(super) header: u64,
}

/// Reads the end records from `tail`, the last bytes of a file of `length` bytes.
pub(super) fn locate(tail: &[u8], length: u64) -> Result<Place, Fault> {
    let Some(end) = find_end(tail) else {
        return refuse(format!("byte {length}: the end of the zip file is missing: download or copy it again"));
    };
    let tail_start = length - tail.len() as u64;
    let end_at = tail_start + end as u64;
    let mut record = Cursor::new(&tail[end + 4..]);
    let (disk, directory_disk, on_disk, total) = (record.u16()?, record.u16()?, record.u16()?, record.u16()?);
    let (size, offset) = (record.u32()?, record.u32()?);
    if disk != 0 || directory_disk != 0 || on_disk != total {
        return refuse(format!("byte {end_at}: {PARTS}"));
    }
    let mut place = Place { offset: offset.into(), length: size.into(), count: total.into() };
    let mut expected_end = end_at;
    if let Some(larger) = locate_64(&tail[..end], tail_start)? {
        let fits = |short: u64, overflow: u32, long: u64| short == long || short == u64::from(overflow);
        if !fits(place.count, u16::MAX.into(), larger.count)
            || !fits(place.length, OVERFLOW, larger.length)
            || !fits(place.offset, OVERFLOW, larger.offset)
        {
            return refuse(format!("byte {end_at}: the two end records of the zip file differ; it is damaged"));
        }
        expected_end -= END_64_LENGTH + LOCATOR_64_LENGTH;
        place = larger;
    }
    if place.offset.checked_add(place.length) != Some(expected_end) || place.count > place.length / CENTRAL_LENGTH {
        return refuse(format!(
            "byte {end_at}: the zip directory is not where the end of the file says; the file is damaged or cut off"
        ));
    }
    Ok(place)
}

const PARTS: &str = "a zip file in several parts is not supported; save it again in Python";

/// The last end record, as PyTorch's reader takes it; bytes may follow.
fn find_end(tail: &[u8]) -> Option<usize> {
    let last = tail.len().checked_sub(END_LENGTH as usize)?;
    (0..=last).rev().find(|at| tail[*at..].starts_with(END))
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
        let at = start + locator as u64;
        return refuse(format!("byte {at}: the zip64 end record is not where its locator says; the file is damaged"));
    };
    let mut fields = Cursor::new(&before_end[record + 24..]);
    let (on_disk, count, length, offset) = (fields.u64()?, fields.u64()?, fields.u64()?, fields.u64()?);
    if on_disk != count {
        return refuse(format!("byte {at}: {PARTS}"));
    }
    Ok(Some(Place { offset, length, count }))
}

/// Reads the entries of the central directory, which must fill `bytes` exactly.
pub(super) fn entries(bytes: &[u8], place: &Place) -> Result<Vec<Entry>, Fault> {
    let mut input = Cursor::new(bytes);
    let mut entries = Vec::new();
    for _ in 0..place.count {
        let at = place.offset + input.position() as u64;
        entries.push(entry(&mut input).map_err(|fault| fault.within(format!("byte {at}")))?);
    }
    if input.left() != 0 {
        let at = place.offset + input.position() as u64;
        return refuse(format!("byte {at}: the zip directory has more bytes than entries; the file is damaged"));
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
    let extra = input.take(extra_length.into())?;
    input.take(comment_length.into())?;
    let refuse = |reason: &str| refuse(format!("entry {name:?}: {reason}"));
    let Some([size, packed, header]) = widen(extra, [size, packed, header]) else {
        return refuse("its zip64 field does not hold what its other fields leave to it; the file is damaged");
    };
    if flags & 0x2041 != 0 {
        return refuse("it is encrypted; save the file again without a password");
    }
    if disk != 0 {
        return refuse(PARTS);
    }
    match method {
        STORED if packed != size => refuse("it has two different sizes; the file is damaged or hostile"),
        STORED | DEFLATED => Ok(Entry { name, method, crc, packed, size, header }),
        _ => refuse("its compression is not supported; save it again with torch.save, which does not compress"),
    }
}

/// The numbers of an entry (size, packed size, offset): those that do not fit are in the zip64 field, in this order.
fn widen(extra: &[u8], short: [u32; 3]) -> Option<[u64; 3]> {
    if !short.contains(&OVERFLOW) {
        return Some(short.map(u64::from));
    }
    let mut fields = Cursor::new(extra);
    while fields.left() > 0 {
        let (id, length) = (fields.u16().ok()?, fields.u16().ok()?);
        let mut field = Cursor::new(fields.take(length.into()).ok()?);
        if id == ZIP_64 {
            let mut wide = [0; 3];
            for (wide, short) in wide.iter_mut().zip(short) {
                *wide = if short == OVERFLOW { field.u64().ok()? } else { short.into() };
            }
            return (field.left() == 0).then_some(wide);
        }
    }
    None
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
    fn what_does_not_fit_is_in_the_zip64_field() {
        // Id 1, length 16: size 2^32 and offset 2^33 are there, the packed size 7 is not. An alignment field comes first.
        let mut extra = b"FB\x02\0ZZ\x01\0\x10\0".to_vec();
        extra.extend([1u64 << 32, 1 << 33].map(u64::to_le_bytes).concat());
        assert_eq!(widen(&extra, [OVERFLOW, 7, OVERFLOW]), Some([1 << 32, 7, 1 << 33]));
        assert_eq!(widen(&extra, [OVERFLOW, OVERFLOW, OVERFLOW]), None);
        assert_eq!(widen(&extra, [OVERFLOW, 7, 7]), None);
        assert_eq!(widen(&[], [1, 2, OVERFLOW]), None);
        assert_eq!(widen(b"\x01", [1, 2, 3]), Some([1, 2, 3]));
    }

    #[test]
    fn names_that_leave_the_archive_are_refused() {
        for odd in [&b"../x"[..], b"/x", b"a//b", b"a/./b", b"a\\b", b"a\0b", b"", b"\xFF"] {
            assert!(name(odd).is_err(), "{odd:?}");
        }
        assert_eq!(name(b"run.v1/.data/serialization_id").unwrap(), "run.v1/.data/serialization_id");
        assert_eq!(name(b"a/data/").unwrap(), "a/data/");
    }
}
