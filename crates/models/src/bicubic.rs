//! Bicubic enlargement of a batch on libtorch.

use abbe_data::resample::cubic;
use abbe_torch::constant;
use tch::{Kind, Tensor};

use crate::graph::{Op, noted};
use crate::summary::{self, Layer};

/// LR pixels on each side of an output pixel's own that can influence it.
pub const RADIUS: i64 = 2;

/// `[N, C, h, w]` to `[N, C, h * scale, w * scale]` by Keys' cubic kernel with a = -0.5 and replicated border: what
/// MATLAB's `imresize` and [`abbe_data::resample`] do when they enlarge, without rounding to 8 bits. `scale` is at least 1.
///
/// The sums are taken in float64, which neither autocast nor TF32 touches, and returned in the type of `lr`.
pub fn upscale(lr: &Tensor, scale: i64) -> Tensor {
    let (n, c, h, w) = lr.size4().expect("a picture batch is [N, C, h, w]");
    let weights = constant(&taps(scale), &[scale, -1], (Kind::Double, lr.device()));
    let planes = lr.to_kind(Kind::Double).reshape([n * c, 1, h, w]).replication_pad2d([RADIUS; 4]);
    let rows = convolve(&planes, &weights.view([scale, 1, -1, 1])); // [N * C, scale, h, w + 4]
    let rows = rows.transpose(1, 2).reshape([n * c, 1, h * scale, w + 2 * RADIUS]);
    let columns = convolve(&rows, &weights.view([scale, 1, 1, -1])); // [N * C, scale, h * scale, w]
    let sr = columns.permute([0, 2, 3, 1]).reshape([n, c, h * scale, w * scale]).to_kind(lr.kind());
    let taps = (2 * RADIUS + 1) as usize;
    summary::record(|| Layer {
        name: String::new(),
        kind: "Bicubic",
        shape: sr.size(),
        parameters: 0,
        multiply_adds: taps * (rows.numel() + sr.numel()),
    });
    noted(Op::Bicubic(scale), &[lr], sr)
}

fn convolve(xs: &Tensor, weight: &Tensor) -> Tensor {
    xs.conv2d(weight, None::<&Tensor>, [1, 1], [0, 0], [1, 1], 1)
}

/// `[scale, 5]`, float64: row `phase` holds the weights of the LR pixels -2..=2 around the output pixel's own.
pub fn weights(scale: i64) -> Tensor {
    Tensor::from_slice(&taps(scale)).view([scale, -1])
}

fn taps(scale: i64) -> Vec<f64> {
    let centre = |phase: i64| (phase as f64 + 0.5) / scale as f64 - 0.5;
    let row = |phase| (-RADIUS..=RADIUS).map(move |tap| cubic(centre(phase) - tap as f64));
    (0..scale).flat_map(row).collect()
}

#[cfg(test)]
mod tests {
    use abbe_data::resample::{Border, Method, Scale, contributions};

    use tch::Device;

    use super::*;

    /// `[size_out, size_in]`: the resampling of a line as a matrix, from the definition.
    fn matrix(size: i64, scale: i64) -> Tensor {
        let (scale_up, method) = (Scale { up: scale as u32, down: 1 }, Method::bicubic(Border::Replicate));
        let taps = contributions(size as usize, (size * scale) as usize, scale_up, &method);
        let mut matrix = vec![0.0; (size * scale * size) as usize];
        for (row, taps) in taps.iter().enumerate() {
            for (index, weight) in taps.indices.iter().zip(&taps.weights) {
                matrix[row * size as usize + index] += weight;
            }
        }
        Tensor::from_slice(&matrix).view([size * scale, size])
    }

    #[test]
    fn equals_the_definition_at_every_scale_and_on_tiny_pictures() {
        for (scale, h, w) in [(2, 5, 7), (3, 4, 6), (4, 7, 5), (8, 3, 4), (4, 1, 2), (1, 3, 3)] {
            let lr = Tensor::rand([2, 3, h, w], (Kind::Float, Device::Cpu));
            let expected = matrix(h, scale).matmul(&lr.to_kind(Kind::Double)).matmul(&matrix(w, scale).transpose(0, 1));
            let error = (upscale(&lr, scale) - expected).abs().max().double_value(&[]);
            assert!(error < 1e-6, "scale {scale}, {h}x{w}: {error}");
        }
    }

    #[test]
    fn a_step_doubled() {
        // Doubling 0 0 0 1 1 1: the outputs around the step lie 1/4 before and after it, between samples 2 and 3.
        // At distance 1/4 from sample 2 the weights of samples 1..=4 are k(5/4), k(1/4), k(3/4), k(7/4)
        // = -9/128, 111/128, 29/128, -3/128: on 0 0 1 1 that is 26/128. Mirrored, 102/128.
        let line = Tensor::from_slice(&[0.0f32, 0.0, 0.0, 1.0, 1.0, 1.0]).view([1, 1, 1, 6]);
        let doubled = upscale(&line, 2);
        assert_eq!(doubled.size(), [1, 1, 2, 12]);
        assert!((doubled.double_value(&[0, 0, 0, 5]) - 26.0 / 128.0).abs() < 1e-6);
        assert!((doubled.double_value(&[0, 0, 1, 6]) - 102.0 / 128.0).abs() < 1e-6);
    }
}
