//! Which device a name means. libtorch_cuda is loaded when a GPU is first asked for, so one binary serves every machine.

use std::ffi::{CStr, c_char, c_int};

use tch::Device;

use crate::ffi;

/// Why a device cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// The name is none of `cpu`, `cuda`, `cuda:N`.
    #[error("no device is called `{0}`: use `cpu`, `cuda` or `cuda:N` (N counts from 0)")]
    Unknown(String),
    /// The libtorch at hand has no CUDA part, or its CUDA libraries do not load.
    #[error(
        "`{0}` was asked for, but libtorch's CUDA part does not load here ({1}): use `--device cpu`, or a libtorch with CUDA"
    )]
    NoCuda(String, String),
    /// libtorch has CUDA, the machine has no GPU that it can use.
    #[error(
        "`{0}` was asked for, but no usable NVIDIA GPU is on this machine (driver missing or too old?): use `--device cpu`"
    )]
    NoGpu(String),
    /// `cuda:N` with N past the last GPU.
    #[error("`{0}` was asked for, but this machine has {1} GPU(s), numbered from 0")]
    NoSuchGpu(String, i64),
}

/// The device that `name` means: `cpu`, `cuda` (the first GPU) or `cuda:N`.
///
/// # Errors
/// When the name is unknown, when CUDA does not load, or when that GPU is not there.
pub fn parse_device(name: &str) -> Result<Device, DeviceError> {
    let index = match name.split_once(':') {
        None if name == "cpu" => return Ok(Device::Cpu),
        None if name == "cuda" => 0,
        Some(("cuda", number)) => number.parse::<usize>().map_err(|_| DeviceError::Unknown(name.into()))?,
        _ => return Err(DeviceError::Unknown(name.into())),
    };
    load_cuda().map_err(|error| DeviceError::NoCuda(name.into(), error))?;
    match tch::Cuda::device_count() {
        count if count <= 0 || !tch::Cuda::is_available() => Err(DeviceError::NoGpu(name.into())),
        count if index as i64 >= count => Err(DeviceError::NoSuchGpu(name.into(), count)),
        _ => Ok(Device::Cuda(index)),
    }
}

/// Loads libtorch_cuda into this process, where it registers its kernels with libtorch. The linker leaves it out of the
/// binary because nothing in it is called by name.
#[allow(unsafe_code)]
fn load_cuda() -> Result<(), String> {
    // SAFETY: the library's initialisers only register libtorch's own CUDA kernels.
    let library = unsafe { libloading::Library::new("libtorch_cuda.so") }.map_err(|error| error.to_string())?;
    // Kernels stay registered for the life of the process, so the library must stay loaded too.
    std::mem::forget(library);
    Ok(())
}

/// The name of the processor or GPU behind a device, as its maker gives it; none where the system does not tell.
pub fn processor(device: Device) -> Option<String> {
    match device {
        Device::Cuda(index) => gpu(index),
        _ => {
            let known = std::fs::read_to_string("/proc/cpuinfo").ok()?;
            let name = known.lines().find_map(|line| line.strip_prefix("model name"))?;
            Some(name.trim_start_matches([' ', '\t', ':']).to_owned())
        }
    }
}

/// Whether a device multiplies in bfloat16 by instructions of its own: processors with AVX-512 BF16, NVIDIA's GPUs from
/// compute capability 8.0 on.
pub fn has_bf16(device: Device) -> bool {
    match device {
        Device::Cuda(index) => major_capability(index).is_some_and(|major| major >= 8),
        #[cfg(target_arch = "x86_64")]
        _ => std::arch::is_x86_feature_detected!("avx512bf16"),
        #[cfg(not(target_arch = "x86_64"))]
        _ => false,
    }
}

/// The most bytes that the tensors of a GPU ever took at once, as libtorch's allocator counts them (PyTorch's
/// `torch.cuda.max_memory_allocated`); none for the CPU, whose allocator does not count.
pub fn peak_memory(device: Device) -> Option<u64> {
    match device {
        Device::Cuda(index) => ffi::peak_memory(index).ok(),
        _ => None,
    }
}

/// The first number of a GPU's compute capability; none where the driver does not tell.
#[allow(unsafe_code)]
fn major_capability(index: usize) -> Option<c_int> {
    type Get = unsafe extern "C" fn(*mut c_int, c_int) -> c_int;
    type GetAttribute = unsafe extern "C" fn(*mut c_int, c_int, c_int) -> c_int;
    const COMPUTE_CAPABILITY_MAJOR: c_int = 75; // CUdevice_attribute
    let (mut major, mut device) = (0, 0);
    // SAFETY: the two functions of CUDA's driver have these types, and write one number each.
    unsafe {
        let driver = libloading::Library::new("libcuda.so.1").ok()?;
        let get: libloading::Symbol<Get> = driver.get(b"cuDeviceGet\0").ok()?;
        let attribute: libloading::Symbol<GetAttribute> = driver.get(b"cuDeviceGetAttribute\0").ok()?;
        let failed =
            get(&mut device, index as c_int) != 0 || attribute(&mut major, COMPUTE_CAPABILITY_MAJOR, device) != 0;
        (!failed).then_some(major)
    }
}

/// The name that the driver has for a GPU, numbered as libtorch does it.
#[allow(unsafe_code)]
fn gpu(index: usize) -> Option<String> {
    type Get = unsafe extern "C" fn(*mut c_int, c_int) -> c_int;
    type GetName = unsafe extern "C" fn(*mut c_char, c_int, c_int) -> c_int;
    let (mut name, mut device) = ([0 as c_char; 256], 0);
    // SAFETY: the two functions of CUDA's driver have these types; they write one number, and a text that ends within the
    // 256 bytes that they are told of.
    unsafe {
        let driver = libloading::Library::new("libcuda.so.1").ok()?;
        let get: libloading::Symbol<Get> = driver.get(b"cuDeviceGet\0").ok()?;
        let get_name: libloading::Symbol<GetName> = driver.get(b"cuDeviceGetName\0").ok()?;
        if get(&mut device, index as c_int) != 0 || get_name(name.as_mut_ptr(), 256, device) != 0 {
            return None;
        }
        Some(CStr::from_ptr(name.as_ptr()).to_string_lossy().into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert_eq!(parse_device("cpu").unwrap(), Device::Cpu);
        for wrong in ["", "gpu", "cuda:", "cuda:x", "cuda:-1", "cpu:0"] {
            assert!(matches!(parse_device(wrong), Err(DeviceError::Unknown(_))), "{wrong}");
        }
    }

    #[test]
    fn a_gpu_is_there_or_its_absence_is_explained() {
        match parse_device("cuda") {
            Ok(device) => {
                assert_eq!(device, Device::Cuda(0));
                let before = peak_memory(device).unwrap();
                let tensor = tch::Tensor::zeros([1 << 20], (tch::Kind::Float, device));
                assert!(peak_memory(device).unwrap() >= before.max(4 << 20), "{tensor:?}");
            }
            Err(error) => assert!(error.to_string().contains("--device cpu"), "{error}"),
        }
    }
}
