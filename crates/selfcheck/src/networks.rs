//! Forward passes of the networks that enlarge pictures, in their usual configurations, of SRGAN's discriminator and of VGG-19,
//! against PyTorch's.

use abbe_models::vgg::{Features, Net};
use abbe_models::{Config, NETWORKS, discriminator};
use abbe_torch::autocast;
use anyhow::{Context, Result};
use tch::{Device, Kind, Tensor};

use crate::check::{Check, Unit};
use crate::golden::difference;
use crate::hashed::{INPUT, fill, hashed};

const PART: &str = "networks";
const REFERENCE: &str = "PyTorch 2.11.0 in float64";

/// Of networks in float32. Those that were measured come to 1e-6, and RCAN, the deepest, to 7e-6.
const LIMIT: f64 = 3e-5;

pub fn checks(device: Device) -> Vec<Check> {
    let configs = NETWORKS.iter().map(|network| (network.usual)()).filter(|config| config.scale().is_some());
    let critic = Config::from(discriminator::Config { patch: 96, channels: 64 });
    let forward = configs.chain([critic]).map(|config| {
        let compute = move || difference(&output(&config, device)?, &format!("networks.{}", config.name()));
        Check::new(PART, config.name(), REFERENCE, Unit::Relative, compute).on(device, LIMIT)
    });
    let vgg19 =
        Check::new(PART, "vgg19", REFERENCE, Unit::Relative, move || vgg19_difference(device)).on(device, LIMIT);
    let halves = ["srresnet", "rrdbnet"].into_iter().flat_map(|name| [(name, Kind::Half), (name, Kind::BFloat16)]);
    forward.chain([vgg19]).chain(halves.map(|(name, half)| half_precision(name, half, device))).collect()
}

fn output(config: &Config, device: Device) -> Result<Tensor> {
    let built = config.build(device)?;
    fill(built.network().store())?;
    let shape = match (config.input(), config.scale()) {
        ([channels, ..], Some(_)) => [1, channels, 8, 9],
        ([channels, height, width], None) => [2, channels, height, width],
    };
    let picture = hashed(&shape, INPUT, 1.0, device) + 0.5;
    Ok(tch::no_grad(|| built.network().forward(&picture, false)))
}

/// VGG-19 with weights of the formula.
pub fn vgg19(device: Device) -> Result<Features> {
    let vgg = Features::new(Net::Vgg19, device);
    fill(vgg.store())?;
    Ok(vgg)
}

fn vgg19_difference(device: Device) -> Result<f64> {
    let features = vgg19(device)?.forward(&hashed(&[1, 3, 32, 32], INPUT, 4.0, device), &["relu5_4"])?;
    difference(&features[0], "networks.vgg19")
}

/// How far a network in half precision is from itself in float32.
fn half_precision(name: &'static str, half: Kind, device: Device) -> Check {
    let compute = move || {
        let network = NETWORKS.iter().find(|network| network.name == name).context("no network of this name")?;
        let config = (network.usual)();
        Ok(decibels(&autocast(device, half, || output(&config, device))??, &output(&config, device)?))
    };
    let kind = if half == Kind::Half { "f16" } else { "bf16" };
    let check = Check::new(PART, format!("{name}-{kind}"), "float32 on the same device", Unit::Decibel, compute);
    check.for_information(device)
}

/// PSNR of `found`, the peak being the span of `expected`.
fn decibels(found: &Tensor, expected: &Tensor) -> f64 {
    let [found, expected] = [found, expected].map(|tensor| tensor.to_kind(Kind::Double));
    let span = (expected.max() - expected.min()).double_value(&[]);
    let error = (found - expected).square().mean(Kind::Double).double_value(&[]);
    10.0 * (span * span / error).log10()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decibels_are_those_of_the_span() {
        // The span is 4 and the mean squared error 0.04 / 2 = 0.02: 10 log10(16 / 0.02) = 29.0309.
        let [found, expected] = [[1.2f32, 5.0], [1.0, 5.0]].map(|values| Tensor::from_slice(&values));
        assert!((decibels(&found, &expected) - 29.0309).abs() < 1e-4);
    }
}
