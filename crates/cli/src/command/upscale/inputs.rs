//! The pictures that are read: files, folders with the folders in them, patterns, standard input.

use std::fs;
use std::path::{Path, PathBuf};

use abbe_data::folder;
use anyhow::{Context, Result, ensure};

/// A picture that is to be read.
#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    /// The file.
    pub path: PathBuf,
    /// Where it lies under the folder that was given, the file's name included.
    pub below: PathBuf,
}

/// The pictures that arguments name, in order; standard input is first kept in `spool`. Prints what is passed over.
///
/// # Errors
/// A folder or a pattern without pictures, a folder that cannot be read, standard input that is asked for twice.
pub fn find(arguments: &[PathBuf], spool: &Path) -> Result<Vec<Input>> {
    let twice = arguments.iter().filter(|argument| is_standard(argument)).count() > 1;
    ensure!(!twice, "-: standard input is one picture; name it once");
    let mut inputs = Vec::new();
    for argument in arguments {
        let before = inputs.len();
        if is_standard(argument) {
            inputs.push(spooled(spool)?);
        } else if argument.is_dir() {
            walk(argument, Path::new(""), &mut inputs)?;
            ensure!(inputs.len() > before, "{}: no picture in this folder or in one below it", argument.display());
        } else if argument.exists() || !is_pattern(argument) {
            inputs.push(file(argument)?);
        } else {
            matching(argument, &mut inputs)?;
            ensure!(inputs.len() > before, "{}: no picture matches this pattern", argument.display());
        }
    }
    Ok(inputs)
}

/// Whether a path is `-`.
pub fn is_standard(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn file(path: &Path) -> Result<Input> {
    let name = path.file_name().with_context(|| format!("{}: expected the name of a picture", path.display()))?;
    Ok(Input { path: path.into(), below: name.into() })
}

fn spooled(spool: &Path) -> Result<Input> {
    let path = spool.join("stdin");
    let written = fs::File::create(&path).and_then(|mut file| std::io::copy(&mut std::io::stdin().lock(), &mut file));
    written.context("standard input could not be kept in the folder for temporary files")?;
    file(&path)
}

/// What a shell leaves of a pattern that is quoted, or that a shell does not know.
fn is_pattern(path: &Path) -> bool {
    path.to_str().is_some_and(|text| text.contains(['*', '?', '[']))
}

fn matching(pattern: &Path, inputs: &mut Vec<Input>) -> Result<()> {
    let text = pattern.to_str().unwrap_or_default();
    for path in glob::glob(text).with_context(|| format!("{text}: not a pattern"))? {
        let path = path.with_context(|| text.to_owned())?;
        if path.is_dir() {
            walk(&path, Path::new(path.file_name().unwrap_or_default()), inputs)?;
        } else {
            inputs.push(file(&path)?);
        }
    }
    Ok(())
}

/// The pictures of a folder, then those of the folders in it; links to folders are not followed, for they may lead back.
fn walk(folder: &Path, below: &Path, inputs: &mut Vec<Input>) -> Result<()> {
    folder::passed_over(folder)?.iter().for_each(|notice| eprintln!("notice: {notice}"));
    let listing = folder::list(folder)?;
    for path in listing.pictures.into_values() {
        let below = below.join(path.file_name().unwrap_or_default());
        inputs.push(Input { path, below });
    }
    let folders = listing.passed_over.into_iter().filter(|(path, what)| *what == "a folder" && !path.is_symlink());
    folders
        .map(|(path, _)| path)
        .try_for_each(|path| walk(&path, &below.join(path.file_name().unwrap_or_default()), inputs))
}
