//! SHA-256 of files, what is known of it beforehand, and the record of what was seen first.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::Error;

/// Whether this can be a SHA-256, or the first 8 digits of one or more.
pub fn is_prefix(digits: &str) -> bool {
    (8..=64).contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// SHA-256 of a file in hexadecimal.
pub fn sha256(path: &Path) -> Result<String, Error> {
    hash(path).map_err(Error::io("read", path))
}

fn hash(path: &Path) -> io::Result<String> {
    let (mut file, mut hasher, mut buffer) = (File::open(path)?, Sha256::new(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
            read => hasher.update(&buffer[..read]),
        }
    }
}

/// The record of the SHA-256 that `path` had when it was first fetched, in the form of `sha256sum`.
pub fn record_of(path: &Path) -> PathBuf {
    sibling(path, ".sha256")
}

/// What the record says; absent when there is none.
pub fn recorded(path: &Path) -> Option<String> {
    let text = std::fs::read_to_string(record_of(path)).ok()?;
    text.split_whitespace().next().filter(|digits| digits.len() == 64 && is_prefix(digits)).map(str::to_owned)
}

/// Writes the record.
pub fn record(path: &Path, sha256: &str) -> Result<(), Error> {
    let record = record_of(path);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    std::fs::write(&record, format!("{sha256}  {name}\n")).map_err(Error::io("write", &record))
}

/// `path` with `ending` appended to its name.
pub fn sibling(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_abc_is_that_of_fips_180_4_and_is_recorded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("abc.zip");
        std::fs::write(&path, "abc").unwrap();
        let found = sha256(&path).unwrap();
        assert_eq!(found, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(recorded(&path), None);
        record(&path, &found).unwrap();
        assert_eq!(
            std::fs::read_to_string(folder.path().join("abc.zip.sha256")).unwrap(),
            format!("{found}  abc.zip\n")
        );
        assert_eq!(recorded(&path), Some(found));
    }

    #[test]
    fn a_prefix_is_of_eight_digits_or_more_in_lower_case() {
        assert!(is_prefix("dcbb9e9d") && is_prefix(&"0".repeat(64)));
        assert!(
            !is_prefix("dcbb9e9") && !is_prefix(&"0".repeat(65)) && !is_prefix("DCBB9E9D") && !is_prefix("dcbb9e9g")
        );
    }
}
