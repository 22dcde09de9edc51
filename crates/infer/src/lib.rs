//! A network applied to a whole picture: cut into tiles, run, clamp, put together.
//!
//! Never: trains, reads or writes a file.

mod tile;
mod upscale;

pub use upscale::{Error, upscale};
