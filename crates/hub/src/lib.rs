//! From a name to files on this machine: catalogue, downloads, archives, Parquet shards.
//!
//! A [`Catalogue`] says what a name stands for. [`fetch`] brings one [`Part`] of it here: an archive is unpacked, the image
//! columns of a Parquet table become picture files, weights go where PyTorch looks for them, and what came from the
//! Hugging Face hub stays in the hub's cache. [`dataset`] finds the folders of what was fetched. [`Places`] says where all
//! that is; it alone reads the environment, but for the variables of proxies.
//!
//! Every file and folder appears under its name when it is whole, and never before.
//!
//! Never: pixels, weights, a tensor, an address that is not in a catalogue.

mod catalogue;
mod client;
mod digest;
mod download;
mod error;
mod event;
mod fetch;
mod places;
mod repository;
mod resolve;
mod shards;
mod unpack;

pub use catalogue::{Catalogue, Dataset, Form, Part, Source};
pub use error::Error;
pub use event::{Event, Observer};
pub use fetch::{Fetched, fetch};
pub use places::Places;
pub use resolve::{Folders, dataset};
