//! Files mapped into memory.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::path::Path;

use memmap2::Mmap;

/// The bytes of a file, read from the disk when they are first looked at, and again after the system took their memory
/// back.
pub struct MappedFile(Mmap);

impl MappedFile {
    /// Maps a whole file.
    ///
    /// Nobody may write into it or cut it off while it is mapped: then the bytes would change, or the process would be
    /// ended by the system. Replacing the file by a rename is harmless: the old one stays mapped.
    ///
    /// # Errors
    /// A file that cannot be opened or mapped.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        // SAFETY: the map is only read. That the bytes stay as they are is up to who writes the file: Abbe writes what it
        // maps to a sibling and renames it, and never writes into it again.
        let map = unsafe { Mmap::map(&file) }?;
        Ok(Self(map))
    }
}

impl AsRef<[u8]> for MappedFile {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapped_file_has_the_bytes_of_the_file_and_outlives_its_name() {
        let path = std::env::temp_dir().join(format!("abbe-map-{}", std::process::id()));
        std::fs::write(&path, b"pixels").unwrap();
        let map = MappedFile::open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(map.as_ref(), b"pixels");
        assert!(MappedFile::open(&path).is_err());
    }
}
