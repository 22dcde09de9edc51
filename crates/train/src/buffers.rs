//! What a forward pass changes in a network beside its gradient: the statistics of batch norm, the vectors of spectral norm.

use abbe_models::Store;
use abbe_torch::ProcessGroup;
use anyhow::Result;
use tch::{Kind, Tensor};

/// Buffers of networks as they were before a step. A step that is left out must leave them so too: one batch that is not
/// finite would stay in running means for good, where training does not see it and every use of the network does.
pub(crate) struct Buffers(Vec<(Tensor, Tensor)>);

impl Buffers {
    /// Copies the buffers of these networks.
    pub(crate) fn of<'a>(stores: impl IntoIterator<Item = &'a Store>) -> Self {
        let buffers = stores.into_iter().flat_map(Store::buffers);
        Buffers(buffers.map(|buffer| (buffer.copy(), buffer)).collect())
    }

    /// Puts them back, where they lie in memory.
    pub(crate) fn restore(mut self) {
        tch::no_grad(|| self.0.iter_mut().for_each(|(kept, buffer)| buffer.copy_(kept)));
    }

    /// The same where the scalar `left_out` is 1 and not 0, which the device alone looks at.
    pub(crate) fn restore_if(mut self, left_out: &Tensor) {
        let left_out = left_out.to_kind(Kind::Bool);
        tch::no_grad(|| self.0.iter_mut().for_each(|(kept, buffer)| buffer.copy_(&kept.where_self(&left_out, buffer))));
    }
}

/// Gives every rank the buffers of the first, as PyTorch's `DistributedDataParallel` does before a forward pass
/// (`broadcast_buffers`): those of batch norm follow each rank's own pictures where they are not synchronised, and the first
/// rank's are the ones that are kept.
///
/// # Errors
/// A lost rank.
pub(crate) fn share<'a>(group: &ProcessGroup, stores: impl IntoIterator<Item = &'a Store>) -> Result<()> {
    let buffers: Vec<Tensor> = stores.into_iter().flat_map(Store::buffers).collect();
    if !buffers.is_empty() {
        group.broadcast(&buffers)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    #[test]
    fn buffers_come_back_and_parameters_stay_as_they_became() {
        let store = Store::new(Device::Cpu);
        let mut mean = store.root().buffer("mean", Tensor::from_slice(&[1.0f32, 2.0]));
        let mut weight = store.root().parameter("weight", Tensor::from_slice(&[3.0f32]));
        let spoil = |tensor: &mut Tensor| drop(tch::no_grad(|| tensor.fill_(f64::NAN)));
        let kept = Buffers::of([&store]);
        [&mut mean, &mut weight].into_iter().for_each(spoil);
        kept.restore();
        assert_eq!(mean, Tensor::from_slice(&[1.0f32, 2.0]));
        assert!(weight.isnan().all().int64_value(&[]) == 1);
        for (left_out, stays) in [(1f32, true), (0.0, false)] {
            let kept = Buffers::of([&store]);
            spoil(&mut mean);
            kept.restore_if(&Tensor::from(left_out));
            assert_eq!(mean == Tensor::from_slice(&[1.0f32, 2.0]), stays);
        }
    }
}
