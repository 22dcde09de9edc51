//! Arithmetic between layers, which a graph must know of.

use tch::Tensor;

use crate::graph::{Op, noted};

/// The sum of two values of one shape.
pub fn add(xs: &Tensor, ys: &Tensor) -> Tensor {
    noted(Op::Add, &[xs, ys], xs + ys)
}

/// `xs` multiplied by a number.
pub fn scaled(xs: &Tensor, factor: f64) -> Tensor {
    noted(Op::Scale(factor), &[xs], xs * factor)
}

/// The channels of all values, one after the other.
pub fn concatenated(values: &[Tensor]) -> Tensor {
    noted(Op::Concatenate, &values.iter().collect::<Vec<_>>(), Tensor::cat(values, 1))
}

/// Clamped to [0, 1].
pub fn clamped(xs: &Tensor) -> Tensor {
    noted(Op::Clamp, &[xs], xs.clamp(0.0, 1.0))
}

/// `[N, C, h, w]` cut at the right and the bottom to `scale` times the height and width of `picture`.
pub fn cropped(xs: &Tensor, picture: &Tensor, scale: i64) -> Tensor {
    let (_, _, h, w) = picture.size4().expect("a picture batch is [N, C, h, w]");
    noted(Op::Crop(scale), &[xs], xs.narrow(2, 0, h * scale).narrow(3, 0, w * scale))
}
