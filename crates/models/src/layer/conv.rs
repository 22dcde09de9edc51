use tch::Tensor;

use super::uniform;
use crate::Path;
use crate::graph::{self, Op};
use crate::summary::{self, Layer};

/// A two-dimensional convolution with a square kernel, padded with zeros.
pub struct Conv2d {
    pub(super) name: String,
    pub(super) config: ConvConfig,
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
    /// Side of the kernel.
    pub kernel: i64,
    /// Step between output pixels.
    pub stride: i64,
    /// Zeros on each side of the input.
    pub padding: i64,
    /// Whether a bias is added.
    pub bias: bool,
}

impl ConvConfig {
    /// A convolution without bias, padded by half the kernel: batch norm follows, which has a bias.
    pub const fn unbiased(c_in: i64, c_out: i64, kernel: i64, stride: i64) -> Self {
        ConvConfig { c_in, c_out, kernel, stride, padding: kernel / 2, bias: false }
    }
}

impl Conv2d {
    /// Registers `weight` and, if asked for, `bias` under `path`.
    pub fn new(path: Path, config: ConvConfig) -> Self {
        let (weight, bias) = first_values(&config);
        let weight = path.parameter("weight", weight);
        let bias = bias.map(|bias| path.parameter("bias", bias));
        Conv2d { name: path.name().to_string(), config, weight, bias }
    }

    /// A convolution with bias and an odd kernel that keeps the size.
    pub fn same(path: Path, c_in: i64, c_out: i64, kernel: i64) -> Self {
        Conv2d::new(path, ConvConfig { c_in, c_out, kernel, stride: 1, padding: kernel / 2, bias: true })
    }

    /// `[N, c_in, h, w]` to `[N, c_out, (h + 2 * padding - kernel) / stride + 1, ..]`, rounded down; the same for w.
    pub fn forward(&self, xs: &Tensor) -> Tensor {
        self.convolve(xs, &self.weight)
    }

    /// The same with another weight of the same shape.
    pub(super) fn convolve(&self, xs: &Tensor, weight: &Tensor) -> Tensor {
        let ConvConfig { c_in, kernel, stride, padding, .. } = self.config;
        let ys = xs.conv2d(weight, self.bias.as_ref(), [stride, stride], [padding, padding], [1, 1], 1);
        summary::record(|| Layer {
            name: self.name.clone(),
            kind: "Conv2d",
            shape: ys.size(),
            parameters: self.weight.numel() + self.bias.as_ref().map_or(0, Tensor::numel),
            multiply_adds: ys.numel() * (c_in * kernel * kernel) as usize,
        });
        let tensors: Vec<_> = std::iter::once(weight).chain(&self.bias).collect();
        graph::note(&self.name, Op::Conv { stride, padding }, &tensors, &[xs], &ys);
        ys
    }
}

/// PyTorch's first weight and bias, drawn in this order.
pub(super) fn first_values(config: &ConvConfig) -> (Tensor, Option<Tensor>) {
    let ConvConfig { c_in, c_out, kernel, bias, .. } = *config;
    let fan_in = c_in * kernel * kernel;
    (uniform(&[c_out, c_in, kernel, kernel], fan_in), bias.then(|| uniform(&[c_out], fan_in)))
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
    fn padding_and_stride_decide_what_an_even_kernel_covers() {
        // A 4x4 of ones on a 4x4 picture of ones. Padding 1, stride 2: each of four places covers 3x3. No padding: 4x4.
        let ones = Tensor::ones([1, 1, 4, 4], (Kind::Float, Device::Cpu));
        let sums = |stride, padding| {
            let store = Store::new(Device::Cpu);
            let config = ConvConfig { c_in: 1, c_out: 1, kernel: 4, stride, padding, bias: false };
            let mut conv = Conv2d::new(store.root(), config);
            conv.weight = ones.shallow_clone();
            Vec::<f32>::try_from(conv.forward(&ones).view(-1)).unwrap()
        };
        assert_eq!(sums(2, 1), [9.0; 4]);
        assert_eq!(sums(1, 0), [16.0]);
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
