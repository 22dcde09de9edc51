use tch::{Device, Tensor};

use super::uniform;
use crate::Path;
use crate::graph::{self, Op};
use crate::summary::{self, Layer};

/// Channels out up to which a convolution is faster in squares of pixels: four times as many fill one vector.
const MOST_IN_SQUARES: i64 = 4;

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
        let ys = match self.in_squares(xs) {
            true => self.convolve_in_squares(xs, weight),
            false => xs.conv2d(weight, self.bias.as_ref(), [stride, stride], [padding, padding], [1, 1], 1),
        };
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

    /// Whether the output has few channels and falls into squares of 2x2 pixels: a processor's vectors of 16 numbers are then
    /// nearly empty, and fuller with the four pixels of a square side by side.
    fn in_squares(&self, xs: &Tensor) -> bool {
        let ConvConfig { c_out, kernel, stride, padding, .. } = self.config;
        let is_even = |side: i64| (side + 2 * padding - kernel + 1) % 2 == 0;
        let falls_into_squares = matches!(xs.size()[..], [_, _, height, width] if is_even(height) && is_even(width));
        xs.device() == Device::Cpu && c_out <= MOST_IN_SQUARES && kernel >= 5 && stride == 1 && falls_into_squares
    }

    /// The same convolution with a stride of 2 and four times the channels, one for each place in a square: the weight,
    /// shifted there among zeros.
    fn convolve_in_squares(&self, xs: &Tensor, weight: &Tensor) -> Tensor {
        let padding = self.config.padding;
        let places = [[0, 0], [0, 1], [1, 0], [1, 1]];
        let shifted = places.map(|[i, j]| weight.constant_pad_nd([j, 1 - j, i, 1 - i]));
        let weight = Tensor::stack(&shifted, 1).flatten(0, 1); // [4 * c_out, c_in, kernel + 1, kernel + 1]
        let bias = self.bias.as_ref().map(|bias| bias.repeat_interleave_self_int(4, 0, None));
        xs.conv2d(&weight, bias, [2, 2], [padding, padding], [1, 1], 1).pixel_shuffle(2)
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
    use tch::Kind;

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

    #[test]
    fn squares_of_pixels_are_the_same_convolution() {
        // A 5x5 kernel and a width that is odd are computed pixel by pixel when the picture is one column wider: its first six
        // columns differ from those of six only where the kernel reaches the seventh, in columns 4 and 5.
        let store = Store::new(Device::Cpu);
        let conv = Conv2d::same(store.root(), 2, 3, 5);
        let wide = Tensor::rand([1, 2, 4, 7], (Kind::Float, Device::Cpu));
        let narrow = wide.narrow(3, 0, 6);
        assert!(conv.in_squares(&narrow) && !conv.in_squares(&wide));
        let parameters = store.parameters();
        let of = |xs: &Tensor| {
            let ys = conv.forward(xs).narrow(3, 0, 4);
            let grads = Tensor::run_backward(&[ys.square().sum(Kind::Float)], &parameters, false, false);
            std::iter::once(ys).chain(grads).collect::<Vec<_>>()
        };
        for (in_squares, plain) in of(&narrow).iter().zip(of(&wide)) {
            assert!(in_squares.allclose(&plain, 1e-4, 1e-5, false), "{in_squares}, expected {plain}");
        }
    }
}
