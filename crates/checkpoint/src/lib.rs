//! PyTorch checkpoints (`.pth`, zip and legacy) to and from plain values, without libtorch and without running anything.
//!
//! Never: executes what a file asks for, knows a network, converts a number silently.
//!
//! Reading is an interpreter over inert values with a fixed list of constructors; every length, offset and count in a
//! file is checked before it is used, and memory stays near the file's size. Writing gives files that
//! `torch.load(path, weights_only=True)` reads, with `mmap=True` too.

mod archive;
mod cursor;
mod dtype;
mod error;
mod legacy;
mod pickle;
mod state_dict;
mod tensor;
mod value;
mod zip;

use std::fs::File;
use std::io::{BufWriter, Read, Seek};
use std::path::Path;

pub use dtype::Dtype;
pub use error::Error;
pub use state_dict::{StateDict, Unwrapped, state_dict_of, unwrap};
pub use tensor::Tensor;
pub use value::Value;

use error::{Fault, refuse};

/// Reads a checkpoint of either container; the file's name says nothing about which.
///
/// # Errors
/// [`Error::Read`] when the system refuses, [`Error::Refused`] when the file is no checkpoint (a Git LFS pointer, a web
/// page, TorchScript, ...), is damaged, or asks for more than plain values and tensors.
pub fn read(path: impl AsRef<Path>) -> Result<Value, Error> {
    let path = path.as_ref();
    read_any(path).map_err(|fault| fault.reading(path))
}

/// The network configuration that [`save_state_dict`] put into a file, as JSON text; None for any other checkpoint.
///
/// # Errors
/// As those of [`read`], for what has to be read to find it.
pub fn read_config(path: impl AsRef<Path>) -> Result<Option<String>, Error> {
    let path = path.as_ref();
    let config = || {
        let mut file = File::open(path)?;
        match container(&mut file)? {
            Container::Zip => archive::read_config(file),
            Container::Legacy => Ok(None),
        }
    };
    config().map_err(|fault: Fault| fault.reading(path))
}

/// Writes a checkpoint in PyTorch's zip container: a sibling file first, synced, then renamed to `path`.
///
/// # Errors
/// [`Error::Write`] when the system refuses, [`Error::Unwritable`] for a value that PyTorch could not read back (empty
/// bytes). Either way no file is left behind, and one that was there is unchanged.
pub fn write(path: impl AsRef<Path>, value: &Value) -> Result<(), Error> {
    let path = path.as_ref();
    replace(path, value, None).map_err(|fault| fault.writing(path))
}

/// Writes a state dict as `torch.save(model.state_dict(), path)` does, and with it the network's own configuration (JSON
/// text), which Python's loaders ignore and [`read_config`] gives back.
///
/// # Errors
/// As those of [`write()`].
pub fn save_state_dict(path: impl AsRef<Path>, state: &StateDict, config: Option<&str>) -> Result<(), Error> {
    let path = path.as_ref();
    let entry = |(name, tensor): (&String, &Tensor)| (Value::Text(name.clone()), Value::Tensor(tensor.clone()));
    let value = Value::OrderedDict(state.iter().map(entry).collect());
    replace(path, &value, config).map_err(|fault| fault.writing(path))
}

enum Container {
    Zip,
    Legacy,
}

fn read_any(path: &Path) -> Result<Value, Fault> {
    let mut file = File::open(path)?;
    match container(&mut file)? {
        Container::Zip => archive::read(file),
        Container::Legacy => legacy::read(file),
    }
}

/// Tells the container by the first bytes, and names what users meet instead of one; leaves the file at its start.
fn container(file: &mut File) -> Result<Container, Fault> {
    let mut start = Vec::new();
    Read::by_ref(file).take(512).read_to_end(&mut start)?;
    file.rewind()?;
    let is_tar = start.get(257..262) == Some(b"ustar");
    match start.as_slice() {
        [] => refuse("the file is empty: download or save it again"),
        [b'P', b'K', 3, 4, ..] => Ok(Container::Zip),
        [b'P', b'K', 5, 6, ..] => refuse("an empty zip file: download or save it again"),
        start if start.starts_with(legacy::START) => Ok(Container::Legacy),
        start if start.starts_with(b"version https://git-lfs") => {
            refuse("a Git LFS pointer, not the weights themselves: run `git lfs pull` in its repository")
        }
        start if start.trim_ascii_start().starts_with(b"<") => {
            refuse("a web page, not a checkpoint: the download failed or needs a login; download the file itself")
        }
        [_, _, _, _, _, _, _, _, b'{', ..] => {
            refuse("looks like a safetensors file: in Python, torch.save(safetensors.torch.load_file(path), new_path)")
        }
        _ if is_tar => refuse("a tar checkpoint (PyTorch before 0.1.10): load it in Python and save it again"),
        _ => refuse("not a PyTorch checkpoint: it starts like neither a zip file nor a legacy checkpoint"),
    }
}

fn replace(path: &Path, value: &Value, config: Option<&str>) -> Result<(), Fault> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    // Temporary files are private by default; a checkpoint is an ordinary file (its rights less the umask).
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut sibling =
        builder.prefix(".abbe-").tempfile_in(folder).map_err(|error| std::io::Error::from(error.kind()))?;
    archive::write(BufWriter::new(&mut sibling), prefix(path), value, config)?;
    sibling.as_file().sync_all()?;
    sibling.persist(path).map_err(|error| error.error)?;
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
