//! First values other than PyTorch's defaults. Biases begin with 0.

use tch::Tensor;

use super::{Conv2d, ConvConfig, Linear, is_drawn};

impl Conv2d {
    /// He's normal distribution (He et al., arXiv 1502.01852) with variance 2 / fan_out: what flows back keeps its scale.
    pub fn he_fan_out(self) -> Self {
        let ConvConfig { c_out, kernel, .. } = self.config;
        self.normal((2.0 / (c_out * kernel * kernel) as f64).sqrt())
    }

    /// The same with variance 2 / fan_in: what flows forward keeps its scale.
    pub fn he_fan_in(self) -> Self {
        let variance = 2.0 / self.fan_in();
        self.normal(variance.sqrt())
    }

    /// The same variance in a uniform distribution: within sqrt(6 / fan_in).
    pub fn he_uniform(mut self) -> Self {
        let bound = (6.0 / self.fan_in()).sqrt();
        redraw(self.bias.as_mut(), || self.weight.uniform_(-bound, bound));
        self
    }

    /// A normal distribution around 0 with this standard deviation.
    pub fn normal(mut self, deviation: f64) -> Self {
        redraw(self.bias.as_mut(), || self.weight.normal_(0.0, deviation));
        self
    }

    fn fan_in(&self) -> f64 {
        (self.config.c_in * self.config.kernel * self.config.kernel) as f64
    }
}

impl Linear {
    /// A normal distribution around 0 with this standard deviation.
    pub fn normal(mut self, deviation: f64) -> Self {
        redraw(Some(&mut self.bias), || self.weight.normal_(0.0, deviation));
        self
    }

    /// PyTorch's first weight, but a bias of 0.
    pub fn zero_bias(mut self) -> Self {
        redraw(Some(&mut self.bias), || self.weight.shallow_clone());
        self
    }
}

fn redraw(bias: Option<&mut Tensor>, weight: impl FnOnce() -> Tensor) {
    if is_drawn() {
        tch::no_grad(|| {
            let _ = weight();
            let _ = bias.map(Tensor::zero_);
        });
    }
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;
    use crate::Store;

    #[test]
    fn deviations_are_those_of_the_fan() {
        // 3x3 from 16 to 64 channels: sqrt(2 / 576) = 0.05893 and sqrt(2 / 144) = 0.11785. The deviation of 9,216 normal
        // draws scatters by 1 / sqrt(18,432) = 0.7 %, that of uniform ones by less.
        let store = Store::new(Device::Cpu);
        let conv = |name| Conv2d::same(&store.root() / name, 16, 64, 3);
        let expected = [0.05893, 0.11785, 0.11785, 0.5];
        let convs = [conv("a").he_fan_out(), conv("b").he_fan_in(), conv("c").he_uniform(), conv("d").normal(0.5)];
        for (conv, expected) in convs.iter().zip(expected) {
            let found = conv.weight.std(true).double_value(&[]);
            assert!((found / expected - 1.0).abs() < 0.04, "{found}, expected {expected}");
            assert_eq!(conv.bias.as_ref().unwrap().abs().max().double_value(&[]), 0.0);
        }
        assert!((convs[2].weight.abs().max().double_value(&[]) - 0.2041).abs() < 2e-3); // sqrt(6 / 144)
        let linear = Linear::new(&store.root() / "e", 96, 96).normal(0.01);
        assert!((linear.weight.std(true).double_value(&[]) / 0.01 - 1.0).abs() < 0.04);
        assert_eq!(linear.bias.abs().max().double_value(&[]), 0.0);
    }
}
