//! The order in which a tensor's numbers lie in memory.

use tch::Tensor;

/// A copy of `[N, C, H, W]` whose channels lie next to each other, pixel after pixel (PyTorch's `channels_last`). What it
/// says is unchanged; convolutions of it are faster, and give results in the same order.
pub fn channels_last(pictures: &Tensor) -> Tensor {
    pictures.permute([0, 2, 3, 1]).contiguous().permute([0, 3, 1, 2])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stay_and_channels_become_neighbours() {
        let pictures = Tensor::arange(24, (tch::Kind::Float, tch::Device::Cpu)).view([1, 2, 3, 4]);
        let reordered = channels_last(&pictures);
        assert_eq!(reordered, pictures);
        // PyTorch's channels_last strides of [N, C, H, W] are [C * H * W, 1, W * C, C].
        assert_eq!(reordered.stride(), [24, 1, 8, 2]);
    }
}
