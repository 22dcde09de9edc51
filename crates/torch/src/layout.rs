//! The order in which a tensor's numbers lie in memory.

use tch::Tensor;

/// A copy of `[N, C, H, W]` whose channels lie next to each other, pixel after pixel (PyTorch's `channels_last`). What it
/// says is unchanged; convolutions of it are faster, and give results in the same order.
pub fn channels_last(pictures: &Tensor) -> Tensor {
    pictures.permute([0, 2, 3, 1]).contiguous().permute([0, 3, 1, 2])
}

/// Puts the numbers of all weights `[O, C, H, W]` among `parameters` into that order, without a change of what they say:
/// convolutions of pictures that are in it then need no copy of them. What shares a parameter sees it too. Those that are in it
/// already stay where they lie, which a [`Graph`](crate::Graph) counts on.
pub fn lay_channels_last(parameters: &[Tensor]) {
    for parameter in parameters.iter().filter(|parameter| parameter.dim() == 4) {
        parameter.shallow_clone().set_data(&channels_last(&parameter.detach()));
    }
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

    #[test]
    fn weights_are_reordered_for_all_who_share_them() {
        let weight =
            Tensor::arange(24, (tch::Kind::Float, tch::Device::Cpu)).view([1, 2, 3, 4]).set_requires_grad(true);
        let (shared, bias) = (weight.shallow_clone(), Tensor::from_slice(&[1f32]));
        let again = weight.shallow_clone();
        let before = weight.detach().copy();
        lay_channels_last(&[weight, bias.shallow_clone()]);
        assert_eq!((shared.detach(), shared.stride()), (before, vec![24, 1, 8, 2]));
        assert!(shared.requires_grad() && bias.stride() == [1]);
        let place = shared.data_ptr();
        lay_channels_last(&[again]);
        assert_eq!(shared.data_ptr(), place);
    }
}
