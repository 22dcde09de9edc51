//! The state of our optimisers to and from that of `torch.optim`. PyTorch's k-th parameter is the k-th of a network's
//! [`Store::parameters`](abbe_models::Store::parameters), and so of the optimiser that was made over them.
//!
//! What is restored are the steps and moments: an optimiser's numbers (learning rate, betas, ...) stay as they were set here.

use abbe_checkpoint as saved;
use abbe_models::convert::{from_checkpoint, to_checkpoint};
use abbe_torch::{Adam, ParameterState, Sgd};
use anyhow::{Result, ensure};
use tch::{Kind, Tensor};

/// The state of Adam or AdamW in one group, as `torch.optim` saves it.
pub fn of_adam(adam: &Adam) -> saved::Adam {
    let config = adam.config;
    let group = saved::AdamGroup {
        parameters: adam.state().len(),
        param_names: None,
        lr: config.lr,
        betas: config.betas.into(),
        eps: config.eps,
        weight_decay: config.weight_decay,
        amsgrad: false,
        maximize: false,
        decoupled_weight_decay: config.decoupled_weight_decay,
        initial_lr: None,
    };
    let state = |state: &ParameterState| saved::AdamState {
        step: state.step.double_value(&[]) as u64,
        exp_avg: to_checkpoint(&state.exp_avg),
        exp_avg_sq: to_checkpoint(&state.exp_avg_sq),
        max_exp_avg_sq: None,
    };
    saved::Adam { groups: vec![group], state: adam.state().iter().map(|kept| kept.as_ref().map(state)).collect() }
}

/// Lets `adam` go on from a saved state.
///
/// # Errors
/// A state of another form of Adam (`amsgrad`, `maximize`), or of other parameters; then nothing has changed.
pub fn restore_adam(adam: &mut Adam, saved: &saved::Adam) -> Result<()> {
    for (index, group) in saved.groups.iter().enumerate() {
        ensure!(!group.amsgrad && !group.maximize, "param_groups.{index}: `amsgrad` and `maximize` are not done here");
    }
    let state = |state: &saved::AdamState| -> Result<ParameterState> {
        Ok(ParameterState {
            step: Tensor::from(state.step as f32),
            exp_avg: from_checkpoint(&state.exp_avg, Kind::Float)?,
            exp_avg_sq: from_checkpoint(&state.exp_avg_sq, Kind::Float)?,
        })
    };
    let states = saved.state.iter().map(|kept| kept.as_ref().map(state).transpose());
    Ok(adam.restore(&states.collect::<Result<Vec<_>>>()?)?)
}

/// The state of SGD in one group, as `torch.optim` saves it.
pub fn of_sgd(sgd: &Sgd) -> saved::Sgd {
    let config = sgd.config;
    let group = saved::SgdGroup {
        parameters: sgd.state().len(),
        param_names: None,
        lr: config.lr,
        momentum: config.momentum,
        dampening: 0.0,
        weight_decay: config.weight_decay,
        nesterov: config.nesterov,
        maximize: false,
        initial_lr: None,
    };
    let momentum_buffers = sgd.state().iter().map(|buffer| buffer.as_ref().map(to_checkpoint)).collect();
    saved::Sgd { groups: vec![group], momentum_buffers }
}

/// Lets `sgd` go on from a saved state.
///
/// # Errors
/// A state of another form of SGD (`dampening`, `maximize`), or of other parameters; then nothing has changed.
pub fn restore_sgd(sgd: &mut Sgd, saved: &saved::Sgd) -> Result<()> {
    for (index, group) in saved.groups.iter().enumerate() {
        let is_plain = group.dampening == 0.0 && !group.maximize;
        ensure!(is_plain, "param_groups.{index}: `dampening` and `maximize` are not done here");
    }
    let buffer = |buffer: &saved::Tensor| from_checkpoint(buffer, Kind::Float);
    let buffers = saved.momentum_buffers.iter().map(|kept| kept.as_ref().map(buffer).transpose());
    Ok(sgd.restore(&buffers.collect::<Result<Vec<_>, _>>()?)?)
}
