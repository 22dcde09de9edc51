//! Which bytes a file has.

use std::path::Path;

use sha2::{Digest, Sha256};

use crate::Error;
use crate::error::Fault;
use crate::source;

/// The SHA-256 of a file's bytes, as 64 hexadecimal digits.
///
/// # Errors
/// [`Error::Read`] when the system refuses, [`Error::Refused`] for what is no file.
pub fn sha256(path: impl AsRef<Path>) -> Result<String, Error> {
    let path = path.as_ref();
    let mut hasher = Sha256::new();
    let mut read = || Ok(std::io::copy(&mut source::open(path)?, &mut hasher)?);
    read().map_err(|fault: Fault| fault.reading(path))?;
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_the_standards_first_example() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("abc");
        std::fs::write(&path, "abc").unwrap();
        // FIPS 180-4 gives this for "abc".
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256(&path).unwrap(), expected);
        assert!(matches!(sha256(folder.path().join("none")), Err(Error::Read { .. })));
    }
}
