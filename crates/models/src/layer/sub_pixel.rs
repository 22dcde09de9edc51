use tch::Tensor;

use super::Conv2d;
use super::activation::recorded;
use crate::Path;
use crate::graph::{Op, noted};

/// A 3x3 convolution whose channels become squares of pixels (Shi et al., arXiv 1609.05158).
pub struct SubPixelConv2d {
    conv: Conv2d,
    factor: i64,
}

impl SubPixelConv2d {
    /// Registers the convolution, from `c_in` to `c_out * factor^2` channels, under `path`.
    pub fn new(path: Path, c_in: i64, c_out: i64, factor: i64) -> Self {
        SubPixelConv2d { conv: Conv2d::same(path, c_in, c_out * factor * factor, 3), factor }
    }

    /// `[N, c_in, h, w]` to `[N, c_out, h * factor, w * factor]`.
    pub fn forward(&self, xs: &Tensor) -> Tensor {
        pixel_shuffle(&self.conv.forward(xs), self.factor)
    }

    /// How far into the input an output pixel sees when `reach` pixels of the output around it count: the shuffle divides
    /// the distance, the convolution adds 1.
    pub fn radius(&self, reach: i64) -> i64 {
        (reach + self.factor - 1) / self.factor + 1
    }
}

/// `[N, C * factor^2, h, w]` to `[N, C, h * factor, w * factor]`.
fn pixel_shuffle(xs: &Tensor, factor: i64) -> Tensor {
    noted(Op::PixelShuffle(factor), &[xs], recorded("", "PixelShuffle", 0, xs.pixel_shuffle(factor)))
}

/// `[N, C, h * factor, w * factor]` to `[N, C * factor^2, h, w]`: the inverse of the shuffle.
pub fn pixel_unshuffle(xs: &Tensor, factor: i64) -> Tensor {
    noted(Op::PixelUnshuffle(factor), &[xs], xs.pixel_unshuffle(factor))
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;
    use crate::Store;

    #[test]
    fn shuffle_interleaves_channels() {
        // Channels 0..4 of one pixel become its 2x2 block, row by row.
        let block = pixel_shuffle(&Tensor::from_slice(&[0.0f32, 1.0, 2.0, 3.0]).view([1, 4, 1, 1]), 2);
        assert_eq!(block.size(), [1, 1, 2, 2]);
        assert_eq!(Vec::<f32>::try_from(block.view(-1)).unwrap(), [0.0, 1.0, 2.0, 3.0]);
    }

    #[test]
    fn each_channel_of_the_convolution_is_a_place_in_the_square() {
        // One pixel of 2; of each of the nine 3x3 kernels, which are full of 3, only the centre meets it: 6, plus the bias,
        // which is the place's number. Within 1 pixel of an output pixel lies 1 pixel of the input, and 1 around it.
        let store = Store::new(Device::Cpu);
        let layer = SubPixelConv2d::new(store.root(), 1, 1, 3);
        tch::no_grad(|| {
            let [mut weight, mut bias] = <[Tensor; 2]>::try_from(store.parameters()).unwrap();
            let _ = weight.fill_(3.0);
            bias.copy_(&Tensor::arange(9, (Kind::Float, Device::Cpu)));
        });
        let ys = layer.forward(&Tensor::full([1, 1, 1, 1], 2.0, (Kind::Float, Device::Cpu))).detach();
        let expected: Vec<f32> = (6u8..15).map(f32::from).collect();
        assert_eq!((ys.size(), Vec::<f32>::try_from(ys.view(-1)).unwrap()), (vec![1, 1, 3, 3], expected));
        assert_eq!((layer.radius(0), layer.radius(1), layer.radius(3), layer.radius(4)), (1, 2, 2, 3));
    }
}
