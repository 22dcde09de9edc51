//! A network applied to a whole picture: cut into tiles, run (a network of luma on luma alone), clamp, put together; and
//! the distance that a network sees between two pictures.
//!
//! Never: trains, reads or writes a file.

mod lpips;
mod luma;
pub mod plan;
mod race;
mod tile;
mod upscale;

pub use lpips::lpips;
pub use plan::{Executor, Plan};
pub use race::{Lap, race};
pub use upscale::{Error, notice, upscale};
