//! Constants, kept where they are used.

use std::cell::RefCell;
use std::collections::HashMap;

use tch::{Device, Kind, Tensor};

/// The bits of values, their kind and where they are.
type Key = (Vec<u64>, Kind, Device);

thread_local! {
    static KEPT: RefCell<HashMap<Key, Tensor>> = RefCell::default();
}

/// `values` as a tensor of `shape`, which nobody may write to. This thread copies them to the device once and keeps them there:
/// while a CUDA graph is captured nothing can be copied from the host.
///
/// # Panics
/// If `shape` has another number of elements; when memory runs out.
pub fn constant(values: &[f64], shape: &[i64], (kind, device): (Kind, Device)) -> Tensor {
    let key = (values.iter().map(|value| value.to_bits()).collect(), kind, device);
    let made = || Tensor::from_slice(values).to_kind(kind).to_device(device);
    KEPT.with_borrow_mut(|kept| kept.entry(key).or_insert_with(made).view(shape))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_values_lie_in_the_same_memory_and_others_elsewhere() {
        let [first, again, half, other] =
            [(0.5, Kind::Float), (0.5, Kind::Float), (0.5, Kind::Half), (-0.5, Kind::Float)]
                .map(|(value, kind)| constant(&[value, 3.0], &[1, 2], (kind, Device::Cpu)));
        assert_eq!((first.size(), first.kind(), half.kind()), (vec![1, 2], Kind::Float, Kind::Half));
        assert_eq!(first.data_ptr(), again.data_ptr());
        assert!(first.data_ptr() != half.data_ptr() && first.data_ptr() != other.data_ptr());
        assert_eq!(Vec::<f32>::try_from(other.view(-1)).unwrap(), [-0.5, 3.0]);
    }
}
