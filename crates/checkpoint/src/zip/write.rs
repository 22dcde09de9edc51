//! Writing in the byte layout of `torch.save`.

use std::io::{self, Write};

use super::*;

/// Writes records one after the other; [`Writer::finish`] adds the directory. Nothing is sought or rewritten.
pub(crate) struct Writer<'a, W> {
    out: W,
    at: u64,
    prefix: &'a str,
    directory: Vec<u8>,
    count: u16,
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
    /// The system's, or one of kind `FileTooLarge` when the file would reach 4 GiB or 65535 records.
    pub(crate) fn record(&mut self, name: &str, data: &[u8]) -> io::Result<()> {
        let name = format!("{}/{name}", self.prefix);
        let header = self.at;
        let after_header = header + LOCAL_LENGTH + name.len() as u64 + 4;
        let padding = after_header.next_multiple_of(ALIGNMENT) - after_header;
        let flags = if data.is_empty() { FLAGS_EMPTY } else { FLAGS };
        let (offset, size) = (small(header)?, small(data.len() as u64)?);
        let crc = crc32fast::hash(data);

        let mut local = LOCAL.to_vec();
        halves(&mut local, &[0, flags, 0, 0, 0]);
        words(&mut local, &[0, 0, 0]); // checksum and sizes are in the descriptor
        halves(&mut local, &[name.len() as u16, 4 + padding as u16]);
        local.extend(name.as_bytes());
        local.extend(b"FB");
        halves(&mut local, &[padding as u16]);
        local.resize(local.len() + padding as usize, b'Z');
        self.put(&local)?;
        self.put(data)?;
        if !data.is_empty() {
            let mut descriptor = DESCRIPTOR.to_vec();
            words(&mut descriptor, &[crc, size, size]);
            self.put(&descriptor)?;
        }

        self.directory.extend(CENTRAL);
        halves(&mut self.directory, &[0, 0, flags, 0, 0, 0]);
        words(&mut self.directory, &[crc, size, size]);
        halves(&mut self.directory, &[name.len() as u16, 0, 0, 0, 0]);
        words(&mut self.directory, &[0, offset]);
        self.directory.extend(name.as_bytes());
        self.count = self.count.checked_add(1).filter(|count| *count < u16::MAX).ok_or_else(too_large)?;
        Ok(())
    }

    /// Writes the directory and the end records, zip64 ones always, and gives the output back.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        let (offset, length) = (self.at, self.directory.len() as u64);
        let (count, end) = (u64::from(self.count), offset + length);
        let mut tail = std::mem::take(&mut self.directory);
        tail.extend(END_64);
        longs(&mut tail, &[END_64_LENGTH - 12]);
        halves(&mut tail, &[0x031E, 45]);
        words(&mut tail, &[0, 0]);
        longs(&mut tail, &[count, count, length, offset]);
        tail.extend(LOCATOR_64);
        words(&mut tail, &[0]);
        longs(&mut tail, &[end]);
        words(&mut tail, &[1]);
        tail.extend(END);
        halves(&mut tail, &[0, 0, self.count, self.count]);
        words(&mut tail, &[small(length)?, small(offset)?]);
        halves(&mut tail, &[0]);
        self.put(&tail)?;
        Ok(self.out)
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.at += bytes.len() as u64;
        self.out.write_all(bytes)
    }
}

fn small(value: u64) -> io::Result<u32> {
    u32::try_from(value).ok().filter(|value| *value != OVERFLOW).ok_or_else(too_large)
}

fn too_large() -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, "checkpoints of 4 GiB or 65535 storages and more are not supported")
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
}
