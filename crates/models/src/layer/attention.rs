use tch::{Kind, Tensor};

use super::{Conv2d, relu};
use crate::Path;
use crate::graph::{Op, noted};
use crate::summary::{self, Layer};

/// Channel attention (Zhang et al., arXiv 1807.02758, section 3.3): each channel is multiplied by a number in (0, 1) that is
/// made of the means of all channels.
pub struct ChannelAttention {
    squeeze: Conv2d,
    excite: Conv2d,
}

impl ChannelAttention {
    /// Registers two 1x1 convolutions, `1` to `squeezed` channels and `3` back, under `path`.
    pub fn new(path: Path, channels: i64, squeezed: i64) -> Self {
        let squeeze = Conv2d::same(&path / 1, channels, squeezed, 1);
        ChannelAttention { squeeze, excite: Conv2d::same(&path / 3, squeezed, channels, 1) }
    }

    /// `[N, channels, h, w]` to the same shape. Every pixel of the picture counts for each.
    pub fn forward(&self, xs: &Tensor) -> Tensor {
        let means = xs.mean_dim([2i64, 3].as_slice(), true, None::<Kind>); // [N, channels, 1, 1]
        let means = noted(Op::Mean, &[xs], means);
        let excited = self.excite.forward(&relu(&self.squeeze.forward(&means)));
        let weights = noted(Op::Sigmoid, &[&excited], excited.sigmoid());
        let ys = noted(Op::Multiply, &[xs, &weights], xs * &weights);
        summary::record(|| Layer {
            name: String::new(),
            kind: "Attention",
            shape: ys.size(),
            parameters: 0,
            multiply_adds: 0,
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
    fn a_channel_is_weighed_by_a_function_of_all_means() {
        // Channels of 1 and 3 and of 5 and 7 have the means 2 and 6. Squeezed with weights 1 and -1/2: 2 - 3 + bias 2 = 1.
        // Excited with weights 0 and ln 3: sigmoid(0) = 1/2 and sigmoid(ln 3) = 3/4.
        let store = Store::new(Device::Cpu);
        let attention = ChannelAttention::new(store.root(), 2, 1);
        let values: [&[f32]; 4] = [&[1.0, -0.5], &[2.0], &[0.0, 3f32.ln()], &[0.0, 0.0]];
        for (mut parameter, values) in store.parameters().into_iter().zip(values) {
            let shape = parameter.size();
            tch::no_grad(|| parameter.copy_(&Tensor::from_slice(values).view(&shape[..])));
        }
        let ys = attention.forward(&Tensor::from_slice(&[1.0f32, 3.0, 5.0, 7.0]).view([1, 2, 1, 2]));
        let ys = Vec::<f32>::try_from(ys.detach().view(-1)).unwrap();
        assert!(ys.iter().zip([0.5, 1.5, 3.75, 5.25]).all(|(y, expected)| (y - expected).abs() < 1e-6), "{ys:?}");
    }
}
