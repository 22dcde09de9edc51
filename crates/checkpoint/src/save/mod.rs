//! Writing checkpoints: whole, or not at all.

mod archive;
mod legacy;
mod safetensors;
mod verified;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

pub use verified::write_verified;

use crate::error::{Fault, refuse};
use crate::{Container, Error, StateDict, Value};

/// What Abbe puts beside a checkpoint's own value. Python's loaders ignore it.
#[derive(Clone, Copy, Debug, Default)]
pub struct WriteOptions<'a> {
    /// The form of the file.
    pub container: Container,
    /// The network's own configuration, JSON text, which [`Checkpoint::card`](crate::Checkpoint::card) gives back. The legacy
    /// container has no place for it and leaves it out.
    pub card: Option<&'a str>,
}

/// Which program wrote a file, as JSON text: beside the card in the zip and the safetensors container. It holds no date
/// and no path, so that the same value gives the same file.
const PROVENANCE: &str = concat!(r#"{"abbe":""#, env!("CARGO_PKG_VERSION"), r#""}"#);

/// Writes a checkpoint: a sibling file first, which is synced and then renamed to `path`, and the folder synced too.
///
/// Tensors that share a storage go on sharing it, except in the safetensors container, where each is written for itself.
/// A tensor that has a storage for itself is written contiguous, without the elements that it does not show.
///
/// # Errors
/// [`Error::Write`] when the system refuses, [`Error::Unwritable`] for a value that could not be read back: empty bytes
/// (PyTorch refuses them), keys that are equal or can change, more than our reader's limits, in the legacy container element
/// types that came after it, in safetensors anything but a dict of tensors by name, and every value in a tar file. No part
/// of a file is left behind, and one that was there is unchanged.
pub fn write(path: impl AsRef<Path>, value: &Value, options: &WriteOptions) -> Result<(), Error> {
    let path = path.as_ref();
    replace(path, |out| match options.container {
        Container::Zip => archive::write(out, prefix(path), value, options.card),
        Container::Legacy => legacy::write(out, value),
        Container::Safetensors => safetensors::write(out, value, options.card),
        Container::Tar => refuse("tar checkpoints are read, not written: choose zip, legacy or safetensors"),
    })
    .map_err(|fault| fault.writing(path))
}

/// Writes a state dict as `torch.save(model.state_dict(), path)` does, and with it the network's own configuration (JSON
/// text), which Python's loaders ignore and [`Checkpoint::card`](crate::Checkpoint::card) gives back.
///
/// # Errors
/// As those of [`write()`].
pub fn save_state_dict(path: impl AsRef<Path>, state: &StateDict, card: Option<&str>) -> Result<(), Error> {
    write(path, &Value::from(state), &WriteOptions { card, ..WriteOptions::default() })
}

/// Puts what `write` writes in the place of `path`, or leaves everything as it was.
///
/// A link goes on pointing at its file, which is replaced; a device, a pipe or a folder is not replaced.
fn replace(path: &Path, write: impl FnOnce(&mut BufWriter<&mut File>) -> Result<(), Fault>) -> Result<(), Fault> {
    let target = path.canonicalize();
    let path = target.as_deref().unwrap_or(path);
    if path.exists() && !path.is_file() {
        return refuse("it is there and is no file: choose another name");
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Opened first, so that a folder that cannot be synced is no reason to fail when the file is there. Windows opens no
    // folders and needs none of this.
    #[cfg(unix)]
    let opened = File::open(folder)?;
    let mut builder = tempfile::Builder::new();
    // Temporary files are private by default; a checkpoint is an ordinary file (its rights less the umask).
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut sibling =
        builder.prefix(".abbe-").tempfile_in(folder).map_err(|error| std::io::Error::from(error.kind()))?;
    let mut out = BufWriter::new(sibling.as_file_mut());
    write(&mut out)?;
    out.flush()?;
    drop(out);
    sibling.as_file().sync_all()?;
    sibling.persist(path).map_err(|error| error.error)?;
    // The new name is on disk only when the folder is.
    #[cfg(unix)]
    opened.sync_all()?;
    Ok(())
}

/// The archive's top folder: the file's name without its last extension, as PyTorch names it, where that is safe.
fn prefix(path: &Path) -> &str {
    let is_plain = |stem: &&str| {
        stem.len() <= 255
            && !matches!(*stem, "." | "..")
            && stem.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'\\')
    };
    path.file_stem().and_then(|stem| stem.to_str()).filter(is_plain).unwrap_or("archive")
}

#[cfg(test)]
mod tests;
