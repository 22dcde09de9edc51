//! What the numbers are computed with.

use abbe_torch::{cpu_capability, libtorch_version, processor};
use serde::Serialize;
use tch::Device;

use crate::check::named;

/// A machine and the libraries on it.
#[derive(Debug, Clone, Serialize)]
pub struct Machine {
    /// Version of Abbe.
    pub abbe: &'static str,
    /// Version of libtorch.
    pub libtorch: String,
    /// The processor's name, where the system tells it.
    pub processor: Option<String>,
    /// The vector instructions that libtorch uses, such as `AVX2`.
    pub instructions: String,
    /// Threads of libtorch.
    pub threads: i32,
    /// Where networks run: `cpu`, `cuda:0`, ...
    pub device: String,
    /// The GPU's name.
    pub gpu: Option<String>,
    /// Version of cuDNN, where a GPU is used: 91002 is 9.10.2.
    pub cudnn: Option<i64>,
}

impl Machine {
    /// This machine, with networks on `device`.
    pub fn with(device: Device) -> Self {
        let on_gpu = device.is_cuda();
        Machine {
            abbe: env!("CARGO_PKG_VERSION"),
            libtorch: libtorch_version(),
            processor: processor(Device::Cpu),
            instructions: cpu_capability(),
            threads: tch::get_num_threads(),
            device: named(device),
            gpu: processor(device).filter(|_| on_gpu),
            cudnn: on_gpu.then(tch::utils::version_cudnn),
        }
    }
}
