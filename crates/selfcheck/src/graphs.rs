//! Steps of an adversarial training that a GPU is given as graphs, against the same steps operation by operation.

use abbe_train::{At, Batch, Experiment, Networks, Progress, Trainer};
use anyhow::{Context, Result, bail};
use tch::{Device, Tensor};

use crate::check::{Check, Skip, Unit, largest};
use crate::hashed::{INPUT, fill, hashed};

/// The first step of a network is done without a graph, its second one is recorded.
const STEPS: u64 = 8;

/// The optimisers that have a fused step. Adam's eps is large, because its first steps are else as long for a gradient that is
/// only rounding as for any other.
const OPTIMIZERS: [(&str, &str); 3] = [
    ("sgd", "sgd = { lr = 1e-2, momentum = 0.9 }"),
    ("adam", "adam = { lr = 1e-3, betas = [0.9, 0.99], eps = 1e-2 }"),
    ("adamw", "adamw = { lr = 1e-3, betas = [0.9, 0.99], eps = 1e-2, weight_decay = 0.1 }"),
];

/// Batch norm in both networks, an average whose weight changes, a learning rate that does, a bound on the gradient, a
/// discriminator every other step, steps that may be left out.
const EXPERIMENT: &str = r#"
name = "graphs"
seed = 0
scale = 4
non_finite = { skip = { in_a_row = 1 } }
ema = { generator = { decay = 0.9, warm_up = true } }
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
length = { steps = 8 }
optimizer = { OPTIMIZER }
schedule = { cosine = { to = 1e-4 } }
save_epochs = []
clamp_output = false
clip = { norm = 0.5 }
discriminator = { every = 2, optimizer = { OPTIMIZER } }
loss.pixel = { weight = 1.0, distance = "mse" }
loss.adversarial = { weight = 1e-1, form = "non_saturating" }
"#;

pub fn checks(device: Device) -> Vec<Check> {
    let reference = "the same steps, operation by operation";
    let check = |(name, optimizer): (&'static str, &'static str)| {
        Check::new("graphs", name, reference, Unit::Relative, move || apart(optimizer, device)).on(device, 1e-5)
    };
    OPTIMIZERS.into_iter().map(check).collect()
}

/// How far weights are from each other after a few steps with and without graphs.
fn apart(optimizer: &str, device: Device) -> Result<f64> {
    let (recorded, notices) = trained(optimizer, device, true)?;
    match notices.into_iter().next() {
        Some(notice) if device.is_cuda() => bail!(notice),
        Some(notice) => return Err(Skip(notice).into()),
        None => {}
    }
    let (expected, _) = trained(optimizer, device, false)?;
    largest(recorded.iter().zip(&expected).map(|(found, expected)| {
        let size = expected.abs().max().double_value(&[]).max(f64::MIN_POSITIVE); // a bias may be 0
        Ok((found - expected).abs().max().double_value(&[]) / size)
    }))
}

/// All weights of both networks and of the average, one row for each, and what was said of the steps.
fn trained(optimizer: &str, device: Device, cuda_graphs: bool) -> Result<(Vec<Tensor>, Vec<String>)> {
    let text = EXPERIMENT.replace("OPTIMIZER", optimizer);
    let experiment = Experiment { cuda_graphs, ..Experiment::parse(&text)? };
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
    let generator = &trainer.networks.trainees["generator"];
    let ema = generator.ema.as_ref().context("no average")?;
    let stores = [generator.model.store(), ema.model().store(), critic.network.store()];
    let row = |weights: Vec<Tensor>| Tensor::cat(&Vec::from_iter(weights.iter().map(|w| w.detach().reshape([-1]))), 0);
    Ok((stores.map(|store| row(store.parameters())).into(), notices))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_a_cpu_the_key_changes_nothing_and_is_said_once_to_do_nothing() {
        let [(on, notices), (off, none)] =
            [true, false].map(|graphs| trained(OPTIMIZERS[1].1, Device::Cpu, graphs).unwrap());
        assert_eq!(on, off);
        assert_eq!(notices, ["cuda_graphs: steps are not recorded: only a GPU has CUDA graphs"]);
        assert!(none.is_empty());
    }
}
