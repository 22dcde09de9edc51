//! Where results may go.

use std::path::Path;

use anyhow::{Result, ensure};

/// A result must not replace what it is made from, and nothing else unasked.
///
/// # Errors
/// An output that is one of the inputs, or that is there already, without `overwrite`.
pub fn keep_apart(inputs: &[&Path], output: &Path, overwrite: bool) -> Result<()> {
    for input in inputs {
        let same = input.canonicalize().is_ok_and(|input| output.canonicalize().is_ok_and(|output| input == output));
        ensure!(!same, "{} would be overwritten by what is made from it: name another place", input.display());
    }
    let exists = output.exists();
    ensure!(!exists || output.is_file(), "{} is a folder or a device: name a file", output.display());
    ensure!(overwrite || !exists, "{} is there already: name another place, or pass --overwrite", output.display());
    Ok(())
}
