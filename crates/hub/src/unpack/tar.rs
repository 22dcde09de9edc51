//! The entries of a tar archive, to its very end.

use std::cell::Cell;
use std::io::{self, ErrorKind, Read};

use tar::{Archive, Entry, EntryType};

use super::target::Target;
use super::{Allowance, Refusal};
use crate::error::escaped;

/// Bytes before the contents of an entry at most: its header, a long name, and what else others keep with a file. The `tar`
/// crate (0.4) has all of that in memory at once.
const MOST_HEADERS: u64 = 1 << 20;

/// Writes all entries of an archive of `size` bytes, which `reader` may have decompressed, to `target`.
///
/// The archive must end as POSIX.1-2017 demands (pax, "ustar Interchange Format"), with two blocks of zeros, for without them
/// one that was cut off between two entries looks whole.
pub fn unpack(reader: impl Read, size: u64, target: &mut Target) -> Result<(), Refusal> {
    let headers = Cell::new(MOST_HEADERS);
    let mut archive = Archive::new(Metered { reader, allowance: Allowance::of(size), headers: &headers });
    for entry in archive.entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        headers.set(u64::MAX);
        add(&mut entry, target)?;
        io::copy(&mut entry, &mut io::sink()).map_err(broken)?; // what was left out
        headers.set(MOST_HEADERS);
    }
    headers.set(u64::MAX);
    finish(archive.into_inner())
}

fn add<R: Read>(entry: &mut Entry<R>, target: &mut Target) -> Result<(), Refusal> {
    let odd = match entry.header().entry_type() {
        EntryType::Regular | EntryType::Continuous => None,
        EntryType::Directory | EntryType::XGlobalHeader => return Ok(()),
        EntryType::Symlink | EntryType::Link => Some("a link"),
        _ => Some("neither file nor folder"),
    };
    let name = entry.path_bytes().into_owned();
    target.add(&name, odd, entry.size(), entry)
}

/// Reads what follows the last entry. The `tar` crate stops at the first block of zeros, or where there are no bytes.
fn finish(mut reader: impl Read) -> Result<(), Refusal> {
    let mut block = [0; 512];
    let cut = "expected a tar archive that ends with two blocks of zeros, found none: it was cut off";
    match reader.read_exact(&mut block) {
        Ok(()) if block == [0; 512] => {}
        Err(error) if error.kind() != ErrorKind::UnexpectedEof => return Err(broken(error)),
        _ => return Err((String::new(), cut.into())),
    }
    io::copy(&mut reader, &mut io::sink()).map_err(broken)?; // the checksum of gzip comes last
    Ok(())
}

fn broken(error: io::Error) -> Refusal {
    (String::new(), format!("expected a tar archive: {}", escaped(error)))
}

/// A reader that ends with an error where too much comes out, or too much before one entry.
struct Metered<'a, R> {
    reader: R,
    allowance: Allowance,
    headers: &'a Cell<u64>,
}

impl<R: Read> Read for Metered<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.allowance.take(read as u64).map_err(io::Error::other)?;
        let left = self.headers.get().checked_sub(read as u64);
        let many = || io::Error::other(format!("more than {MOST_HEADERS} bytes of headers before one entry"));
        self.headers.set(left.ok_or_else(many)?);
        Ok(read)
    }
}
