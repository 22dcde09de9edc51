//! The state of Adam and AdamW to and from that of `torch.optim`.

use abbe_checkpoint::{self as saved, Value};
use abbe_models::convert::{from_checkpoint, to_checkpoint};
use abbe_torch::{Adam, AdamConfig, ParameterState};
use anyhow::{Result, ensure};
use tch::{Kind, Tensor};

use super::groups::{Places, notice};

pub(super) fn to_value(groups: &[Adam]) -> Value {
    let state = |state: &ParameterState| saved::AdamState {
        step: state.step.double_value(&[]) as u64,
        exp_avg: to_checkpoint(&state.exp_avg),
        exp_avg_sq: to_checkpoint(&state.exp_avg_sq),
        max_exp_avg_sq: None,
    };
    let states = groups.iter().flat_map(Adam::state).map(|kept| kept.as_ref().map(state));
    saved::Adam { groups: groups.iter().map(group).collect(), state: states.collect() }.to_value()
}

fn group(adam: &Adam) -> saved::AdamGroup {
    let AdamConfig { lr, betas, eps, weight_decay, decoupled_weight_decay } = adam.config;
    saved::AdamGroup {
        parameters: adam.state().len(),
        param_names: None,
        lr,
        betas: betas.into(),
        eps,
        weight_decay,
        amsgrad: false,
        maximize: false,
        decoupled_weight_decay,
        initial_lr: None,
    }
}

pub(super) fn restore(groups: &mut [Adam], state: &Value, places: &Places) -> Result<Vec<String>> {
    let saved = saved::Adam::from_value(state, &places.shapes)?;
    for (index, group) in saved.groups.iter().enumerate() {
        ensure!(!group.amsgrad && !group.maximize, "param_groups.{index}: `amsgrad` and `maximize` are not done here");
    }
    let states = saved.state.iter().map(|kept| kept.as_ref().map(parameter_state).transpose());
    let states = places.distribute(states.collect::<Result<_>>()?);
    groups.iter_mut().zip(&states).try_for_each(|(adam, states)| adam.restore(states))?;
    let pairs = saved.groups.iter().cycle().zip(groups).enumerate();
    Ok(pairs
        .filter_map(|(index, (saved, adam))| notice("Adam", index, numbers(saved), numbers(&group(adam))))
        .collect())
}

fn parameter_state(state: &saved::AdamState) -> Result<ParameterState> {
    Ok(ParameterState {
        step: Tensor::from(state.step as f32),
        exp_avg: from_checkpoint(&state.exp_avg, Kind::Float)?,
        exp_avg_sq: from_checkpoint(&state.exp_avg_sq, Kind::Float)?,
    })
}

/// All but the learning rate, which schedules change.
fn numbers(group: &saved::AdamGroup) -> String {
    let saved::AdamGroup { betas: (first, second), eps, weight_decay, decoupled_weight_decay, .. } = group;
    let form = if *decoupled_weight_decay && *weight_decay != 0.0 { " as in AdamW" } else { "" };
    format!("betas [{first}, {second}], eps {eps:e}, weight_decay {weight_decay}{form}")
}
