use tch::{Device, Kind, Tensor};

use crate::Path;
use crate::summary::{self, Layer};

/// A leaky rectifier whose slope is learnt, one for all channels or one for each (He et al., arXiv 1502.01852).
pub struct PRelu {
    name: String,
    weight: Tensor,
}

impl PRelu {
    /// Registers `weight` of shape `[1]`, 0.25 at first.
    pub fn new(path: Path) -> Self {
        PRelu::per_channel(path, 1)
    }

    /// Registers `weight` of shape `[channels]`, 0.25 at first.
    pub fn per_channel(path: Path, channels: i64) -> Self {
        let slope = Tensor::full([channels], 0.25, (Kind::Float, Device::Cpu));
        PRelu { name: path.name().to_string(), weight: path.parameter("weight", slope) }
    }

    /// x where x is above 0, else slope * x. Any shape; with slopes per channel `[N, channels, ..]`.
    pub fn forward(&self, xs: &Tensor) -> Tensor {
        recorded(&self.name, "PReLU", self.weight.numel(), xs.prelu(&self.weight))
    }
}

/// max(x, 0). Any shape.
pub fn relu(xs: &Tensor) -> Tensor {
    recorded("", "ReLU", 0, xs.relu())
}

/// x where x is above 0, else `slope` * x. Any shape.
pub fn leaky_relu(xs: &Tensor, slope: f64) -> Tensor {
    // tch's own leaky_relu has no slope; a PReLU with a constant weight is the same function with the same gradient.
    let slope = Tensor::full([1], slope, (xs.kind(), xs.device()));
    recorded("", "LeakyReLU", 0, xs.prelu(&slope))
}

/// The largest of each 2x2 block: `[N, C, h, w]` to `[N, C, h / 2, w / 2]`, rounded down.
pub fn max_pool(xs: &Tensor) -> Tensor {
    recorded("", "MaxPool2d", 0, xs.max_pool2d([2, 2], [2, 2], [0, 0], [1, 1], false))
}

/// `[N, C * factor^2, h, w]` to `[N, C, h * factor, w * factor]` (Shi et al., arXiv 1609.05158).
pub fn pixel_shuffle(xs: &Tensor, factor: i64) -> Tensor {
    recorded("", "PixelShuffle", 0, xs.pixel_shuffle(factor))
}

/// Tells the running summary of a layer without multiply-adds.
pub(super) fn recorded(name: &str, kind: &'static str, parameters: usize, ys: Tensor) -> Tensor {
    summary::record(|| Layer { name: name.to_string(), kind, shape: ys.size(), parameters, multiply_adds: 0 });
    ys
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Store;

    fn values(ys: Tensor) -> Vec<f32> {
        Vec::<f32>::try_from(ys.detach().reshape(-1)).unwrap()
    }

    #[test]
    fn slopes_below_zero() {
        let xs = Tensor::from_slice(&[-4.0f32, 0.0, 2.0]);
        let store = Store::new(Device::Cpu);
        assert_eq!(values(PRelu::new(store.root()).forward(&xs)), [-1.0, 0.0, 2.0]);
        assert_eq!(values(leaky_relu(&xs, 0.2)), [-0.8, 0.0, 2.0]);
        assert_eq!(values(relu(&xs)), [0.0, 0.0, 2.0]);
        let each = PRelu::per_channel(&store.root() / "each", 2);
        tch::no_grad(|| each.weight.shallow_clone().copy_(&Tensor::from_slice(&[0.5f32, 2.0])));
        assert_eq!(values(each.forward(&Tensor::from_slice(&[-4.0f32, -1.0]).view([1, 2]))), [-2.0, -2.0]);
    }

    #[test]
    fn shuffle_interleaves_channels_and_pool_takes_the_largest() {
        // Channels 0..4 of one pixel become its 2x2 block, row by row; its largest is the last.
        let block = pixel_shuffle(&Tensor::from_slice(&[0.0f32, 1.0, 2.0, 3.0]).view([1, 4, 1, 1]), 2);
        assert_eq!(block.size(), [1, 1, 2, 2]);
        assert_eq!(values(block.shallow_clone()), [0.0, 1.0, 2.0, 3.0]);
        assert_eq!(values(max_pool(&block)), [3.0]);
    }
}
