//! Archives into folders, where the archive may be hostile: no entry leaves the folder, none is a link, none comes twice, and
//! what comes out stays in proportion to what went in.

mod target;

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use tar::EntryType;
use tempfile::TempDir;
use zip::ZipArchive;

use crate::Error;
use crate::event::{Event, Observer, tell};
use target::Target;

/// How an archive is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// PKWARE's zip.
    Zip,
    /// POSIX tar.
    Tar,
    /// The same, compressed with gzip.
    Tgz,
}

/// Why an entry, in backquotes, or the archive as a whole, is refused.
type Refusal = (String, String);

/// Unpacks `archive` into the new folder `folder`, without the folders that all of it shares; gives the number of files.
/// What Finder and Explorer add (`__MACOSX`, `.DS_Store`, `Thumbs.db`) is left out.
///
/// # Errors
/// What is wrong with the archive, the disc, or the observer. Then `folder` is not there.
pub fn unpack(archive: &Path, kind: Kind, folder: &Path, observer: Observer) -> Result<usize, Error> {
    let parcel = beside(folder)?;
    let root = parcel.path().join("all");
    fs::create_dir(&root).map_err(Error::io("make the folder", &root))?;
    let file = File::open(archive).map_err(Error::io("read", archive))?;
    let size = file.metadata().map_err(Error::io("read", archive))?.len();
    let name = archive.file_name().unwrap_or_default().to_string_lossy();
    tell(observer, Event::Begin { what: &format!("unpacking {name}"), total: None, done: 0 })?;
    let mut target = Target::new(root.clone(), size, observer);
    let result = match kind {
        Kind::Zip => unpack_zip(file, &mut target),
        Kind::Tar => unpack_tar(file, &mut target),
        Kind::Tgz => unpack_tar(MultiGzDecoder::new(file), &mut target),
    };
    tell(observer, Event::End)?;
    target.failure()?;
    let refused = |(entry, reason)| Error::Archive { path: archive.into(), entry, reason };
    result.map_err(refused)?;
    if target.files() == 0 {
        return Err(refused((String::new(), "expected files, found none".into())));
    }
    let inner = innermost(root.clone()).map_err(Error::io("read", &root))?;
    fs::rename(&inner, folder).map_err(Error::io("write", folder))?;
    Ok(target.files())
}

/// An empty folder beside `folder`, on the same disc, which goes away with what is in it.
pub fn beside(folder: &Path) -> Result<TempDir, Error> {
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(parent).map_err(Error::io("make the folder", parent))?;
    tempfile::Builder::new().prefix(".abbe-").tempdir_in(parent).map_err(Error::io("make a folder in", parent))
}

fn unpack_zip(file: File, target: &mut Target) -> Result<(), Refusal> {
    let whole = |error: zip::result::ZipError| (String::new(), format!("expected a zip archive: {error}"));
    let mut archive = ZipArchive::new(file).map_err(whole)?;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(|error| (format!("entry {index}: "), error.to_string()))?;
        let name = entry.name_raw().to_vec();
        let link = entry.is_symlink();
        if entry.is_dir() {
            continue;
        }
        target.add(&name, link.then_some("a link"), entry.size(), &mut entry)?;
    }
    Ok(())
}

fn unpack_tar(reader: impl Read, target: &mut Target) -> Result<(), Refusal> {
    let broken = |error: std::io::Error| (String::new(), format!("expected a tar archive: {error}"));
    let mut archive = tar::Archive::new(target.limited(reader));
    for entry in archive.entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        let odd = match entry.header().entry_type() {
            EntryType::Regular | EntryType::Continuous => None,
            EntryType::Directory | EntryType::XGlobalHeader => continue,
            EntryType::Symlink | EntryType::Link => Some("a link"),
            _ => Some("neither file nor folder"),
        };
        let name = entry.path_bytes().into_owned();
        target.add(&name, odd, entry.size(), &mut entry)?;
    }
    Ok(())
}

/// `folder`, or while it has nothing but one folder, that one.
fn innermost(mut folder: PathBuf) -> std::io::Result<PathBuf> {
    loop {
        let mut entries = fs::read_dir(&folder)?;
        match (entries.next().transpose()?, entries.next()) {
            (Some(only), None) if only.file_type()?.is_dir() => folder = only.path(),
            _ => return Ok(folder),
        }
    }
}

#[cfg(test)]
mod tests;
