//! Tensors of libtorch to and from those of a checkpoint.

use abbe_checkpoint::{Dtype, Tensor as Saved};
use tch::{Device, Kind, Tensor};

/// A copy of a float32 or int64 tensor, on any device. Networks and optimisers hold nothing else.
///
/// # Panics
/// For a tensor of another type.
pub fn to_checkpoint(tensor: &Tensor) -> Saved {
    let shape = shape(tensor);
    let flat = tensor.detach().to_device(Device::Cpu).contiguous().view(-1);
    let count = flat.numel();
    if flat.kind() == Kind::Int64 {
        let mut values = vec![0i64; count];
        flat.copy_data(&mut values, count);
        Saved::from_i64(&shape, &values)
    } else {
        let mut values = vec![0f32; count];
        flat.copy_data(&mut values, count);
        Saved::from_f32(&shape, &values)
    }
}

/// A copy on the CPU: int64 if `kind` is, else float32, to which the other floating-point types are rounded.
///
/// # Errors
/// [`abbe_checkpoint::Error::Convert`] for floating point where integers are wanted, and the reverse.
pub fn from_checkpoint(saved: &Saved, kind: Kind) -> Result<Tensor, abbe_checkpoint::Error> {
    let shape: Vec<i64> = saved.shape().iter().map(|side| *side as i64).collect();
    let flat = match kind {
        Kind::Int64 => Tensor::from_slice(&saved.to_i64()?),
        _ => Tensor::from_slice(&saved.to_f32()?),
    };
    Ok(flat.view(&shape[..]))
}

/// Whether `from_checkpoint` reads `dtype` as `kind`.
pub(crate) fn converts(dtype: Dtype, kind: Kind) -> bool {
    !dtype.is_complex() && dtype.is_float() == (kind == Kind::Float)
}

/// Shapes in the checkpoint's type.
pub(crate) fn shape(tensor: &Tensor) -> Vec<usize> {
    tensor.size().iter().map(|side| *side as usize).collect()
}
