//! The state of RMSprop to and from that of `torch.optim`.

use abbe_checkpoint::{self as saved, Value};
use abbe_models::convert::{from_checkpoint, to_checkpoint};
use abbe_torch::{RmsProp, RmsPropConfig, RmsPropState};
use anyhow::{Result, ensure};
use tch::{Kind, Tensor};

use super::groups::{Places, notice};

pub(super) fn to_value(groups: &[RmsProp]) -> Value {
    let state = |state: &RmsPropState| saved::RmsPropState {
        step: state.step.double_value(&[]) as u64,
        square_avg: to_checkpoint(&state.square_avg),
        momentum_buffer: state.momentum_buffer.as_ref().map(to_checkpoint),
        grad_avg: state.grad_avg.as_ref().map(to_checkpoint),
    };
    let states = groups.iter().flat_map(RmsProp::state).map(|kept| kept.as_ref().map(state));
    saved::RmsProp { groups: groups.iter().map(group).collect(), state: states.collect() }.to_value()
}

fn group(rmsprop: &RmsProp) -> saved::RmsPropGroup {
    let RmsPropConfig { lr, alpha, eps, momentum, centered, weight_decay } = rmsprop.config;
    saved::RmsPropGroup {
        parameters: rmsprop.state().len(),
        param_names: None,
        lr,
        momentum,
        alpha,
        eps,
        centered,
        weight_decay,
        maximize: false,
        initial_lr: None,
    }
}

pub(super) fn restore(groups: &mut [RmsProp], state: &Value, places: &Places) -> Result<Vec<String>> {
    let saved = saved::RmsProp::from_value(state, &places.shapes)?;
    for (index, group) in saved.groups.iter().enumerate() {
        ensure!(!group.maximize, "param_groups.{index}: `maximize` is not done here");
    }
    let states = saved.state.iter().map(|kept| kept.as_ref().map(parameter_state).transpose());
    let states = places.distribute(states.collect::<Result<_>>()?);
    groups.iter_mut().zip(&states).try_for_each(|(rmsprop, states)| rmsprop.restore(states))?;
    let pairs = saved.groups.iter().cycle().zip(groups).enumerate();
    let notice = |(index, (saved, rmsprop)): (usize, (_, &mut RmsProp))| {
        notice("RMSprop", index, numbers(saved), numbers(&group(rmsprop)))
    };
    Ok(pairs.filter_map(notice).collect())
}

fn parameter_state(state: &saved::RmsPropState) -> Result<RmsPropState> {
    let tensor = |saved: &saved::Tensor| from_checkpoint(saved, Kind::Float);
    Ok(RmsPropState {
        step: Tensor::from(state.step as f32),
        square_avg: tensor(&state.square_avg)?,
        momentum_buffer: state.momentum_buffer.as_ref().map(tensor).transpose()?,
        grad_avg: state.grad_avg.as_ref().map(tensor).transpose()?,
    })
}

/// All but the learning rate, which schedules change.
fn numbers(group: &saved::RmsPropGroup) -> String {
    let saved::RmsPropGroup { alpha, eps, momentum, centered, weight_decay, .. } = group;
    format!("alpha {alpha}, eps {eps:e}, momentum {momentum}, centered {centered}, weight_decay {weight_decay}")
}
