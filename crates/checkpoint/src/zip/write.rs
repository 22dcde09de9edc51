//! Writing in the byte layout of `torch.save`, zip64 where a size or an offset needs it.

use std::io::{self, Write};

use super::*;
use crate::error::{Fault, refuse};

/// Writes records one after the other; [`Writer::finish`] adds the directory. Nothing is sought or rewritten.
pub(crate) struct Writer<'a, W> {
    out: W,
    at: u64,
    prefix: &'a str,
    directory: Vec<u8>,
    count: u64,
}

/// A data descriptor follows, and names are UTF-8.
const FLAGS: u16 = 0x0808;
const FLAGS_EMPTY: u16 = 0x0800;

impl<'a, W: Write> Writer<'a, W> {
    /// `prefix` is the name of the top folder.
    pub(crate) fn new(out: W, prefix: &'a str) -> Self {
        Self { out, at: 0, prefix, directory: Vec::new(), count: 0 }
    }

    /// # Errors
    /// The system's.
    pub(crate) fn record(&mut self, name: &str, data: &[u8]) -> io::Result<()> {
        let name = format!("{}/{name}", self.prefix);
        let (header, size) = (self.at, data.len() as u64);
        let flags = if data.is_empty() { FLAGS_EMPTY } else { FLAGS };
        let crc = crc32fast::hash(data);

        // The local header's field has the packed size as 0: PyTorch's writer does not know it yet.
        let mut extra = zip_64(size, 0, header);
        let after_header = header + LOCAL_LENGTH + (name.len() + extra.len()) as u64 + 4;
        let padding = after_header.next_multiple_of(ALIGNMENT) - after_header;
        let is_large = !extra.is_empty();
        extra.extend(b"FB");
        halves(&mut extra, &[padding as u16]);
        extra.resize(extra.len() + padding as usize, b'Z');

        let mut local = LOCAL.to_vec();
        halves(&mut local, &[0, flags, 0, 0, 0]);
        words(&mut local, &[0, 0, 0]); // checksum and sizes are in the descriptor
        halves(&mut local, &[name.len() as u16, extra.len() as u16]);
        self.put(&local)?;
        self.put(name.as_bytes())?;
        self.put(&extra)?;
        self.put(data)?;
        if !data.is_empty() {
            self.put(&descriptor(crc, size, is_large))?;
        }
        self.list(&name, flags, crc, size, header);
        Ok(())
    }

    /// Adds an entry to the directory.
    fn list(&mut self, name: &str, flags: u16, crc: u32, size: u64, header: u64) {
        let extra = zip_64(size, size, header);
        self.directory.extend(CENTRAL);
        halves(&mut self.directory, &[0, 0, flags, 0, 0, 0]);
        words(&mut self.directory, &[crc, short(size), short(size)]);
        halves(&mut self.directory, &[name.len() as u16, extra.len() as u16, 0, 0, 0]);
        words(&mut self.directory, &[0, short(header)]);
        self.directory.extend(name.as_bytes());
        self.directory.extend(extra);
        self.count += 1;
    }

    /// Writes the directory and the end records, zip64 ones always, and gives the output back.
    ///
    /// # Errors
    /// The system's, and when the directory is larger than the reader takes.
    pub(crate) fn finish(mut self) -> Result<W, Fault> {
        let (offset, length, count) = (self.at, self.directory.len() as u64, self.count);
        if length > MAX_DIRECTORY {
            return refuse(format!("its zip directory has {length} bytes, expected at most {MAX_DIRECTORY}"));
        }
        let mut tail = std::mem::take(&mut self.directory);
        tail.extend(END_64);
        longs(&mut tail, &[END_64_LENGTH - 12]);
        halves(&mut tail, &[0x031E, 45]);
        words(&mut tail, &[0, 0]);
        longs(&mut tail, &[count, count, length, offset]);
        tail.extend(LOCATOR_64);
        words(&mut tail, &[0]);
        longs(&mut tail, &[offset + length]);
        words(&mut tail, &[1]);
        tail.extend(END);
        let short_count = u16::try_from(count).unwrap_or(u16::MAX);
        halves(&mut tail, &[0, 0, short_count, short_count]);
        words(&mut tail, &[short(length), short(offset)]);
        halves(&mut tail, &[0]);
        self.put(&tail)?;
        Ok(self.out)
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.at += bytes.len() as u64;
        self.out.write_all(bytes)
    }
}

/// A field of 32 bits, which says [`OVERFLOW`] for what is found elsewhere.
fn short(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(OVERFLOW)
}

