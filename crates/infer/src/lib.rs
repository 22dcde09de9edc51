//! A network applied to a whole picture: cut into tiles, run (a network of luma on luma alone), clamp, put together.
//!
//! Never: trains, reads or writes a file.

mod luma;
mod tile;
mod upscale;

pub use upscale::{Error, notice, upscale};
