use tch::Tensor;

use super::activation::recorded;
use crate::graph::{Op, noted};

/// Each pixel repeated `factor` times along both sides: `[N, C, h, w]` to `[N, C, h * factor, w * factor]`.
pub fn nearest(xs: &Tensor, factor: i64) -> Tensor {
    let ys = recorded("", "Upsample", 0, xs.upsample_nearest2d(enlarged(xs, factor), None, None));
    noted(Op::Nearest(factor), &[xs], ys)
}

/// `[N, C, h, w]` to `[N, C, h * factor, w * factor]` by bilinear interpolation with replicated border: what PyTorch's
/// `interpolate` does without `align_corners`. It sees one pixel far.
pub fn bilinear(xs: &Tensor, factor: i64) -> Tensor {
    let ys = recorded("", "Upsample", 0, xs.upsample_bilinear2d(enlarged(xs, factor), false, None, None));
    noted(Op::Bilinear(factor), &[xs], ys)
}

fn enlarged(xs: &Tensor, factor: i64) -> [i64; 2] {
    let (_, _, h, w) = xs.size4().expect("a picture batch is [N, C, h, w]");
    [h * factor, w * factor]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_become_squares() {
        let ys = nearest(&Tensor::from_slice(&[1.0f32, 2.0]).view([1, 1, 1, 2]), 2);
        assert_eq!(ys.size(), [1, 1, 2, 4]);
        assert_eq!(Vec::<f32>::try_from(ys.view(-1)).unwrap(), [1.0, 1.0, 2.0, 2.0, 1.0, 1.0, 2.0, 2.0]);
    }

    #[test]
    fn bilinear_weighs_the_two_nearest() {
        // Doubled, output x lies at (x + 1/2) / 2 - 1/2 of the input: -1/4 (beyond the edge: 0), 1/4, 3/4 and 5/4 (1).
        let line = Tensor::from_slice(&[0.0f32, 4.0]).view([1, 1, 1, 2]);
        let row = Vec::<f32>::try_from(bilinear(&line, 2).select(2, 0).view(-1)).unwrap();
        assert_eq!(row, [0.0, 1.0, 3.0, 4.0]);
    }
}
