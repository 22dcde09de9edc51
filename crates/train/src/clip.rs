//! A bound on the gradients before a step: on each component, or on the norm of all together.

use abbe_torch::{clamp_gradients, clip_gradient_norm};
use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};
use tch::Tensor;

/// How gradients are bounded.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Clip {
    /// Each component to [-value, value] (`torch.nn.utils.clip_grad_value_`); above 0.
    Value(f64),
    /// All scaled down to this Euclidean norm where theirs is above (`torch.nn.utils.clip_grad_norm_`); above 0.
    Norm(f64),
}

impl Clip {
    /// Checks the bound.
    ///
    /// # Errors
    /// The key, what was expected and what was found.
    pub fn validate(&self) -> Result<()> {
        let (key, Self::Value(bound) | Self::Norm(bound)) = (self.key(), *self);
        let fine = bound > 0.0 && bound.is_finite();
        ensure!(fine, "{key}: expected a number above 0 (leave it out for none), found {bound}");
        Ok(())
    }

    fn key(&self) -> &'static str {
        match self {
            Self::Value(_) => "value",
            Self::Norm(_) => "norm",
        }
    }
}

/// Bounds the gradients of `parameters`, if `clip` is given. Returns the norm of all together before that, a scalar on
/// their device; to read it is to wait for the device.
///
/// Where the norm is not finite some gradient is not, and no bound mends it: the step must not be taken.
///
/// # Errors
/// What libtorch says.
pub fn clip_gradients(clip: Option<Clip>, parameters: &[Tensor]) -> Result<Tensor> {
    match clip {
        Some(Clip::Norm(most)) => Ok(clip_gradient_norm(parameters, most)?),
        Some(Clip::Value(limit)) => {
            let norm = clip_gradient_norm(parameters, f64::INFINITY)?;
            clamp_gradients(parameters, limit)?;
            Ok(norm)
        }
        None => Ok(clip_gradient_norm(parameters, f64::INFINITY)?),
    }
}

#[cfg(test)]
mod tests {
    use tch::Kind;

    use super::*;

    fn clipped(clip: Option<Clip>, gradient: [f32; 2]) -> (f64, Vec<f32>) {
        let parameter = Tensor::from_slice(&[1.0f32, 1.0]).set_requires_grad(true);
        (&parameter * Tensor::from_slice(&gradient)).sum(Kind::Float).backward();
        let norm = clip_gradients(clip, &[parameter.shallow_clone()]).unwrap();
        (norm.double_value(&[]), Vec::try_from(parameter.grad()).unwrap())
    }

    #[test]
    fn the_norm_is_that_before_the_bound() {
        // The norm of [3, -4] is 5; scaled to 2.5 it is halved.
        assert_eq!(clipped(None, [3.0, -4.0]), (5.0, vec![3.0, -4.0]));
        assert_eq!(clipped(Some(Clip::Value(3.5)), [3.0, -4.0]), (5.0, vec![3.0, -3.5]));
        let (norm, halved) = clipped(Some(Clip::Norm(2.5)), [3.0, -4.0]);
        assert!(norm == 5.0 && (halved[0] - 1.5).abs() < 1e-5 && (halved[1] + 2.0).abs() < 1e-5, "{halved:?}");
        assert_eq!(clipped(Some(Clip::Norm(6.0)), [3.0, -4.0]).1, [3.0, -4.0]);
    }

    #[test]
    fn what_is_not_finite_shows_in_the_norm() {
        for clip in [None, Some(Clip::Value(1.0)), Some(Clip::Norm(1.0))] {
            assert!(clipped(clip, [1.0, f32::NAN]).0.is_nan());
            assert!(clipped(clip, [1.0, f32::NEG_INFINITY]).0.is_infinite());
        }
    }

    #[test]
    fn bounds_are_above_zero() {
        let said = |clip: Clip| clip.validate().map_or_else(|error| error.to_string(), |()| "fine".into());
        assert_eq!(said(Clip::Norm(0.5)), "fine");
        assert!(said(Clip::Value(0.0)).contains("value: expected a number above 0"));
        assert!(said(Clip::Norm(f64::NAN)).contains("norm: expected"));
        assert!(said(Clip::Norm(f64::INFINITY)).contains("norm: expected"));
    }
}
