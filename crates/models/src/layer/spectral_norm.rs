use tch::Tensor;

use super::conv::{Conv2d, ConvConfig, first_values};
use super::filled;
use crate::Path;

/// The least norm that a vector is divided by, PyTorch's default.
const EPS: f64 = 1e-12;

/// A convolution whose weight is divided by its largest singular value (Miyato et al., arXiv 1802.05957), the weight seen
/// as a matrix W `[c_out, c_in * kernel^2]`. As in `torch.nn.utils.spectral_norm`, the value is u W v with estimates u and v
/// of the singular vectors, which every pass in training improves by one power iteration.
pub struct SpectralConv2d {
    conv: Conv2d,
    u: Tensor,
    v: Tensor,
}

impl SpectralConv2d {
    /// Registers `bias` if asked for, `weight_orig`, and the buffers `weight_u` `[c_out]` and `weight_v`
    /// `[c_in * kernel^2]` under `path`. The bias comes first because PyTorch takes the weight out of the module and puts it
    /// back under its other name.
    pub fn new(path: Path, config: ConvConfig) -> Self {
        let (weight, bias) = first_values(&config);
        let bias = bias.map(|bias| path.parameter("bias", bias));
        let weight = path.parameter("weight_orig", weight);
        SpectralConv2d {
            u: path.buffer("weight_u", direction(config.c_out)),
            v: path.buffer("weight_v", direction(config.c_in * config.kernel * config.kernel)),
            conv: Conv2d { name: path.name().to_string(), config, weight, bias },
        }
    }

    /// Shapes as those of [`Conv2d::forward`]. With `train` it moves u and v first.
    pub fn forward(&self, xs: &Tensor, train: bool) -> Tensor {
        let matrix = self.conv.weight.flatten(1, -1);
        if train {
            tch::no_grad(|| self.iterate(&matrix));
        }
        // Copies, because the gradient of this pass may be asked for after another pass has moved u and v.
        let norm = self.u.copy().dot(&matrix.mv(&self.v.copy()));
        self.conv.convolve(xs, &(&self.conv.weight / norm))
    }

    fn iterate(&self, matrix: &Tensor) {
        self.v.shallow_clone().copy_(&unit(&matrix.tr().mv(&self.u)));
        self.u.shallow_clone().copy_(&unit(&matrix.mv(&self.v)));
    }
}

/// A random vector of length 1.
fn direction(size: i64) -> Tensor {
    filled(&[size], |values| unit(&values.normal_(0.0, 1.0)))
}

fn unit(vector: &Tensor) -> Tensor {
    vector / vector.norm().clamp_min(EPS)
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;
    use crate::Store;

    fn diagonal(bias: bool) -> (Store, SpectralConv2d) {
        let store = Store::new(Device::Cpu);
        let config = ConvConfig { c_in: 2, c_out: 2, kernel: 1, stride: 1, padding: 0, bias };
        let conv = SpectralConv2d::new(store.root(), config);
        tch::no_grad(|| {
            conv.conv.weight.shallow_clone().copy_(&Tensor::from_slice(&[3.0f32, 0.0, 0.0, 4.0]).view([2, 2, 1, 1]));
            conv.u.shallow_clone().copy_(&Tensor::from_slice(&[0.5f32.sqrt(); 2]));
            conv.v.shallow_clone().copy_(&Tensor::from_slice(&[1.0f32, 0.0]));
        });
        (store, conv)
    }

    fn response(conv: &SpectralConv2d, train: bool) -> f64 {
        let xs = Tensor::ones([1, 2, 1, 1], (Kind::Float, Device::Cpu));
        conv.forward(&xs, train).double_value(&[0, 0, 0, 0])
    }

    #[test]
    fn the_weight_is_divided_by_the_estimate_which_training_improves() {
        // W = diag(3, 4), u = (1, 1) / sqrt(2), v = (1, 0): u W v = 3 / sqrt(2), so the first output is 3 / that = sqrt(2).
        let (_store, conv) = diagonal(false);
        assert!((response(&conv, false) - 2f64.sqrt()).abs() < 1e-6);
        // Training: v becomes W^T u = (3, 4) / sqrt(2) of length 1, (0.6, 0.8); W v = (1.8, 3.2) has the length sqrt(13.48),
        // which u W v then is.
        assert!((response(&conv, true) - 3.0 / 13.48f64.sqrt()).abs() < 1e-6);
        assert!((conv.v.double_value(&[1]) - 0.8).abs() < 1e-6);
        assert!((conv.u.double_value(&[0]) - 1.8 / 13.48f64.sqrt()).abs() < 1e-6);
        // Many iterations reach the singular value 4.
        for _ in 0..40 {
            let _ = response(&conv, true);
        }
        assert!((response(&conv, false) - 0.75).abs() < 1e-6);
    }

    #[test]
    fn the_bias_is_registered_before_the_weight() {
        assert_eq!(diagonal(true).0.names(), ["bias", "weight_orig", "weight_u", "weight_v"]);
        assert_eq!(diagonal(false).0.names(), ["weight_orig", "weight_u", "weight_v"]);
    }
}
