use tch::Tensor;

use super::uniform;
use crate::Path;
use crate::graph::{self, Op};
use crate::summary::{self, Layer};

/// A two-dimensional transposed convolution with a square kernel: PyTorch's `ConvTranspose2d`.
pub struct ConvTranspose2d {
    name: String,
    config: ConvTransposeConfig,
    /// `[c_in, c_out, kernel, kernel]`.
    pub weight: Tensor,
    /// `[c_out]`.
    pub bias: Option<Tensor>,
}

/// The shape of a transposed convolution.
#[derive(Debug, Clone, Copy)]
pub struct ConvTransposeConfig {
    /// Channels in.
    pub c_in: i64,
    /// Channels out.
    pub c_out: i64,
    /// Side of the kernel.
    pub kernel: i64,
    /// Output pixels between the places of two input pixels.
    pub stride: i64,
    /// Pixels cut from each side of the output.
    pub padding: i64,
    /// Pixels of the right and lower side that are not cut, less than `stride`.
    pub output_padding: i64,
    /// Whether a bias is added.
    pub bias: bool,
}

impl ConvTranspose2d {
    /// Registers `weight` and, if asked for, `bias` under `path`.
    pub fn new(path: Path, config: ConvTransposeConfig) -> Self {
        let ConvTransposeConfig { c_in, c_out, kernel, bias, .. } = config;
        // PyTorch takes the weight's second axis for that of the input, which here is that of the output.
        let fan_in = c_out * kernel * kernel;
        let weight = path.parameter("weight", uniform(&[c_in, c_out, kernel, kernel], fan_in));
        let bias = bias.then(|| path.parameter("bias", uniform(&[c_out], fan_in)));
        ConvTranspose2d { name: path.name().to_string(), config, weight, bias }
    }

    /// `[N, c_in, h, w]` to `[N, c_out, H, W]`, where H is `(h - 1) * stride - 2 * padding + kernel + output_padding` and W
    /// likewise.
    pub fn forward(&self, xs: &Tensor) -> Tensor {
        let ConvTransposeConfig { c_out, kernel, stride, padding, output_padding, .. } = self.config;
        let (stride, padding, extra) = ([stride; 2], [padding; 2], [output_padding; 2]);
        let ys = xs.conv_transpose2d(&self.weight, self.bias.as_ref(), stride, padding, extra, 1, [1, 1]);
        summary::record(|| Layer {
            name: self.name.clone(),
            kind: "ConvTranspose2d",
            shape: ys.size(),
            parameters: self.weight.numel() + self.bias.as_ref().map_or(0, Tensor::numel),
            multiply_adds: xs.numel() * (c_out * kernel * kernel) as usize, // what falls on the cut border among them
        });
        let ConvTransposeConfig { stride, padding, output_padding, .. } = self.config;
        let tensors: Vec<_> = std::iter::once(&self.weight).chain(&self.bias).collect();
        graph::note(&self.name, Op::ConvTranspose { stride, padding, output_padding }, &tensors, &[xs], &ys);
        ys
    }
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;
    use crate::Store;

    #[test]
    fn an_input_pixel_spreads_the_kernel_around_its_place() {
        // Stride 2 and a 3x3 kernel of ones: input pixel i adds itself to the outputs 2i - 1, 2i and 2i + 1. On a row of 1
        // and 10: 1, 1 + 10, 10, 10. The single input row reaches the output rows 0 and 1. The bias is 0.5.
        let store = Store::new(Device::Cpu);
        let shape =
            ConvTransposeConfig { c_in: 1, c_out: 1, kernel: 3, stride: 2, padding: 1, output_padding: 1, bias: true };
        let mut conv = ConvTranspose2d::new(store.root(), shape);
        conv.weight = conv.weight.ones_like();
        conv.bias = Some(Tensor::from_slice(&[0.5f32]));
        let ys = conv.forward(&Tensor::from_slice(&[1.0f32, 10.0]).view([1, 1, 1, 2]));
        assert_eq!(ys.size(), [1, 1, 2, 4]);
        assert_eq!(Vec::<f32>::try_from(ys.view(-1)).unwrap(), [1.5, 11.5, 10.5, 10.5, 1.5, 11.5, 10.5, 10.5]);
    }
}
