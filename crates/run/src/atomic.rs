//! A file that is there whole, or not at all.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;

use tempfile::NamedTempFile;

use crate::{Error, io};

/// The name of a file that is not yet whole begins so; a crash may leave one behind.
pub const TEMPORARY: &str = ".abbe-";

/// Writes `bytes` to a sibling of `path`, syncs it to the disk and renames it; makes the folder when it is missing.
///
/// # Errors
/// The path and the system's reason; then neither `path` nor the sibling has changed or remains.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    write_atomic_with(path, |file| file.write_all(bytes).map_err(io("write", path)))
}

/// The same for a file that is written piece by piece, by `write`; what that returns.
///
/// # Errors
/// As those of [`write_atomic`], and those of `write`, after which nothing of the file remains.
pub fn write_atomic_with<T, E: From<Error>>(
    path: &Path,
    write: impl FnOnce(&mut File) -> Result<T, E>,
) -> Result<T, E> {
    let folder = folder_of(path);
    std::fs::create_dir_all(folder).map_err(io("make the folder", folder))?;
    let mut file = sibling(path, folder)?;
    let written = write(file.as_file_mut())?;
    file.as_file().sync_all().map_err(io("write", path))?;
    file.persist(path).map_err(|error| io("write", path)(error.error))?;
    Ok(written)
}

/// Whether [`write_atomic`] can begin: whether a file can be made in the folder of `path`, or in the nearest one above it that
/// is there, and a file that is there already is not protected against writing. Nothing is left or changed.
///
/// # Errors
/// The path and the system's reason.
pub fn check_writable(path: &Path) -> Result<(), Error> {
    match OpenOptions::new().write(true).open(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(io("write", path)(error)),
        _ => {}
    }
    let there = folder_of(path).ancestors().find(|folder| folder.as_os_str().is_empty() || folder.exists());
    let there = there.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    sibling(path, there).map(drop)
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A file in `folder` that becomes `path`; the message has not the name that it has until then.
fn sibling(path: &Path, folder: &Path) -> Result<NamedTempFile, Error> {
    builder().tempfile_in(folder).map_err(|error| io("write", path)(error.kind().into()))
}

/// Temporary files are private by default; ours become ordinary files, so they get ordinary rights (less the umask).
fn builder() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(TEMPORARY);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_whole_files_and_leaves_no_sibling() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b.txt");
        write_atomic(&path, b"one").unwrap();
        write_atomic(&path, b"two").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn what_can_be_written_is_told_without_leaving_anything() {
        let folder = tempfile::tempdir().unwrap();
        check_writable(&folder.path().join("new/newer/a.txt")).unwrap();
        std::fs::write(folder.path().join("file"), b"x").unwrap();
        let error = check_writable(&folder.path().join("file/a.txt")).unwrap_err().to_string();
        assert!(error.contains("file/a.txt"), "{error}");
        check_writable(&folder.path().join("file")).unwrap();
        assert_eq!(std::fs::read(folder.path().join("file")).unwrap(), b"x");
        let long = "a".repeat(5000);
        assert!(check_writable(&folder.path().join(long)).is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_fails_half_way_leaves_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        write_atomic(&path, b"old").unwrap();
        let half = write_atomic_with(&path, |file| {
            file.write_all(b"ne").unwrap();
            Err::<(), _>(io("write", &path)(std::io::ErrorKind::StorageFull.into()))
        });
        assert!(half.is_err() && std::fs::read(&path).unwrap() == b"old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_refusal_names_the_path_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("taken");
        std::fs::create_dir(&path).unwrap();
        std::fs::write(path.join("kept"), b"x").unwrap();
        let error = write_atomic(&path, b"one").unwrap_err();
        let (message, cause) = (error.to_string(), std::error::Error::source(&error).unwrap().to_string());
        assert!(message.contains("taken") && !message.contains(&cause), "{message}: {cause}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
