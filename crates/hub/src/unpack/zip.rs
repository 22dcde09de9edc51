//! The entries of a zip archive.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};

use zip::ZipArchive;
use zip::result::ZipError;

use super::Refusal;
use super::target::Target;
use crate::error::escaped;

/// Writes all entries to `target`.
///
/// The `zip` crate (6.0) keeps the last entry of each name without a word, so its entries are held against the directory.
pub fn unpack(file: &File, target: &mut Target) -> Result<(), Refusal> {
    let whole = |error: ZipError| (String::new(), format!("expected a zip archive: {}", said(error)));
    let mut archive = ZipArchive::new(file).map_err(whole)?;
    let records = records(file, archive.central_directory_start()).map_err(|error| whole(error.into()))?;
    if records != archive.len() {
        let reason = format!("its directory has {records} entries, but {} names: some come twice", archive.len());
        return Err((String::new(), reason));
    }
    for index in 0..archive.len() {
        let shown = format!("`{}`: ", archive.name_for_index(index).unwrap_or_default().escape_debug());
        let mut entry = archive.by_index(index).map_err(|error| (shown, said(error)))?;
        let name = entry.name_raw().to_vec();
        let link = entry.is_symlink();
        if !entry.is_dir() {
            target.add(&name, link.then_some("a link"), entry.size(), &mut entry)?;
        }
    }
    Ok(())
}

/// The number of records in the directory that begins at `start` (PKWARE's APPNOTE 6.3.10, section 4.3.12).
fn records(file: &File, start: u64) -> io::Result<usize> {
    let mut directory = BufReader::new(file);
    directory.seek(SeekFrom::Start(start))?;
    let (mut record, mut count) = ([0; 46], 0);
    while directory.read_exact(&mut record).is_ok() && record.starts_with(b"PK\x01\x02") {
        let length = |at: usize| i64::from(u16::from_le_bytes([record[at], record[at + 1]]));
        directory.seek_relative(length(28) + length(30) + length(32))?; // name, extra field, comment
        count += 1;
    }
    Ok(count)
}

fn said(error: ZipError) -> String {
    match error {
        ZipError::Io(cause) => escaped(cause),
        error => escaped(error),
    }
}
