//! Rectifiers that tch lacks, or whose gradient libtorch takes slowly.

use tch::{Device, Tensor};

use crate::ffi;

/// x where x is above 0, else `slope` * x. Any shape.
///
/// # Panics
/// As tch's own functions, when libtorch refuses the tensor: its type is no floating-point one.
pub fn leaky_relu(xs: &Tensor, slope: f64) -> Tensor {
    ffi::leaky_relu(xs, slope).unwrap()
}

/// x where x is above 0, else weight * x (He et al., arXiv 1502.01852). `weight` is one number, or one for each channel of
/// `[N, C, ..]`.
///
/// # Panics
/// As tch's own functions, when libtorch refuses the tensors.
pub fn prelu(xs: &Tensor, weight: &Tensor) -> Tensor {
    match xs.device() {
        Device::Cpu if weight.numel() == 1 => ffi::scalar_prelu(xs, weight).unwrap(),
        _ => xs.prelu(weight),
    }
}

#[cfg(test)]
mod tests {
    use tch::Kind;

    use super::*;

    fn values(xs: &Tensor) -> Vec<f32> {
        Vec::<f32>::try_from(xs.detach().to_kind(Kind::Float).reshape(-1)).unwrap()
    }

    #[test]
    fn slopes_and_their_gradients() {
        // Below zero dy/dx is the slope and dy/dslope is x, above they are 1 and 0; at zero dy/dx is the slope, as in PyTorch.
        for kind in [Kind::Float, Kind::BFloat16] {
            let xs = Tensor::from_slice(&[-4.0f32, 0.0, 2.0, -1.0]).to_kind(kind).set_requires_grad(true);
            let weight = Tensor::from_slice(&[0.25f32]).set_requires_grad(true);
            let ys = prelu(&xs, &weight);
            assert_eq!((ys.kind(), values(&ys)), (kind, vec![-1.0, 0.0, 2.0, -0.25]));
            (ys * Tensor::from_slice(&[1.0f32, 2.0, 3.0, 8.0])).sum(Kind::Float).backward();
            assert_eq!(values(&xs.grad()), [0.25, 0.5, 3.0, 2.0]);
            assert_eq!((weight.grad().kind(), values(&weight.grad())), (Kind::Float, vec![-12.0]));
        }
        assert_eq!(values(&leaky_relu(&Tensor::from_slice(&[-4.0f32, 2.0]), 0.5)), [-2.0, 2.0]);
    }

    #[test]
    fn the_gradient_has_a_gradient() {
        // At x = -3 with slope a = 2: y = a x, and d(y^2)/dx = 2 a^2 x = -24, whose derivative by a is 4 a x = -24.
        let xs = Tensor::from(-3.0f32).set_requires_grad(true);
        let weight = Tensor::from_slice(&[2.0f32]).set_requires_grad(true);
        let square = prelu(&xs, &weight).square();
        let slope = Tensor::run_backward(&[square], &[&xs], true, true).remove(0);
        assert_eq!(values(&slope), [-24.0]);
        slope.backward();
        assert_eq!(values(&weight.grad()), [-24.0]);
    }
}
