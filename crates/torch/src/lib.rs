//! What libtorch has and tch lacks, behind a safe interface: devices found at run time, optimisers with state that
//! we own, half precision, files mapped into memory.
//!
//! Never: a network, a picture, what is in a file. It is the only crate with unsafe code and the only one with C++.

mod adam;
mod autocast;
mod device;
mod ffi;
mod layout;
mod map;
mod restore;
mod sgd;

pub use adam::{Adam, AdamConfig, ParameterState};
pub use autocast::{Half, autocast};
pub use device::{DeviceError, parse_device, processor};
pub use ffi::{allow_tf32, cpu_capability, libtorch_version};
pub use layout::channels_last;
pub use map::MappedFile;
pub use restore::RestoreError;
pub use sgd::{Sgd, SgdConfig};
