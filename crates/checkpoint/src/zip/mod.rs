//! The part of the zip format that PyTorch's containers use: entries in one top folder, zip64 where it is needed;
//! stored, and for reading deflated too.
//!
//! Written in the byte layout of `torch.save` (2.11), which its readers compute offsets from; read strictly, so that no
//! two readers can see two different files in one.

mod directory;
mod read;
mod write;

pub(crate) use read::Archive;
pub(crate) use write::Writer;

const LOCAL: &[u8; 4] = b"PK\x03\x04";
const DESCRIPTOR: &[u8; 4] = b"PK\x07\x08";
const CENTRAL: &[u8; 4] = b"PK\x01\x02";
const END: &[u8; 4] = b"PK\x05\x06";
const END_64: &[u8; 4] = b"PK\x06\x06";
const LOCATOR_64: &[u8; 4] = b"PK\x06\x07";

/// Lengths of the fixed parts, in bytes.
const LOCAL_LENGTH: u64 = 30;
const CENTRAL_LENGTH: u64 = 46;
const END_LENGTH: u64 = 22;
const END_64_LENGTH: u64 = 56;
const LOCATOR_64_LENGTH: u64 = 20;

/// Methods of compression: none, and that of zlib.
const STORED: u16 = 0;
const DEFLATED: u16 = 8;

/// The id of the extra field that holds what 32 bits do not.
const ZIP_64: u16 = 1;

/// The most bytes of a directory, 8 MiB; each storage of a checkpoint takes about 60.
const MAX_DIRECTORY: u64 = 8 << 20;

/// A field with this value, or more, is found in a zip64 record.
const OVERFLOW: u32 = u32::MAX;

/// Each record's data starts at a multiple of this, counted from the start of the file.
const ALIGNMENT: u64 = 64;
