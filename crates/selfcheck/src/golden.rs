//! The stored tensors, and how far others are from them.

use std::sync::LazyLock;

use abbe_checkpoint::{StateDict, open_bytes, state_dict_of};
use abbe_models::convert::from_checkpoint;
use anyhow::{Context, Result, anyhow, ensure};
use tch::{Device, Kind, Tensor};

static GOLDENS: LazyLock<Result<StateDict, String>> = LazyLock::new(|| {
    let read = || state_dict_of(&open_bytes(include_bytes!("../golden/goldens.pth"))?.value);
    read().map_err(|error| error.to_string())
});

/// The stored tensor of a name, int64 or float32, on the CPU.
pub fn golden(name: &str, kind: Kind) -> Result<Tensor> {
    let goldens = GOLDENS.as_ref().map_err(|error| anyhow!("the stored numbers cannot be read: {error}"))?;
    let saved = goldens.get(name).with_context(|| format!("no {name} is stored: golden/make.py makes it"))?;
    Ok(from_checkpoint(saved, kind)?)
}

/// The largest difference of `found`, on any device, from the stored tensor of a name, over its largest number.
pub fn difference(found: &Tensor, name: &str) -> Result<f64> {
    relative(found, &golden(name, Kind::Float)?, largest)
}

/// The Euclidean norm of their difference over that of the stored tensor.
pub fn distance(found: &Tensor, name: &str) -> Result<f64> {
    relative(found, &golden(name, Kind::Float)?, Tensor::norm)
}

/// The size of the difference over that of `expected`.
fn relative(found: &Tensor, expected: &Tensor, size: impl Fn(&Tensor) -> Tensor) -> Result<f64> {
    ensure!(found.size() == expected.size(), "found the shape {:?}, expected {:?}", found.size(), expected.size());
    let [found, expected] =
        [found, expected].map(|tensor| tensor.detach().to_device(Device::Cpu).to_kind(Kind::Double));
    Ok(size(&(found - &expected)).double_value(&[]) / size(&expected).double_value(&[]))
}

/// The largest magnitude; NaN where one of the numbers is.
fn largest(tensor: &Tensor) -> Tensor {
    tensor.abs().max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_relative_to_the_largest_number() {
        // 1 apart at most, and the largest number of the reference is 4 in size.
        let [found, expected] = [[1.0f32, -3.0], [0.5, -4.0]].map(|values| Tensor::from_slice(&values));
        assert_eq!(relative(&found, &expected, largest).unwrap(), 0.25);
    }

    #[test]
    fn distances_are_euclidean() {
        // The difference (3, 4) has the norm 5, the reference (0, 10) the norm 10.
        let [found, expected] = [[3.0f32, 14.0], [0.0, 10.0]].map(|values| Tensor::from_slice(&values));
        assert_eq!(relative(&found, &expected, Tensor::norm).unwrap(), 0.5);
    }

    #[test]
    fn what_is_no_number_is_no_difference_either() {
        let [found, expected] = [[1.0f32, f32::NAN], [1.0, 2.0]].map(|values| Tensor::from_slice(&values));
        for size in [largest, Tensor::norm] {
            assert!(relative(&found, &expected, size).unwrap().is_nan());
        }
    }

    #[test]
    fn another_shape_and_a_missing_name_are_errors() {
        let (row, column) = (Tensor::from_slice(&[1.0f32, 2.0]), Tensor::from_slice(&[1.0f32, 2.0]).view([2, 1]));
        assert!(relative(&row, &column, largest).unwrap_err().to_string().contains("[2, 1]"));
        assert!(difference(&row, "networks.none").unwrap_err().to_string().contains("make.py"));
    }
}
