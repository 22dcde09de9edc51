//! Optimisers against numbers that PyTorch made (`tests/golden/train/make.py`).

use abbe_checkpoint::StateDict;
use abbe_torch::{Adam, AdamConfig, Sgd, SgdConfig};
use tch::{Kind, Tensor};

use crate::support::repository;

/// The tensors of a golden file, by name.
pub struct Golden(StateDict);

impl Golden {
    /// That of `tests/golden/train` with this name.
    pub fn read(name: &str) -> Self {
        let value = abbe_checkpoint::read(repository("tests/golden/train").join(name)).unwrap();
        Golden(abbe_checkpoint::state_dict_of(&value).unwrap())
    }

    /// A tensor of floating-point numbers.
    pub fn tensor(&self, name: &str) -> Tensor {
        let stored = &self.0[name];
        let shape: Vec<i64> = stored.shape().iter().map(|&side| side as i64).collect();
        Tensor::from_slice(&stored.to_f32().unwrap()).view(&shape[..])
    }
}

/// Largest difference in relation to the largest value.
pub fn difference(ours: &Tensor, theirs: &Tensor) -> f64 {
    let largest = |tensor: &Tensor| tensor.abs().max().double_value(&[]);
    largest(&(ours - theirs)) / largest(theirs)
}

/// A hundred steps with the gradients of a golden file; the parameters and what is kept for each must be PyTorch's.
fn check_optimizer<O>(
    file: &str,
    new: impl Fn(Vec<Tensor>) -> O,
    step: impl Fn(&mut O),
    kept: impl Fn(&O, usize) -> Vec<(&'static str, Tensor)>,
) {
    let golden = Golden::read(file);
    let parameters = ["a", "b"].map(|name| golden.tensor(name).set_requires_grad(true));
    let gradients = ["a", "b"].map(|name| golden.tensor(&format!("gradients_{name}")));
    let mut optimizer = new(parameters.iter().map(Tensor::shallow_clone).collect());
    for index in 0..100 {
        for (parameter, gradient) in parameters.iter().zip(&gradients) {
            parameter.shallow_clone().zero_grad();
            (parameter * gradient.get(index)).sum(Kind::Float).backward(); // the gradient of sum(p * g) is g
        }
        step(&mut optimizer);
    }
    for (index, name) in ["a", "b"].into_iter().enumerate() {
        let mut pairs = kept(&optimizer, index);
        pairs.push(("final", parameters[index].detach()));
        for (what, ours) in pairs {
            let difference = difference(&ours, &golden.tensor(&format!("{what}_{name}")));
            println!("{file}, {what}_{name}: {difference:.1e}");
            assert!(difference < 1e-6, "{file}, {what}_{name}: {difference:e}");
        }
    }
}

#[test]
fn a_hundred_steps_of_adam_and_adamw_are_pytorchs() {
    let adam =
        AdamConfig { lr: 1e-2, betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0.0, decoupled_weight_decay: false };
    let adamw = AdamConfig { weight_decay: 0.1, decoupled_weight_decay: true, ..adam };
    for (file, config) in [("adam.pth", adam), ("adamw.pth", adamw)] {
        let kept = |adam: &Adam, index: usize| {
            let state = adam.state()[index].as_ref().unwrap();
            assert_eq!(state.step.double_value(&[]), 100.0);
            vec![("exp_avg", state.exp_avg.shallow_clone()), ("exp_avg_sq", state.exp_avg_sq.shallow_clone())]
        };
        check_optimizer(file, |parameters| Adam::new(parameters, config), |adam| adam.step().unwrap(), kept);
    }
}

#[test]
fn a_hundred_steps_of_sgd_are_pytorchs() {
    for (file, nesterov) in [("sgd.pth", false), ("nesterov.pth", true)] {
        let config = SgdConfig { lr: 1e-2, momentum: 0.9, weight_decay: 0.1, nesterov };
        let kept =
            |sgd: &Sgd, index: usize| vec![("momentum_buffer", sgd.state()[index].as_ref().unwrap().shallow_clone())];
        check_optimizer(file, |parameters| Sgd::new(parameters, config), |sgd| sgd.step().unwrap(), kept);
    }
}
