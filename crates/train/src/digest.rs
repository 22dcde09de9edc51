//! Which bytes a file had: what manifests say of weights.

use std::path::Path;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

/// A file's path and SHA-256.
pub(crate) fn described(path: &Path) -> Result<String> {
    Ok(format!("{} (SHA-256 {})", path.display(), sha256(path)?))
}

/// The SHA-256 of a file's bytes, in hexadecimal.
pub(crate) fn sha256(path: &Path) -> Result<String> {
    let context = || format!("cannot read {}", path.display());
    let mut hasher = Sha256::new();
    std::io::copy(&mut std::fs::File::open(path).with_context(context)?, &mut hasher).with_context(context)?;
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}
