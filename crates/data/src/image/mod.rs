//! Picture files to pixels and back, and pixels to planes of floats and back.
//!
//! [`read`] gives the 8-bit RGB that the rest of the workspace works on, [`read_picture`] everything that an output file
//! is to have.

mod jpeg;
mod picture;
mod read;
mod rgb8;
mod samples;
mod write;

pub use self::picture::Picture;
pub use self::read::{Conversion, MAX_DECODED_BYTES, is_animated, read, read_picture};
pub use self::rgb8::Rgb8;
pub use self::samples::Samples;
pub use self::write::{Encoded, Format, Loss, encode, encode_png};
