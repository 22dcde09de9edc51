//! Picture files to pixels and back, and pixels to planes of floats and back.
//!
//! [`read`] gives the 8-bit RGB that the rest of the workspace works on, [`read_picture`] everything that an output file
//! is to have. [`RowReader`] and [`write_rows`] do the same a few rows at a time, for pictures that are larger than memory.

mod exif;
mod exif_fields;
mod header;
mod jpeg;
mod picture;
mod read;
mod read_rows;
mod rgb8;
mod samples;
mod write;
mod write_rows;

pub use self::header::Header;
pub use self::picture::Picture;
pub use self::read::{Conversion, MAX_DECODED_BYTES, is_animated, read, read_picture};
pub use self::read_rows::RowReader;
pub use self::rgb8::Rgb8;
pub use self::samples::Samples;
pub use self::write::{Encoded, Format, Loss, encode, encode_png};
pub use self::write_rows::write_rows;
