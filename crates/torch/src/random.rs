//! libtorch's own random numbers, and algorithms without chance.

use tch::{Device, TchError, Tensor};

use crate::ffi;

/// The state of libtorch's random numbers on `device`: bytes, on the CPU, as `torch.get_rng_state` gives them.
///
/// # Errors
/// What libtorch says of the device.
pub fn generator_state(device: Device) -> Result<Tensor, TchError> {
    ffi::generator_state(device)
}

/// Puts back a state that [`generator_state`] gave for such a device.
///
/// # Errors
/// What libtorch says of another kind of state; then nothing has changed.
pub fn set_generator_state(device: Device, state: &Tensor) -> Result<(), TchError> {
    ffi::set_generator_state(device, state)
}

/// Asks for algorithms that give the same bits in every run; an operation that has none fails. It is for the whole process.
///
/// # Errors
/// What libtorch says.
pub fn set_deterministic(on: bool) -> Result<(), TchError> {
    ffi::deterministic(on)
}

/// Whether products of float32 on a GPU may round their factors to TensorFloat-32 (10 bits of mantissa). It is for the whole
/// process.
///
/// # Errors
/// What libtorch says.
pub fn allow_tf32(on: bool) -> Result<(), TchError> {
    ffi::allow_tf32(on)
}

#[cfg(test)]
mod tests {
    use tch::Kind;

    use super::*;

    #[test]
    fn a_state_put_back_gives_the_same_numbers_again() {
        let draw = || Tensor::rand([5], (Kind::Float, Device::Cpu));
        let state = generator_state(Device::Cpu).unwrap();
        let first = draw();
        assert_ne!(draw(), first);
        set_generator_state(Device::Cpu, &state).unwrap();
        assert_eq!(draw(), first);
        assert!(set_generator_state(Device::Cpu, &Tensor::from_slice(&[1u8, 2])).is_err());
    }
}
