use tch::Tensor;

use super::uniform;
use crate::Path;
use crate::summary::{self, Layer};

/// A dense layer with bias.
pub struct Linear {
    name: String,
    /// `[features_out, features_in]`.
    pub weight: Tensor,
    /// `[features_out]`.
    pub bias: Tensor,
}

impl Linear {
    /// Registers `weight` and `bias` under `path`.
    pub fn new(path: Path, features_in: i64, features_out: i64) -> Self {
        Linear {
            name: path.name().to_string(),
            weight: path.parameter("weight", uniform(&[features_out, features_in], features_in)),
            bias: path.parameter("bias", uniform(&[features_out], features_in)),
        }
    }

    /// `[N, features_in]` to `[N, features_out]`.
    pub fn forward(&self, xs: &Tensor) -> Tensor {
        let ys = xs.linear(&self.weight, Some(&self.bias));
        summary::record(|| Layer {
            name: self.name.clone(),
            kind: "Linear",
            shape: ys.size(),
            parameters: self.weight.numel() + self.bias.numel(),
            multiply_adds: xs.size().first().map_or(0, |n| *n as usize) * self.weight.numel(),
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
    fn a_row_times_a_matrix_plus_a_bias() {
        // [1, 2] times rows [3, 4] and [5, 6]: 3 + 8 = 11 and 5 + 12 = 17, plus [0.5, -1].
        let store = Store::new(Device::Cpu);
        let mut linear = Linear::new(store.root(), 2, 2);
        linear.weight = Tensor::from_slice(&[3.0f32, 4.0, 5.0, 6.0]).view([2, 2]);
        linear.bias = Tensor::from_slice(&[0.5f32, -1.0]);
        let ys = linear.forward(&Tensor::from_slice(&[1.0f32, 2.0]).view([1, 2]));
        assert_eq!(Vec::<f32>::try_from(ys.view(-1)).unwrap(), [11.5, 16.0]);
    }
}
