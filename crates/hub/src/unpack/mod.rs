//! Archives into folders, where the archive may be hostile: no entry leaves the folder, none is a link, none comes twice, and
//! what comes out stays in proportion to what went in.

mod allowance;
mod tar;
mod target;
mod zip;

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use tempfile::TempDir;

use crate::Error;
use crate::event::{Event, Observer, tell};
pub use allowance::Allowance;
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
        Kind::Zip => zip::unpack(&file, &mut target),
        Kind::Tar => tar::unpack(file, size, &mut target),
        Kind::Tgz => tar::unpack(MultiGzDecoder::new(file), size, &mut target),
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
