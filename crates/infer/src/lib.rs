//! A network applied to a whole picture: cut into tiles, run (a network of luma on luma alone), clamp, put together; and
//! the distance that a network sees between two pictures.
//!
//! Never: trains, reads or writes a file.

mod engine;
mod lane;
mod lpips;
mod luma;
mod memory;
mod opacity;
pub mod plan;
mod planes;
mod race;
mod race_gpu;
mod resized;
mod rows;
mod seams;
mod tile;
mod tiled;
mod upscale;

pub use engine::{Engine, Forward};
pub use lpips::lpips;
pub use memory::{Cut, PROGRAM, bytes_per_pixel, fit, limit};
pub use opacity::{premultiplied, unmultiplied};
pub use plan::{Executor, Plan};
pub use planes::Alpha;
pub use race::{Lap, race};
pub use race_gpu::race_gpu;
pub use resized::Resized;
pub use rows::Bands;
pub use tiled::{Event, LEAST_TILE, Tiled, Tiling};
pub use upscale::{Error, OVERLAP, notice, upscale};
