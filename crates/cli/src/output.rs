//! Where results may go.

use std::path::{Path, PathBuf};

use abbe_data::folder::pictures;
use anyhow::{Context, Result, ensure};

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

/// Each picture among `inputs`, pictures or folders of them, and the PNG file of its name in `folder`.
///
/// # Errors
/// A folder without pictures, and two pictures of one name.
pub fn named(inputs: &[PathBuf], folder: &Path) -> Result<Vec<(PathBuf, PathBuf)>> {
    let mut work: Vec<(PathBuf, PathBuf)> = Vec::new();
    for input in inputs {
        let files = if input.is_dir() { pictures(input)?.into_values().collect() } else { vec![input.clone()] };
        for file in files {
            let name = file.file_stem().with_context(|| format!("{} has no file name", file.display()))?;
            let target = folder.join(format!("{}.png", name.to_string_lossy()));
            let twin = work.iter().find(|(_, other)| *other == target);
            ensure!(
                twin.is_none(),
                "{} and {} would both become {}: rename one, or take them apart",
                twin.map_or(Path::new(""), |(other, _)| other).display(),
                file.display(),
                target.display()
            );
            work.push((file, target));
        }
    }
    Ok(work)
}
