//! What libtorch has and tch lacks, behind a safe interface: devices found at run time, optimisers with state that
//! we own, half precision, graphs and streams of a GPU, files mapped into memory, ranks that train together, TorchScript.
//!
//! Never: a neural network, a picture, what is in a file. It is the only crate with unsafe code and the only one with C++.

mod activation;
mod adam;
mod autocast;
mod constant;
mod convolution;
mod device;
mod ffi;
mod gradient;
mod graph;
mod layout;
mod map;
mod process_group;
mod random;
mod restore;
mod rmsprop;
mod script;
mod sgd;
mod stream;
mod winograd;

pub use activation::{leaky_relu, prelu};
pub use adam::{Adam, AdamConfig, ParameterState};
pub use autocast::autocast;
pub use constant::constant;
pub use convolution::{Convolution, add_rows, has_fused_convolutions, rectify};
pub use device::{DeviceError, has_bf16, parse_device, peak_memory, processor};
pub use ffi::{cpu_capability, keep_freed_memory, libtorch_version};
pub use gradient::{clamp_gradients, clip_gradient_norm, lerp, lerp_by, unscale_gradients};
pub use graph::{Graph, GraphError, caught};
pub use layout::{channels_last, lay_channels_last};
pub use map::MappedFile;
pub use process_group::{Peers, ProcessGroup, ProcessGroupError, Reducer, SynchronisedBatchNorm, batch_norm_group};
pub use random::{allow_tf32, generator_state, set_deterministic, set_generator_state};
pub use restore::RestoreError;
pub use rmsprop::{RmsProp, RmsPropConfig, RmsPropState};
pub use script::Script;
pub use sgd::{Sgd, SgdConfig};
pub use stream::{Mark, Stream, copy, host_like};
pub use winograd::Winograd;
