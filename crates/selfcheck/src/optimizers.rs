//! A hundred steps of the optimisers, their parameters and what they keep, against PyTorch's.

use abbe_torch::{Adam, AdamConfig, Sgd, SgdConfig};
use anyhow::{Context, Result, ensure};
use tch::{Device, Kind, Tensor};

use crate::check::{Check, Unit, largest};
use crate::golden::difference;
use crate::hashed::{INPUT, hashed};

const STEPS: u32 = 100;
const ADAM: AdamConfig =
    AdamConfig { lr: 1e-2, betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0.0, decoupled_weight_decay: false };
const SGD: SgdConfig = SgdConfig { lr: 1e-2, momentum: 0.9, weight_decay: 0.1, nesterov: false };

pub fn checks(device: Device) -> Vec<Check> {
    let check = |name, compute: Box<dyn Fn() -> Result<f64>>| {
        let reference = "PyTorch 2.11.0 on a CPU, after 100 steps";
        Check::new("optimizers", name, reference, Unit::Relative, compute).on(device, 1e-6)
    };
    let adamw = AdamConfig { weight_decay: 0.1, decoupled_weight_decay: true, ..ADAM };
    vec![
        check("adam", Box::new(move || adam("adam", ADAM, device))),
        check("adamw", Box::new(move || adam("adamw", adamw, device))),
        check("sgd", Box::new(move || sgd("sgd", SGD, device))),
        check("nesterov", Box::new(move || sgd("nesterov", SgdConfig { nesterov: true, ..SGD }, device))),
    ]
}

fn adam(name: &str, config: AdamConfig, device: Device) -> Result<f64> {
    let parameters = parameters(device);
    let mut adam = Adam::new(clones(&parameters), config);
    descend(&parameters, || Ok(adam.step()?))?;
    largest(parameters.iter().zip(adam.state()).enumerate().map(|(place, (parameter, state))| {
        let state = state.as_ref().context("a parameter without state")?;
        let steps = state.step.double_value(&[]);
        ensure!(steps == f64::from(STEPS), "{steps} steps are counted");
        let found = [("parameter", parameter), ("exp_avg", &state.exp_avg), ("exp_avg_sq", &state.exp_avg_sq)];
        compare(name, place, &found)
    }))
}

fn sgd(name: &str, config: SgdConfig, device: Device) -> Result<f64> {
    let parameters = parameters(device);
    let mut sgd = Sgd::new(clones(&parameters), config);
    descend(&parameters, || Ok(sgd.step()?))?;
    largest(parameters.iter().zip(sgd.state()).enumerate().map(|(place, (parameter, state))| {
        let buffer = state.as_ref().context("a parameter without state")?;
        compare(name, place, &[("parameter", parameter), ("momentum_buffer", buffer)])
    }))
}

/// The largest difference of what belongs to one parameter.
fn compare(name: &str, place: usize, found: &[(&str, &Tensor)]) -> Result<f64> {
    largest(found.iter().map(|(what, found)| difference(found, &format!("optimizers.{name}.{place}.{what}"))))
}

fn parameters(device: Device) -> Vec<Tensor> {
    let shapes: [&[i64]; 2] = [&[7, 5], &[11]];
    let tensor = |(shape, salt)| hashed(shape, INPUT + salt, 4.0, device).set_requires_grad(true);
    shapes.into_iter().zip(0..).map(tensor).collect()
}

fn clones(tensors: &[Tensor]) -> Vec<Tensor> {
    tensors.iter().map(Tensor::shallow_clone).collect()
}

/// Takes all steps, each with gradients of its own; those of the second parameter are small.
fn descend(parameters: &[Tensor], mut step: impl FnMut() -> Result<()>) -> Result<()> {
    for index in 0..STEPS {
        for ((parameter, place), width) in parameters.iter().zip(0..).zip([4.0, 4e-3]) {
            let gradient = hashed(&parameter.size(), INPUT + 2 + 2 * index + place, width, parameter.device());
            parameter.shallow_clone().zero_grad();
            (parameter * gradient).sum(Kind::Float).backward(); // the gradient of sum(p * g) is g
        }
        step()?;
    }
    Ok(())
}
