use abbe_checkpoint::StateDict;
use abbe_torch::constant;
use tch::Tensor;

use crate::graph::{Op, noted};

/// The mean colour of DIV2K, RGB in [0, 1], as EDSR-PyTorch and its descendants have it.
const MEAN: [f32; 3] = [0.4488, 0.4371, 0.4040];
/// The largest value of a colour in those projects.
const RANGE: f64 = 255.0;

/// `[N, 3, h, w]` in [0, 1] to values of 0 to 255 less the mean colour, which EDSR and RCAN work on.
pub fn centred(xs: &Tensor) -> Tensor {
    noted(affine(RANGE, -RANGE), &[xs], (xs - mean(xs)) * RANGE)
}

/// The inverse of [`centred`].
pub fn uncentred(xs: &Tensor) -> Tensor {
    noted(affine(1.0 / RANGE, 1.0), &[xs], xs / RANGE + mean(xs))
}

/// Every colour multiplied by `scale`, and `shift` times its mean added.
fn affine(scale: f64, shift: f64) -> Op {
    Op::Affine { scale: scale as f32, shift: MEAN.map(|mean| mean * shift as f32) }
}

fn mean(xs: &Tensor) -> Tensor {
    constant(&MEAN.map(f64::from), &[1, 3, 1, 1], (xs.kind(), xs.device()))
}

/// The same arithmetic as tensors: in EDSR-PyTorch and the first RCAN two 1x1 convolutions, `sub_mean` and `add_mean`, do it
/// on values of 0 to 255.
pub fn mean_shift_constants() -> StateDict {
    let unit = [1.0f32, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0];
    let tensors = [("sub_mean", -1.0), ("add_mean", 1.0)].map(|(name, sign)| {
        let bias = MEAN.map(|mean| sign * RANGE as f32 * mean);
        let weight = abbe_checkpoint::Tensor::from_f32(&[3, 3, 1, 1], &unit);
        [(format!("{name}.weight"), weight), (format!("{name}.bias"), abbe_checkpoint::Tensor::from_f32(&[3], &bias))]
    });
    tensors.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_colour_becomes_zero_and_white_what_is_left_of_255() {
        // Red: 255 - 255 * 0.4488 = 140.556; EDSR-PyTorch subtracts 114.444 from 255.
        let white = Tensor::from_slice(&[1.0f32, 0.4371, 0.4040]).view([1, 3, 1, 1]);
        let ys = Vec::<f32>::try_from(centred(&white).view(-1)).unwrap();
        assert!((ys[0] - 140.556).abs() < 1e-3 && ys[1..] == [0.0, 0.0], "{ys:?}");
        assert!((uncentred(&centred(&white)) - white).abs().max().double_value(&[]) < 1e-6);
        let constants = mean_shift_constants();
        assert!((constants["sub_mean.bias"].to_f32().unwrap()[0] + 114.444).abs() < 1e-3);
        assert_eq!(constants["add_mean.weight"].shape(), [3, 3, 1, 1]);
    }
}
