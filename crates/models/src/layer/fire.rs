use tch::Tensor;

use super::{Conv2d, relu};
use crate::Path;

/// SqueezeNet's module (Iandola et al., arXiv 1602.07360): few channels, out of which 1x1 and 3x3 convolutions make many.
pub struct Fire {
    squeeze: Conv2d,
    expand1x1: Conv2d,
    expand3x3: Conv2d,
}

impl Fire {
    /// Registers the convolutions `squeeze`, `expand1x1` and `expand3x3` under `path`: from `c_in` channels to `squeeze`, and
    /// from those to `expand` each.
    pub fn new(path: Path, c_in: i64, squeeze: i64, expand: i64) -> Self {
        Fire {
            squeeze: Conv2d::same(&path / "squeeze", c_in, squeeze, 1).he_uniform(),
            expand1x1: Conv2d::same(&path / "expand1x1", squeeze, expand, 1).he_uniform(),
            expand3x3: Conv2d::same(&path / "expand3x3", squeeze, expand, 3).he_uniform(),
        }
    }

    /// `[N, c_in, h, w]` to `[N, 2 * expand, h, w]`.
    pub fn forward(&self, xs: &Tensor) -> Tensor {
        let xs = relu(&self.squeeze.forward(xs));
        Tensor::cat(&[relu(&self.expand1x1.forward(&xs)), relu(&self.expand3x3.forward(&xs))], 1)
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;
    use crate::Store;

    #[test]
    fn three_convolutions_with_rectifiers() {
        // Two ones are squeezed to 1 + 1 = 2 (weights 1); alone in its picture each 3x3 kernel sees one pixel: both
        // expansions give 2 times 1 or 2 times -1, which the rectifier cuts. Channels: 1x1 (1, -1), 3x3 (1, -1).
        let store = Store::new(Device::Cpu);
        let mut fire = Fire::new(store.root(), 2, 1, 2);
        let _ = tch::no_grad(|| fire.squeeze.weight.fill_(1.0));
        for conv in [&mut fire.expand1x1, &mut fire.expand3x3] {
            let _ = tch::no_grad(|| conv.weight.fill_(1.0).select(0, 1).fill_(-1.0));
        }
        let ys = fire.forward(&Tensor::ones([1, 2, 1, 1], (Kind::Float, Device::Cpu)));
        assert_eq!(ys.size(), [1, 4, 1, 1]);
        assert_eq!(Vec::<f32>::try_from(ys.detach().view(-1)).unwrap(), [2.0, 0.0, 2.0, 0.0]);
    }
}
