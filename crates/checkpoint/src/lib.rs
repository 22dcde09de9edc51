//! PyTorch checkpoints (`.pth`, zip and legacy) and safetensors to and from plain values, without libtorch and without
//! running anything.
//!
//! Never: executes what a file asks for, knows a network, converts a number silently.
//!
//! Reading is an interpreter over inert values with a fixed list of constructors; every length, offset and count in a
//! file is checked before it is used, and memory stays near the file's size. Writing gives files that
//! `torch.load(path, weights_only=True)` reads, with `mmap=True` too; they are whole or not there.

mod archive;
mod container;
mod cursor;
mod dtype;
mod error;
mod float8;
mod legacy;
mod module;
mod optim;
mod pickle;
mod read;
mod safetensors;
mod save;
mod state_dict;
mod tar;
mod tensor;
mod value;
mod zip;

pub use container::Container;
pub use dtype::Dtype;
pub use error::Error;
pub use module::module_state_dict;
pub use optim::{Adam, AdamGroup, AdamState, Sgd, SgdGroup, TrainingState, multi_step_restart, optimizer_name};
pub use read::{Checkpoint, inspect, inspect_bytes, open, open_bytes, read};
pub use save::{WriteOptions, save_state_dict, write};
pub use state_dict::{StateDict, state_dict_of, wrapped};
pub use tensor::Tensor;
pub use value::{Opaque, Value};

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
