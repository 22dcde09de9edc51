use tch::Tensor;

use super::filled;
use crate::Path;
use crate::graph::{self, Op, noted};
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
        let slope = filled(&[channels], |slope| slope.fill_(0.25));
        PRelu { name: path.name().to_string(), weight: path.parameter("weight", slope) }
    }

    /// x where x is above 0, else slope * x. Any shape; with slopes per channel `[N, channels, ..]`.
    pub fn forward(&self, xs: &Tensor) -> Tensor {
        let ys = recorded(&self.name, "PReLU", self.weight.numel(), abbe_torch::prelu(xs, &self.weight));
        graph::note(&self.name, Op::PRelu, &[&self.weight], &[xs], &ys);
        ys
    }
}

/// max(x, 0). Any shape.
pub fn relu(xs: &Tensor) -> Tensor {
    noted(Op::Relu, &[xs], recorded("", "ReLU", 0, xs.relu()))
}

/// x where x is above 0, else `slope` * x. Any shape.
pub fn leaky_relu(xs: &Tensor, slope: f64) -> Tensor {
    noted(Op::LeakyRelu(slope), &[xs], recorded("", "LeakyReLU", 0, abbe_torch::leaky_relu(xs, slope)))
}

/// Hyperbolic tangent, within -1 and 1. Any shape.
pub fn tanh(xs: &Tensor) -> Tensor {
    noted(Op::Tanh, &[xs], recorded("", "Tanh", 0, xs.tanh()))
}

/// Tells the running summary of a layer without multiply-adds.
pub(super) fn recorded(name: &str, kind: &'static str, parameters: usize, ys: Tensor) -> Tensor {
    summary::record(|| Layer { name: name.to_string(), kind, shape: ys.size(), parameters, multiply_adds: 0 });
    ys
}

#[cfg(test)]
mod tests {
    use tch::Device;

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
        // tanh(ln 2) = (2 - 1/2) / (2 + 1/2) = 0.6.
        let ys = values(tanh(&Tensor::from_slice(&[2f32.ln(), 0.0])));
        assert!((ys[0] - 0.6).abs() < 1e-6 && ys[1] == 0.0, "{ys:?}");
        let each = PRelu::per_channel(&store.root() / "each", 2);
        tch::no_grad(|| each.weight.shallow_clone().copy_(&Tensor::from_slice(&[0.5f32, 2.0])));
        assert_eq!(values(each.forward(&Tensor::from_slice(&[-4.0f32, -1.0]).view([1, 2]))), [-2.0, -2.0]);
    }
}
