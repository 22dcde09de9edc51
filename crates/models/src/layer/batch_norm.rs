use tch::Tensor;

use super::{filled, sync_batch_norm};
use crate::Path;
use crate::graph::{self, Op};
use crate::summary::{self, Layer};

/// Share of the batch in the running statistics, PyTorch's default.
pub(super) const MOMENTUM: f64 = 0.1;
/// Added to the variance, PyTorch's default.
pub(super) const EPS: f64 = 1e-5;

/// Batch normalisation over N, H and W (Ioffe and Szegedy, arXiv 1502.03167).
pub struct BatchNorm2d {
    name: String,
    weight: Tensor,
    bias: Tensor,
    running_mean: Tensor,
    running_var: Tensor,
    num_batches_tracked: Tensor,
}

impl BatchNorm2d {
    /// Registers two parameters and three buffers under `path`; it starts as the identity in evaluation.
    pub fn new(path: Path, channels: i64) -> Self {
        let zeros = || filled(&[channels], Tensor::zero_);
        let ones = || filled(&[channels], |ones| ones.fill_(1.0));
        BatchNorm2d {
            name: path.name().to_string(),
            weight: path.parameter("weight", ones()),
            bias: path.parameter("bias", zeros()),
            running_mean: path.buffer("running_mean", zeros()),
            running_var: path.buffer("running_var", ones()),
            num_batches_tracked: path.buffer("num_batches_tracked", Tensor::from(0i64)),
        }
    }

    /// `[N, C, h, w]` to the same shape. With `train` it normalises by the batch and moves the running statistics, else it
    /// normalises by those. The batch is that of all ranks while the thread has an [`abbe_torch::SynchronisedBatchNorm`].
    pub fn forward(&self, xs: &Tensor, train: bool) -> Tensor {
        if train {
            let _ = self.num_batches_tracked.shallow_clone().g_add_scalar_(1);
        }
        let ys = match abbe_torch::batch_norm_group().filter(|_| train) {
            Some(group) => sync_batch_norm::forward(
                xs,
                [&self.weight, &self.bias],
                [&self.running_mean, &self.running_var],
                &group,
            ),
            None => xs.batch_norm(
                Some(&self.weight),
                Some(&self.bias),
                Some(&self.running_mean),
                Some(&self.running_var),
                train,
                MOMENTUM,
                EPS,
                true,
            ),
        };
        summary::record(|| Layer {
            name: self.name.clone(),
            kind: "BatchNorm2d",
            shape: ys.size(),
            parameters: self.weight.numel() + self.bias.numel(),
            multiply_adds: 0,
        });
        let tensors = [&self.weight, &self.bias, &self.running_mean, &self.running_var];
        graph::note(&self.name, Op::BatchNorm { eps: EPS }, &tensors, &[xs], &ys);
        ys
    }
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;
    use crate::Store;

    #[test]
    fn training_normalises_and_moves_the_statistics_evaluation_uses_them() {
        // 1 and 3: mean 2, biased variance 1 (normalises to -1, 1), unbiased variance 2.
        // Running mean 0.9 * 0 + 0.1 * 2 = 0.2, running variance 0.9 * 1 + 0.1 * 2 = 1.1.
        let store = Store::new(Device::Cpu);
        let bn = BatchNorm2d::new(store.root(), 1);
        let xs = Tensor::from_slice(&[1.0f32, 3.0]).view([1, 1, 1, 2]);
        let close = |ys: Tensor, expected: [f32; 2]| {
            let ys = Vec::<f32>::try_from(ys.detach().view(-1)).unwrap();
            assert!(ys.iter().zip(expected).all(|(y, e)| (y - e).abs() < 1e-4), "{ys:?}, expected {expected:?}");
        };
        close(bn.forward(&xs, true), [-1.0, 1.0]);
        assert!((bn.running_mean.double_value(&[0]) - 0.2).abs() < 1e-6);
        assert!((bn.running_var.double_value(&[0]) - 1.1).abs() < 1e-6);
        assert_eq!(bn.num_batches_tracked.int64_value(&[]), 1);
        // (1 - 0.2) / sqrt(1.1) = 0.76277 and (3 - 0.2) / sqrt(1.1) = 2.66970.
        close(bn.forward(&xs, false), [0.76277, 2.66970]);
        assert_eq!(bn.num_batches_tracked.int64_value(&[]), 1);
    }
}
