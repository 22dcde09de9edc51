use tch::Tensor;

use super::{BatchNorm2d, Conv2d};
use crate::Path;

/// A convolution, and the batch norm behind it where there is one.
pub struct ConvNorm {
    conv: Conv2d,
    norm: Option<BatchNorm2d>,
}

impl ConvNorm {
    /// Registers batch norm under `norm`, after the convolution.
    pub fn new(conv: Conv2d, norm: Path) -> Self {
        let norm = BatchNorm2d::new(norm, conv.config.c_out);
        ConvNorm { conv, norm: Some(norm) }
    }

    /// The convolution alone.
    pub fn plain(conv: Conv2d) -> Self {
        ConvNorm { conv, norm: None }
    }

    /// Shapes as those of [`Conv2d::forward`], `train` as for [`BatchNorm2d::forward`].
    pub fn forward(&self, xs: &Tensor, train: bool) -> Tensor {
        let ys = self.conv.forward(xs);
        match &self.norm {
            Some(norm) => norm.forward(&ys, train),
            None => ys,
        }
    }
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;
    use crate::Store;

    #[test]
    fn batch_norm_takes_what_the_convolution_gives() {
        // A 1x1 kernel of 2 and no bias: 1 and 3 become 2 and 6, which their mean 4 and deviation 2 normalise to -1 and 1.
        let store = Store::new(Device::Cpu);
        let conv = |name| {
            let mut conv = Conv2d::same(&store.root() / name, 1, 1, 1);
            (conv.weight, conv.bias) = (conv.weight.full_like(2.0), None);
            conv
        };
        let xs = Tensor::from_slice(&[1.0f32, 3.0]).view([1, 1, 1, 2]);
        let values = |ys: Tensor| Vec::<f32>::try_from(ys.detach().view(-1)).unwrap();
        let plain = ConvNorm::plain(conv("plain"));
        assert_eq!(values(plain.forward(&xs, true)), [2.0, 6.0]);
        let normed = ConvNorm::new(conv("conv"), &store.root() / "bn");
        let ys = values(normed.forward(&xs, true));
        assert!((ys[0] + 1.0).abs() < 1e-4 && (ys[1] - 1.0).abs() < 1e-4, "{ys:?}");
        assert_eq!(store.names()[4..6], ["bn.weight", "bn.bias"]);
    }
}
