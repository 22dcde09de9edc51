//! PyTorch checkpoints (`.pth`, zip and legacy) and safetensors to and from plain values, without libtorch and without
//! running anything.
//!
//! Never: executes what a file asks for, knows a network, converts a number silently.
//!
//! Reading is an interpreter over inert values with a fixed list of constructors; every length, offset and count in a
//! file is checked before it is used, and memory stays near the file's size. Writing gives files that
//! `torch.load(path, weights_only=True)` reads, with `mmap=True` too; they are whole or not there.

mod archive;
mod container;
mod cursor;
mod dtype;
mod error;
mod legacy;
mod optim;
mod pickle;
mod save;
mod state_dict;
mod tensor;
mod value;
mod zip;

use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;

pub use container::Container;
pub use dtype::Dtype;
pub use error::Error;
pub use optim::{Adam, AdamGroup, AdamState, Sgd, SgdGroup, TrainingState, multi_step_restart, optimizer_name};
pub use save::{WriteOptions, save_state_dict, write};
pub use state_dict::{StateDict, state_dict_of, wrapped};
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
    read_note(path.as_ref(), archive::CONFIG)
}

/// Which program wrote a file, as JSON text such as `{"abbe":"0.1.0"}`; None for a file that is not Abbe's.
///
/// # Errors
/// As those of [`read`], for what has to be read to find it.
pub fn read_provenance(path: impl AsRef<Path>) -> Result<Option<String>, Error> {
    read_note(path.as_ref(), archive::PROVENANCE)
}

fn read_note(path: &Path, name: &str) -> Result<Option<String>, Error> {
    let note = || {
        let mut file = File::open(path)?;
        match container(&mut file)? {
            Container::Zip => archive::read_note(file, name),
            _ => Ok(None),
        }
    };
    note().map_err(|fault: Fault| fault.reading(path))
}

fn read_any(path: &Path) -> Result<Value, Fault> {
    let mut file = File::open(path)?;
    match container(&mut file)? {
        Container::Zip => archive::read(file),
        _ => legacy::read(file),
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

#[cfg(test)]
mod tests;
