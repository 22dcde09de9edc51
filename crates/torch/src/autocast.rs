//! Mixed precision: inside, libtorch computes convolutions and matrix products in a shorter type and keeps sums, losses
//! and norms in float32 (PyTorch's `torch.autocast`).

use tch::{Device, Kind, TchError};

use crate::ffi;

/// What `work` computes with autocast to `kind`, [`Kind::BFloat16`] or [`Kind::Half`], on `device`; in full precision where it
/// is [`Kind::Float`]. Gradients are taken outside: they follow the types of the forward pass by themselves.
///
/// # Errors
/// What libtorch says of the device; another kind.
pub fn autocast<T>(device: Device, kind: Kind, work: impl FnOnce() -> T) -> Result<T, TchError> {
    let number = match kind {
        Kind::Float => return Ok(work()),
        Kind::Half => 5, // c10::ScalarType
        Kind::BFloat16 => 15,
        other => return Err(TchError::Kind(format!("autocast is to BFloat16 or Half, not to {other:?}"))),
    };
    let _region = Region { device, before: ffi::autocast_enter(device, number)? };
    Ok(work())
}

/// Sets autocast back when `work` is done, also by a panic.
struct Region {
    device: Device,
    before: ffi::Autocast,
}

impl Drop for Region {
    fn drop(&mut self) {
        let _ = ffi::autocast_exit(self.device, self.before); // what could be set can be set back
    }
}

#[cfg(test)]
mod tests {
    use tch::Tensor;

    use super::*;

    fn product() -> Tensor {
        let ones = Tensor::ones([2, 2], (Kind::Float, Device::Cpu));
        ones.matmul(&ones)
    }

    #[test]
    fn products_inside_are_short_and_those_outside_are_not() {
        let inside = autocast(Device::Cpu, Kind::BFloat16, || (product(), product().exp().sum(None::<Kind>))).unwrap();
        assert_eq!(inside.0.kind(), Kind::BFloat16);
        assert_eq!(product().kind(), Kind::Float);
        assert_eq!(autocast(Device::Cpu, Kind::Float, product).unwrap().kind(), Kind::Float);
        assert!(autocast(Device::Cpu, Kind::Int, product).is_err());
    }

    #[test]
    fn regions_nest_and_a_panic_ends_one() {
        let (inner, after) = autocast(Device::Cpu, Kind::BFloat16, || {
            (autocast(Device::Cpu, Kind::Half, || product().kind()).unwrap(), product().kind())
        })
        .unwrap();
        assert_eq!((inner, after), (Kind::Half, Kind::BFloat16));
        let ended = std::panic::catch_unwind(|| autocast(Device::Cpu, Kind::BFloat16, || panic!("on purpose")));
        assert!(ended.is_err());
        assert_eq!(product().kind(), Kind::Float);
    }

    #[test]
    fn a_weight_that_changed_is_converted_anew() {
        let weight = Tensor::ones([2, 2], (Kind::Float, Device::Cpu)).set_requires_grad(true);
        let sum = || autocast(Device::Cpu, Kind::BFloat16, || weight.matmul(&weight).double_value(&[0, 0])).unwrap();
        assert_eq!(sum(), 2.0);
        tch::no_grad(|| drop(weight.shallow_clone().fill_(2.0)));
        assert_eq!(sum(), 8.0);
    }
}
