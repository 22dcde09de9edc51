//! Half precision where PyTorch's autocast has it: convolutions and products in a narrower type, the rest in float32.

use tch::Device;

use crate::ffi;

/// A 16-bit type of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Half {
    /// float16: 10 bits of mantissa, at most 65504.
    F16,
    /// bfloat16: 7 bits of mantissa, float32's range.
    Bf16,
}

/// Does `work` on this thread with autocast to `half` on `device`, as PyTorch's `torch.autocast` does it: weights stay as
/// they are and are cast as they are used. Not to be nested.
pub fn autocast<T>(device: Device, half: Half, work: impl FnOnce() -> T) -> T {
    /// Ends it after a panic too.
    struct Running(bool);
    impl Drop for Running {
        fn drop(&mut self) {
            ffi::end_autocast(self.0);
        }
    }
    ffi::begin_autocast(device.is_cuda(), half == Half::Bf16);
    let _running = Running(device.is_cuda());
    work()
}

#[cfg(test)]
mod tests {
    use tch::{Kind, Tensor};

    use super::*;

    #[test]
    fn products_are_half_inside_and_float_outside() {
        let ones = Tensor::ones([2, 2], (Kind::Float, Device::Cpu));
        let product = || ones.matmul(&ones).kind();
        assert_eq!(autocast(Device::Cpu, Half::Bf16, product), Kind::BFloat16);
        assert_eq!(autocast(Device::Cpu, Half::F16, product), Kind::Half);
        assert_eq!(product(), Kind::Float);
    }
}
