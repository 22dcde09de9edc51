//! From a picture file to pixels, LR/HR pairs, patches and batches.
//!
//! A picture file becomes [`image::Rgb8`], or [`image::Picture`] with everything that an output file is to have;
//! [`pair::load`] makes or reads the LR picture of each HR picture, and [`store::Store`] keeps them for training;
//! [`patches::Sampler`] cuts the patches of a training step, and [`loader::Loader`] fills batches ahead of the trainer.
//! [`degrade::degrade`] makes an LR picture as a camera and its software would. [`check::Check`] looks at all pictures before
//! they are used.
//! The same files, settings and seed give the same numbers on every run, with any number of threads.
//!
//! Never: a network, a device, a metric.

pub mod cache;
pub mod check;
pub mod color;
pub mod degrade;
mod error;
pub mod folder;
pub mod image;
pub mod jitter;
pub mod loader;
pub mod pair;
pub mod patches;
pub mod random;
pub mod resample;
pub mod square;
pub mod store;
pub mod throughput;

pub use error::Error;
