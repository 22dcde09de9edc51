use tch::Tensor;

use super::{Conv2d, add, relu, scaled};
use crate::Path;

/// Two 3x3 convolutions without batch norm, whose output is added to the input (Lim et al., arXiv 1707.02921).
pub struct ResidualBlock {
    conv1: Conv2d,
    conv2: Conv2d,
    res_scale: f64,
}

impl ResidualBlock {
    /// Registers `conv1` and `conv2` under `path`; the output of `conv2` is multiplied by `res_scale`.
    pub fn new(path: Path, channels: i64, res_scale: f64) -> Self {
        let [conv1, conv2] = ["conv1", "conv2"].map(|name| Conv2d::same(&path / name, channels, channels, 3));
        ResidualBlock { conv1, conv2, res_scale }
    }

    /// `[N, channels, h, w]` to the same shape; it sees 2 pixels far.
    pub fn forward(&self, xs: &Tensor) -> Tensor {
        add(xs, &scaled(&self.conv2.forward(&relu(&self.conv1.forward(xs))), self.res_scale))
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;
    use crate::Store;

    #[test]
    fn a_tenth_of_the_residual_is_added() {
        // One pixel of 2; of each 3x3 kernel only the centre meets it. conv1: 2 * 3 = 6. conv2: 6 * 3 + 2 = 20. 2 + 0.1 * 20.
        let store = Store::new(Device::Cpu);
        let block = ResidualBlock::new(store.root(), 1, 0.1);
        for (mut parameter, value) in store.parameters().into_iter().zip([3.0, 0.0, 3.0, 2.0]) {
            let _ = tch::no_grad(|| parameter.fill_(value));
        }
        let ys = block.forward(&Tensor::full([1, 1, 1, 1], 2.0, (Kind::Float, Device::Cpu)));
        assert!((ys.double_value(&[0, 0, 0, 0]) - 4.0).abs() < 1e-6);
    }
}
