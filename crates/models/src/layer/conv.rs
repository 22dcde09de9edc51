use tch::Tensor;

use super::uniform;
use crate::Path;
use crate::summary::{self, Layer};

/// A two-dimensional convolution with a square kernel, padded by half the kernel unless said: at stride 1 the size is kept.
pub struct Conv2d {
    name: String,
    pub(super) config: ConvConfig,
    padding: i64,
    /// `[c_out, c_in, kernel, kernel]`.
    pub weight: Tensor,
    /// `[c_out]`.
    pub bias: Option<Tensor>,
}

/// The shape of a convolution.
#[derive(Debug, Clone, Copy)]
pub struct ConvConfig {
    /// Channels in.
    pub c_in: i64,
    /// Channels out.
    pub c_out: i64,
    /// Side of the kernel, odd.
    pub kernel: i64,
    /// Step between output pixels.
    pub stride: i64,
    /// Whether a bias is added.
    pub bias: bool,
}

impl ConvConfig {
    /// A convolution without bias: batch norm follows, which has one.
    pub const fn unbiased(c_in: i64, c_out: i64, kernel: i64, stride: i64) -> Self {
        ConvConfig { c_in, c_out, kernel, stride, bias: false }
    }
}

impl Conv2d {
    /// Registers `weight` and, if asked for, `bias` under `path`.
    pub fn new(path: Path, config: ConvConfig) -> Self {
        let ConvConfig { c_in, c_out, kernel, bias, .. } = config;
        let fan_in = c_in * kernel * kernel;
        let weight = path.parameter("weight", uniform(&[c_out, c_in, kernel, kernel], fan_in));
        let bias = bias.then(|| path.parameter("bias", uniform(&[c_out], fan_in)));
        Conv2d { name: path.name().to_string(), config, padding: kernel / 2, weight, bias }
    }

    /// A convolution with bias that keeps the size.
    pub fn same(path: Path, c_in: i64, c_out: i64, kernel: i64) -> Self {
        Conv2d::new(path, ConvConfig { c_in, c_out, kernel, stride: 1, bias: true })
    }

    /// The same with another number of zeros on each side, 0 or more.
    pub fn padded(self, padding: i64) -> Self {
        Conv2d { padding, ..self }
    }

    /// `[N, c_in, h, w]` to `[N, c_out, ceil(h / stride), ceil(w / stride)]`; with another padding a side h becomes
    /// floor((h + 2 padding - kernel) / stride) + 1.
    pub fn forward(&self, xs: &Tensor) -> Tensor {
        let Conv2d { config: ConvConfig { c_in, kernel, stride, .. }, padding, .. } = *self;
        let ys = xs.conv2d(&self.weight, self.bias.as_ref(), [stride, stride], [padding, padding], [1, 1], 1);
        summary::record(|| Layer {
            name: self.name.clone(),
            kind: "Conv2d",
            shape: ys.size(),
            parameters: self.weight.numel() + self.bias.as_ref().map_or(0, Tensor::numel),
            multiply_adds: ys.numel() * (c_in * kernel * kernel) as usize,
        });
        ys
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;
    use crate::Store;

    #[test]
    fn a_box_kernel_counts_its_neighbours_inside_the_picture() {
        // Ones convolved with a 3x3 of ones and bias 0.5: corner 4, edge 6, centre 9 neighbours, each plus 0.5.
        let store = Store::new(Device::Cpu);
        let mut conv = Conv2d::same(store.root(), 1, 1, 3);
        conv.weight = conv.weight.ones_like();
        conv.bias = Some(Tensor::from_slice(&[0.5f32]));
        let ys = conv.forward(&Tensor::ones([1, 1, 3, 3], (Kind::Float, Device::Cpu)));
        let expected = [4.5f32, 6.5, 4.5, 6.5, 9.5, 6.5, 4.5, 6.5, 4.5];
        assert_eq!(Vec::<f32>::try_from(ys.view(-1)).unwrap(), expected);
    }

    #[test]
    fn without_padding_a_kernel_stays_inside_the_picture() {
        // Side 5, kernel 3, stride 2: floor((5 - 3) / 2) + 1 = 2 places per axis, each of nine ones.
        let store = Store::new(Device::Cpu);
        let config = ConvConfig { c_in: 1, c_out: 1, kernel: 3, stride: 2, bias: false };
        let mut conv = Conv2d::new(store.root(), config).padded(0);
        conv.weight = conv.weight.ones_like();
        let ys = conv.forward(&Tensor::ones([1, 1, 5, 5], (Kind::Float, Device::Cpu)));
        assert_eq!(ys.size(), [1, 1, 2, 2]);
        assert_eq!(Vec::<f32>::try_from(ys.view(-1)).unwrap(), [9.0; 4]);
    }

    #[test]
    fn first_values_fill_the_interval_of_the_fan_in() {
        // fan_in 3 * 9 * 9 = 243, bound 1 / sqrt(243) = 0.06415; 15,552 uniform draws come within 1 % of both ends.
        let store = Store::new(Device::Cpu);
        let conv = Conv2d::same(store.root(), 3, 64, 9);
        assert!((conv.weight.max().double_value(&[]) - 0.06415).abs() < 6.4e-4);
        assert!((conv.weight.min().double_value(&[]) + 0.06415).abs() < 6.4e-4);
        // A uniform variable within b has the variance b^2 / 3.
        assert!((conv.weight.std(true).double_value(&[]) - 0.06415 / 3f64.sqrt()).abs() < 5e-4);
    }
}
