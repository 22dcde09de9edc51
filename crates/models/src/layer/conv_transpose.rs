use tch::Tensor;

use super::{ConvConfig, uniform};
use crate::Path;
use crate::summary::{self, Layer};

/// A transposed two-dimensional convolution with a square kernel: the gradient of a convolution with respect to its input.
pub struct ConvTranspose2d {
    name: String,
    config: ConvConfig,
    output_padding: i64,
    /// `[c_in, c_out, kernel, kernel]`.
    pub weight: Tensor,
    /// `[c_out]`.
    pub bias: Option<Tensor>,
}

impl ConvTranspose2d {
    /// Registers `weight` and, if asked for, `bias` under `path`. The output gets `output_padding` more rows below and
    /// columns to the right, fewer than `stride`.
    pub fn new(path: Path, config: ConvConfig, output_padding: i64) -> Self {
        let ConvConfig { c_in, c_out, kernel, bias, .. } = config;
        let fan_in = c_out * kernel * kernel; // as PyTorch counts it, which takes the second axis for the input's
        let weight = path.parameter("weight", uniform(&[c_in, c_out, kernel, kernel], fan_in));
        let bias = bias.then(|| path.parameter("bias", uniform(&[c_out], fan_in)));
        ConvTranspose2d { name: path.name().to_string(), config, output_padding, weight, bias }
    }

    /// `[N, c_in, h, w]` to `[N, c_out, (h - 1) * stride + kernel - 2 * padding + output_padding, ..]`; the same for w.
    pub fn forward(&self, xs: &Tensor) -> Tensor {
        let ConvConfig { c_out, kernel, stride, padding, .. } = self.config;
        let [stride, padding, more] = [stride, padding, self.output_padding].map(|count| [count, count]);
        let ys = xs.conv_transpose2d(&self.weight, self.bias.as_ref(), stride, padding, more, 1, [1, 1]);
        summary::record(|| Layer {
            name: self.name.clone(),
            kind: "ConvTranspose2d",
            shape: ys.size(),
            parameters: self.weight.numel() + self.bias.as_ref().map_or(0, Tensor::numel),
            multiply_adds: xs.numel() * (c_out * kernel * kernel) as usize,
        });
        ys
    }
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;
    use crate::Store;

    #[test]
    fn each_input_pixel_lays_down_a_kernel() {
        // Pixels 1 and 10 at stride 2 lay down [1, 2, 3; 4, 5, 6; 7, 8, 9]: columns 0..3 once and 2..5 ten times, so the
        // middle row is 4, 5, 6 + 40, 50, 60. Padding 1 cuts the outer rows and columns: 5, 46, 50. One more row and column
        // bring back what was cut below and on the right, plus the bias 0.5.
        let store = Store::new(Device::Cpu);
        let config = ConvConfig { c_in: 1, c_out: 1, kernel: 3, stride: 2, padding: 1, bias: true };
        let mut conv = ConvTranspose2d::new(store.root(), config, 1);
        conv.weight = Tensor::from_slice(&[1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]).view([1, 1, 3, 3]);
        conv.bias = Some(Tensor::from_slice(&[0.5f32]));
        let ys = conv.forward(&Tensor::from_slice(&[1.0f32, 10.0]).view([1, 1, 1, 2]));
        assert_eq!(ys.size(), [1, 1, 2, 4]);
        let expected = [5.5f32, 46.5, 50.5, 60.5, 8.5, 79.5, 80.5, 90.5];
        assert_eq!(Vec::<f32>::try_from(ys.view(-1)).unwrap(), expected);
    }
}
