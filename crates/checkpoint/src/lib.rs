//! PyTorch checkpoints (`.pth`, zip and legacy) and safetensors to and from plain values, without libtorch and without
//! running anything.
//!
//! Never: executes what a file asks for, knows a network, converts a number silently.
//!
//! Reading is an interpreter over inert values with a fixed list of constructors; every length, offset and count in a
//! file is checked before it is used, and memory stays near the file's size. Writing gives files that
//! `torch.load(path, weights_only=True)` reads, with `mmap=True` too; they are whole or not there.
//!
//! From bytes to a value, one function per step: `read::container` tells the container by the first bytes; `archive::read`
//! (over `zip::Archive`), `legacy::read`, `tar::read` or `safetensors::read` finds the pickle and the storages in it;
//! `pickle::run` interprets the pickle, opcode by opcode (`Machine::step`), into a graph of inert nodes: `Machine::global`
//! admits names, `Machine::call` makes what they stand for, `Machine::tensor` checks each tensor against its storage.
//! `Graph::into_value` turns the graph and the storages into a bounded tree, the [`Value`].
//!
//! And back: [`write()`] opens a sibling of the file; `save::archive::write`, `save::legacy::write` or
//! `save::safetensors::write` fills it; `pickle::write::write` pickles the value, and interprets the pickle once more, so that
//! no file is written that could not be read.
//!
//! Left out on the way: the attributes of tensors and of an `OrderedDict`. PyTorch's `_metadata` (versions of modules, for
//! files older than a module's present form) is one of these; `load_state_dict` takes a state dict without it when it has
//! all of the module's keys.

mod archive;
mod cast;
mod compare;
mod container;
mod cursor;
mod digest;
mod dtype;
mod error;
mod float8;
mod legacy;
mod mix;
mod module;
mod number;
mod optim;
mod pickle;
mod read;
mod safetensors;
mod save;
mod source;
mod state_dict;
mod stats;
mod tar;
mod tensor;
mod value;
mod zip;

pub use cast::{Loss, cast};
pub use compare::{Comparison, Difference, Unlike, compare};
pub use container::Container;
pub use digest::sha256;
pub use dtype::Dtype;
pub use error::Error;
pub use mix::{Mixed, mix};
pub use module::module_state_dict;
pub use optim::{
    Adam, AdamGroup, AdamState, RmsProp, RmsPropGroup, RmsPropState, Sgd, SgdGroup, TrainingState, multi_step_restart,
    optimizer_name,
};
pub use read::{Checkpoint, container_of, inspect, inspect_bytes, open, open_bytes, read};
pub use save::{WriteOptions, save_state_dict, write, write_verified};
pub use state_dict::{StateDict, Unwrapped, state_dict_of, unwrap, wrapped};
pub use stats::Stats;
pub use tensor::Tensor;
pub use value::{Opaque, Value};

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
