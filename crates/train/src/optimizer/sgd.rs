//! The state of SGD to and from that of `torch.optim`.

use abbe_checkpoint::{self as saved, Value};
use abbe_models::convert::{from_checkpoint, to_checkpoint};
use abbe_torch::{Sgd, SgdConfig};
use anyhow::{Result, ensure};
use tch::Kind;

use super::groups::{Places, notice};

pub(super) fn to_value(groups: &[Sgd]) -> Value {
    let buffers = groups.iter().flat_map(Sgd::state).map(|buffer| buffer.as_ref().map(to_checkpoint));
    saved::Sgd { groups: groups.iter().map(group).collect(), momentum_buffers: buffers.collect() }.to_value()
}

fn group(sgd: &Sgd) -> saved::SgdGroup {
    let SgdConfig { lr, momentum, weight_decay, nesterov } = sgd.config;
    saved::SgdGroup {
        parameters: sgd.state().len(),
        param_names: None,
        lr,
        momentum,
        dampening: 0.0,
        weight_decay,
        nesterov,
        maximize: false,
        initial_lr: None,
    }
}

pub(super) fn restore(groups: &mut [Sgd], state: &Value, places: &Places) -> Result<Vec<String>> {
    let saved = saved::Sgd::from_value(state, &places.shapes)?;
    for (index, group) in saved.groups.iter().enumerate() {
        let is_plain = group.dampening == 0.0 && !group.maximize;
        ensure!(is_plain, "param_groups.{index}: `dampening` and `maximize` are not done here");
    }
    let buffer = |buffer: &saved::Tensor| from_checkpoint(buffer, Kind::Float);
    let buffers = saved.momentum_buffers.iter().map(|kept| kept.as_ref().map(buffer).transpose());
    let buffers = places.distribute(buffers.collect::<Result<_, _>>()?);
    groups.iter_mut().zip(&buffers).try_for_each(|(sgd, buffers)| sgd.restore(buffers))?;
    let pairs = saved.groups.iter().cycle().zip(groups).enumerate();
    Ok(pairs.filter_map(|(index, (saved, sgd))| notice("SGD", index, numbers(saved), numbers(&group(sgd)))).collect())
}

/// All but the learning rate, which schedules change.
fn numbers(group: &saved::SgdGroup) -> String {
    let saved::SgdGroup { momentum, weight_decay, nesterov, .. } = group;
    format!("momentum {momentum}, nesterov {nesterov}, weight_decay {weight_decay}")
}
