//! Gradients of a list of parameters, all together: their norm, a bound on it, and what a loss scale left in them.

use tch::{Kind, TchError, Tensor};

use crate::ffi;

/// The gradient of a parameter that has one and is not frozen.
pub(crate) fn gradient(parameter: &Tensor) -> Option<Tensor> {
    Some(parameter.grad()).filter(|gradient| gradient.defined() && parameter.requires_grad())
}

/// Of each parameter that has one.
fn gradients(parameters: &[Tensor]) -> Vec<Tensor> {
    parameters.iter().filter_map(gradient).collect()
}

fn zero(parameters: &[Tensor]) -> Tensor {
    Tensor::zeros([], (Kind::Float, parameters.first().map_or(tch::Device::Cpu, Tensor::device)))
}

/// The Euclidean norm of all gradients together, a scalar on their device; 0 where there is none. Where it is above `most`
/// every gradient is scaled by `most / (norm + 1e-6)`, as `torch.nn.utils.clip_grad_norm_` does; infinity: none is.
///
/// # Errors
/// What libtorch says.
pub fn clip_gradient_norm(parameters: &[Tensor], most: f64) -> Result<Tensor, TchError> {
    let gradients = gradients(parameters);
    if gradients.is_empty() {
        return Ok(zero(parameters));
    }
    tch::no_grad(|| ffi::clip_norm(&Vec::from_iter(&gradients), most))
}

/// Bounds each component of every gradient to [-limit, limit], as `torch.nn.utils.clip_grad_value_` does. Infinity becomes the
/// limit, NaN stays.
///
/// # Errors
/// What libtorch says.
pub fn clamp_gradients(parameters: &[Tensor], limit: f64) -> Result<(), TchError> {
    tch::no_grad(|| {
        gradients(parameters).iter_mut().try_for_each(|gradient| gradient.f_clamp_(-limit, limit).map(drop))
    })
}

/// Divides every gradient by `scale`, by which the loss was multiplied; says whether one of them is not finite.
///
/// # Errors
/// What libtorch says.
pub fn unscale_gradients(parameters: &[Tensor], scale: f64) -> Result<bool, TchError> {
    let gradients = gradients(parameters);
    let (found, inverse) = (zero(parameters), zero(parameters) + 1.0 / scale);
    tch::no_grad(|| ffi::unscale(&Vec::from_iter(&gradients), &found, &inverse))?;
    Ok(found.double_value(&[]) != 0.0)
}

/// Moves each tensor of `from` towards its partner in `to` by `weight`, a part in [0, 1] of the way: one step of an
/// exponential moving average with decay `1 - weight`, computed as `torch.optim.swa_utils.get_ema_multi_avg_fn` does.
///
/// # Errors
/// What libtorch says of shapes, kinds or devices that differ.
///
/// # Panics
/// Lists of different lengths.
pub fn lerp(from: &[Tensor], to: &[Tensor], weight: f64) -> Result<(), TchError> {
    tch::no_grad(|| ffi::lerp(&Vec::from_iter(from), &Vec::from_iter(to), weight))
}

/// [`lerp`] where `weight` is a scalar on the device, with what it computes rounded once more: a + weight * (b - a).
///
/// # Errors
/// Those of [`lerp`].
///
/// # Panics
/// Lists of different lengths.
pub fn lerp_by(from: &[Tensor], to: &[Tensor], weight: &Tensor) -> Result<(), TchError> {
    tch::no_grad(|| ffi::lerp_by(&Vec::from_iter(from), &Vec::from_iter(to), weight))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two parameters with the gradients [3, -4] and [12], and one without.
    fn parameters() -> Vec<Tensor> {
        let leaf = |values: &[f32]| Tensor::from_slice(values).set_requires_grad(true);
        let parameters = vec![leaf(&[1.0, 1.0]), leaf(&[1.0]), leaf(&[1.0])];
        let sum = (&parameters[0] * Tensor::from_slice(&[3.0f32, -4.0])).sum(Kind::Float) + &parameters[1] * 12.0;
        sum.sum(Kind::Float).backward();
        parameters
    }

    fn numbers(parameter: &Tensor) -> Vec<f32> {
        Vec::try_from(parameter.grad()).unwrap()
    }

    #[test]
    fn a_norm_above_the_bound_is_scaled_down_to_it() {
        // sqrt(9 + 16 + 144) = 13; to 6.5 every gradient is halved.
        let parameters = parameters();
        assert_eq!(clip_gradient_norm(&parameters, f64::INFINITY).unwrap().double_value(&[]), 13.0);
        assert_eq!(clip_gradient_norm(&parameters, 20.0).unwrap().double_value(&[]), 13.0);
        assert_eq!((numbers(&parameters[0]), numbers(&parameters[1])), (vec![3.0, -4.0], vec![12.0]));
        assert_eq!(clip_gradient_norm(&parameters, 6.5).unwrap().double_value(&[]), 13.0);
        assert!((numbers(&parameters[1])[0] - 6.0).abs() < 1e-5 && (numbers(&parameters[0])[1] + 2.0).abs() < 1e-5);
        assert_eq!(clip_gradient_norm(&parameters[2..], 1.0).unwrap().double_value(&[]), 0.0);
    }

    #[test]
    fn every_component_is_bounded() {
        let parameters = parameters();
        clamp_gradients(&parameters, 3.5).unwrap();
        assert_eq!((numbers(&parameters[0]), numbers(&parameters[1])), (vec![3.0, -3.5], vec![3.5]));
    }

    #[test]
    fn a_scale_is_taken_out_and_what_overflowed_is_found() {
        let parameters = parameters();
        assert!(!unscale_gradients(&parameters, 4.0).unwrap());
        assert_eq!(numbers(&parameters[1]), [3.0]);
        tch::no_grad(|| drop(parameters[0].grad().fill_(f64::INFINITY)));
        assert!(unscale_gradients(&parameters, 1.0).unwrap());
        assert!(!unscale_gradients(&parameters[2..], 1.0).unwrap());
    }

    #[test]
    fn an_average_moves_by_its_part_of_the_way() {
        // 1 + 0.25 * (5 - 1) = 2.
        let (average, now) = (Tensor::from_slice(&[1.0f32]), Tensor::from_slice(&[5.0f32]).set_requires_grad(true));
        lerp(&[average.shallow_clone()], &[now.shallow_clone()], 0.25).unwrap();
        assert_eq!(Vec::<f32>::try_from(&average).unwrap(), [2.0]);
        // 2 + 0.5 * (5 - 2) = 3.5.
        lerp_by(&[average.shallow_clone()], &[now], &Tensor::from(0.5f32)).unwrap();
        assert_eq!(Vec::<f32>::try_from(average).unwrap(), [3.5]);
    }
}
