//! Reading: from the first bytes of a file to what is in it.

use std::io::{Cursor, Read};
use std::path::Path;

use crate::error::{Fault, refuse};
use crate::pickle::Unknown;
use crate::source::{self, Source};
use crate::{Container, Error, Value, archive, legacy, safetensors, tar};

/// A checkpoint and what its file says beside the value.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// What it was packed in.
    pub container: Container,
    /// The object that was saved; for safetensors an `OrderedDict` of tensors by name, in the order of their data.
    pub value: Value,
    /// What Abbe wrote into it beside the value, as JSON text: the record `abbe.json`, in safetensors the metadata `abbe`.
    pub card: Option<String>,
    /// Which program of ours wrote it, as JSON text such as `{"abbe":"0.1.0"}`.
    pub provenance: Option<String>,
    /// The metadata of a safetensors file, sorted by key; empty for other containers.
    pub metadata: Vec<(String, String)>,
    /// The classes and functions that are no plain values, in the file's order; only [`inspect`] lets any pass. They come
    /// from the file: escape them when printing.
    pub opaque: Vec<String>,
}

impl Checkpoint {
    /// A value with nothing beside it.
    pub(crate) fn of(container: Container, value: Value) -> Self {
        Self { container, value, card: None, provenance: None, metadata: Vec::new(), opaque: Vec::new() }
    }
}

/// Reads a checkpoint of any container.
///
/// # Errors
/// [`Error::Read`] when the system refuses, [`Error::Refused`] when the file is no checkpoint (a Git LFS pointer, a web
/// page, TorchScript, ...), is damaged, or asks for more than plain values and tensors.
pub fn open(path: impl AsRef<Path>) -> Result<Checkpoint, Error> {
    open_file(path.as_ref(), Unknown::Refuse)
}

/// The container of a file, which its first bytes tell.
///
/// # Errors
/// As those of [`open`] for a file that is none.
pub fn container_of(path: impl AsRef<Path>) -> Result<Container, Error> {
    let path = path.as_ref();
    let container = || container(&mut source::open(path)?);
    container().map_err(|fault: Fault| fault.reading(path))
}

/// The value of a checkpoint of any container: [`open`] without the rest.
///
/// # Errors
/// As those of [`open`].
pub fn read(path: impl AsRef<Path>) -> Result<Value, Error> {
    open(path).map(|checkpoint| checkpoint.value)
}

/// Reads a checkpoint for looking at it: objects of unknown classes become [`Value::Opaque`] instead of an error. Nothing
/// of them is run.
///
/// # Errors
/// As those of [`open`], unknown classes aside.
pub fn inspect(path: impl AsRef<Path>) -> Result<Checkpoint, Error> {
    open_file(path.as_ref(), Unknown::Keep)
}

/// [`open`] for the bytes of a file.
///
/// # Errors
/// As those of [`open`]; in place of the path there is `(bytes)`.
pub fn open_bytes(bytes: &[u8]) -> Result<Checkpoint, Error> {
    open_any(Cursor::new(bytes), Unknown::Refuse).map_err(|fault| fault.reading(Path::new("(bytes)")))
}

/// [`inspect`] for the bytes of a file.
///
/// # Errors
/// As those of [`inspect`]; in place of the path there is `(bytes)`.
pub fn inspect_bytes(bytes: &[u8]) -> Result<Checkpoint, Error> {
    open_any(Cursor::new(bytes), Unknown::Keep).map_err(|fault| fault.reading(Path::new("(bytes)")))
}

fn open_file(path: &Path, unknown: Unknown) -> Result<Checkpoint, Error> {
    let open = || open_any(source::open(path)?, unknown);
    open().map_err(|fault: Fault| fault.reading(path))
}

fn open_any(mut file: impl Source, unknown: Unknown) -> Result<Checkpoint, Fault> {
    match container(&mut file)? {
        Container::Zip => archive::read(file, unknown),
        Container::Legacy => legacy::read(file, unknown),
        Container::Tar => tar::read(file, unknown),
        Container::Safetensors => safetensors::read(file),
    }
}

/// Tells the container by the first bytes, and names what users meet instead of one; leaves the file at its start.
fn container(file: &mut impl Source) -> Result<Container, Fault> {
    let mut start = Vec::new();
    file.take(512).read_to_end(&mut start)?;
    file.rewind()?;
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
        [_, _, _, _, _, _, _, _, b'{', ..] => Ok(Container::Safetensors),
        start if start.get(257..262) == Some(b"ustar") => Ok(Container::Tar),
        [0x89, b'P', b'N', b'G', ..] | [0xFF, 0xD8, 0xFF, ..] => refuse("a picture, not a checkpoint"),
        [0x1F, 0x8B, ..] => refuse("packed by gzip: unpack it first, with gunzip or tar"),
        [b'{' | b'[', ..] => refuse("JSON text, not a checkpoint; the weights are in another file"),
        _ => refuse("not a checkpoint: byte 0 starts neither PyTorch's zip, legacy or tar container nor safetensors"),
    }
}