/// The extra field with those of the numbers that need it; empty when none does. The sizes go together.
fn zip_64(size: u64, packed: u64, header: u64) -> Vec<u8> {
    let overflows = |value| short(value) == OVERFLOW;
    let mut values = Vec::new();
    if overflows(size) {
        longs(&mut values, &[size, packed]);
    }
    if overflows(header) {
        longs(&mut values, &[header]);
    }
    if values.is_empty() {
        return values;
    }
    let mut field = Vec::new();
    halves(&mut field, &[ZIP_64, values.len() as u16]);
    field.extend(values);
    field
}

/// Checksum, packed size, size; with longs where the local header has a zip64 field.
fn descriptor(crc: u32, size: u64, is_large: bool) -> Vec<u8> {
    let mut descriptor = DESCRIPTOR.to_vec();
    words(&mut descriptor, &[crc]);
    if is_large {
        longs(&mut descriptor, &[size, size]);
    } else {
        words(&mut descriptor, &[short(size), short(size)]);
    }
    descriptor
}

fn halves(out: &mut Vec<u8>, values: &[u16]) {
    out.extend(values.iter().flat_map(|value| value.to_le_bytes()));
}

fn words(out: &mut Vec<u8>, values: &[u32]) {
    out.extend(values.iter().flat_map(|value| value.to_le_bytes()));
}

fn longs(out: &mut Vec<u8>, values: &[u64]) {
    out.extend(values.iter().flat_map(|value| value.to_le_bytes()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_starts_at_multiples_of_64() {
        let mut zip = Writer::new(Vec::new(), "a");
        zip.record("x", b"one").unwrap();
        zip.record("y", b"").unwrap();
        zip.record("z", b"two").unwrap();
        let bytes = zip.finish().unwrap();
        // x: 30 + 3 + 4 = 37 bytes of header, padded to 64; then 3 bytes and a descriptor of 16: the next header is at 83.
        assert_eq!((&bytes[64..67], &bytes[67..71], &bytes[83..87]), (&b"one"[..], &DESCRIPTOR[..], &LOCAL[..]));
        // y: 83 + 37 = 120, padded to 128, no data and no descriptor. z: 128 + 37 = 165, padded to 192.
        assert_eq!((&bytes[128..132], &bytes[192..195]), (&LOCAL[..], &b"two"[..]));
    }

    /// The layout of PyTorch 2.11; a file of 4 GiB that it wrote and ours of the same records were compared byte by byte once.
    #[test]
    fn what_overflows_32_bits_is_in_a_zip64_field() {
        let at = (1 << 32) - 64;
        let mut zip = Writer { at, ..Writer::new(Vec::new(), "a") };
        zip.record("x", b"one").unwrap(); // 37 bytes of header, padded to 64, data, descriptor: the next is at at + 83
        zip.record("y", b"two").unwrap();
        let bytes = zip.finish().unwrap();
        // Local y at byte 83: id 1, 8 bytes, the offset; 30 + 3 + 12 + 4 = 49 bytes from 2^32 + 19 on, so padded by 60.
        let offset = (at + 83).to_le_bytes();
        assert_eq!(bytes[83 + 28..83 + 30], [12 + 4 + 60, 0]);
        assert_eq!((&bytes[83 + 33..83 + 37], &bytes[83 + 37..83 + 45]), (&[1, 0, 8, 0][..], &offset[..]));
        assert_eq!(&bytes[83 + 49 + 60..][..7], [&b"two"[..], DESCRIPTOR].concat());
        // A descriptor of 24 bytes, then the directory: x as ever (46 + 3 bytes), y with the offset in its own field.
        let directory = &bytes[83 + 49 + 60 + 3 + 24..];
        assert_eq!((&directory[..4], &directory[49..53]), (&CENTRAL[..], &CENTRAL[..]));
        assert_eq!(directory[49 + 42..49 + 46], [0xFF; 4]);
        assert_eq!(directory[49 + 49..49 + 61], [&[1, 0, 8, 0], &offset[..]].concat());
    }

    #[test]
    fn more_than_65535_records_are_counted_in_the_zip64_record() {
        let mut zip = Writer::new(Vec::new(), "a");
        (0..70_000).for_each(|key| zip.record(&key.to_string(), b"").unwrap());
        let bytes = zip.finish().unwrap();
        let end = bytes.len() - END_LENGTH as usize;
        assert_eq!(bytes[end + 8..end + 12], [0xFF; 4]);
        let end_64 = end - (LOCATOR_64_LENGTH + END_64_LENGTH) as usize;
        assert_eq!(bytes[end_64 + 24..end_64 + 32], 70_000u64.to_le_bytes());
    }
}
