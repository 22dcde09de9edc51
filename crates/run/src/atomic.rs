//! A file that is there whole, or not at all.

use std::io::Write;
use std::path::Path;

use crate::{Error, io};

/// The name of a file that is not yet whole begins so; a crash may leave one behind.
pub const TEMPORARY: &str = ".abbe-";

/// Writes `bytes` to a sibling of `path`, syncs it to the disk and renames it; makes the folder when it is missing.
///
/// # Errors
/// The path and the system's reason; then neither `path` nor the sibling has changed or remains.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    std::fs::create_dir_all(folder).map_err(io("make the folder", folder))?;
    let mut file = builder().tempfile_in(folder).map_err(|error| io("write", path)(error.kind().into()))?; // without the sibling's name
    file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(io("write", path))?;
    file.persist(path).map_err(|error| io("write", path)(error.error))?;
    Ok(())
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
