//! Steps of an adversarial training that a GPU is given as graphs, against the same steps operation by operation.

use abbe_train::{At, Batch, Experiment, Networks, Progress, Trainer};
use anyhow::{Context, Result, bail};
use tch::{Device, Tensor};

use crate::check::{Check, Skip, Unit, largest};
use crate::hashed::{INPUT, fill, hashed};

const STEPS: u64 = 4;

/// Batch norm in both networks, an average, a discriminator every other step. Gradient descent without moments, because Adam's
/// first steps are as long for a gradient that is only rounding as for any other.
const EXPERIMENT: &str = r#"
name = "graphs"
seed = 0
scale = 4
ema = { generator = { decay = 0.9 } }
[data]
train = { hr = "hr", lr = { bicubic = { border = "replicate" } }, conversion = "refuse" }
test = { hr = "hr", lr = { bicubic = { border = "replicate" } }, conversion = "refuse" }
patch = 32
batch = 2
patches_per_picture = 1
augment = false
workers = 1
[networks]
generator = { srresnet = { scale = 4, blocks = 2, channels = 8, norm = "batch", input = "lr", bicubic_skip = false } }
[discriminator.srgan]
patch = 32
channels = 4
[[phase]]
name = "adversarial"
network = "generator"
length = { steps = 4 }
optimizer = { sgd = { lr = 1e-2, momentum = 0.9 } }
schedule = "constant"
save_epochs = []
clamp_output = false
clip = { norm = 0.5 }
discriminator = { every = 2, optimizer = { sgd = { lr = 1e-2, momentum = 0.9 } } }
loss.pixel = { weight = 1.0, distance = "mse" }
loss.adversarial = { weight = 1e-1, form = "non_saturating" }
"#;

pub fn checks(device: Device) -> Vec<Check> {
    let reference = "the same steps, operation by operation";
    vec![Check::new("graphs", "adversarial", reference, Unit::Relative, move || apart(device)).on(device, 1e-5)]
}

/// How far weights are from each other after a few steps with and without graphs.
fn apart(device: Device) -> Result<f64> {
    let (recorded, notices) = trained(device, true)?;
    match notices.into_iter().next() {
        Some(notice) if device.is_cuda() => bail!(notice),
        Some(notice) => return Err(Skip(notice).into()),
        None => {}
    }
    let (expected, _) = trained(device, false)?;
    largest(recorded.iter().zip(&expected).map(|(found, expected)| {
        let size = expected.abs().max().double_value(&[]).max(f64::MIN_POSITIVE); // a bias may be 0
        Ok((found - expected).abs().max().double_value(&[]) / size)
    }))
}

/// All weights of both networks in a row, one row for each network, and what was said of the steps.
fn trained(device: Device, cuda_graphs: bool) -> Result<(Vec<Tensor>, Vec<String>)> {
    let experiment = Experiment { cuda_graphs, ..Experiment::parse(EXPERIMENT)? };
    let mut trainer = Trainer::new(&experiment, Networks::new(&experiment, device)?, None, device, None)?;
    let critic = trainer.networks.critic.as_ref().context("no discriminator")?;
    fill(trainer.networks.trainees["generator"].model.store())?;
    fill(critic.network.store())?;
    trainer.begin_phase(0)?;
    let mut notices = Vec::new();
    for step in 0..STEPS {
        let progress = Progress { step, steps: STEPS, scores: &[] };
        let noise = |side, salt| hashed(&[2, 3, side, side], INPUT + 2 * step as u32 + salt, 1.0, device) + 0.5;
        let numbers = trainer.step(0, At { progress, number: step }, &Batch::new(noise(8, 0), noise(32, 1)))?;
        notices.extend(numbers.notices);
    }
    let critic = trainer.networks.critic.as_ref().context("no discriminator")?;
    let stores = [trainer.networks.trainees["generator"].model.store(), critic.network.store()];
    let row = |weights: Vec<Tensor>| Tensor::cat(&Vec::from_iter(weights.iter().map(|w| w.detach().reshape([-1]))), 0);
    Ok((stores.map(|store| row(store.parameters())).into(), notices))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_a_cpu_the_key_changes_nothing_and_is_said_once_to_do_nothing() {
        let [(on, notices), (off, none)] = [true, false].map(|graphs| trained(Device::Cpu, graphs).unwrap());
        assert_eq!(on, off);
        assert_eq!(notices, ["cuda_graphs: steps are not recorded: only a GPU has CUDA graphs"]);
        assert!(none.is_empty());
    }
}
