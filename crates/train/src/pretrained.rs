//! A network's first weights, and its optimiser's first state, out of files.

use std::path::Path;

use abbe_checkpoint::{StateDict, TrainingState, Unwrapped, Value};
use abbe_models::{Config, Error, LoadReport, Store, card_of};
use abbe_torch::{Adam, AdamConfig};
use anyhow::{Context, Result, ensure};

use crate::digest::described;
use crate::experiment::Pretrained;
use crate::optimizer_state;

/// The place of the generator's optimiser in a training state, as in BasicSR.
pub(crate) const GENERATOR: usize = 0;
/// The place of the discriminator's.
pub(crate) const DISCRIMINATOR: usize = 1;

/// What a network begins with.
pub struct Origin {
    /// Files with their SHA-256, or the seed.
    pub weights: String,
    /// What every output must say of it, such as tensors that were left aside.
    pub notices: Vec<String>,
}

impl Origin {
    /// Random weights.
    pub(crate) fn random(seed: u64) -> Self {
        Origin { weights: format!("random, seed {seed}"), notices: Vec::new() }
    }
}

/// Loads a network, and the optimiser that is to go on training it; `place` is its optimiser's in a training state.
pub(crate) fn load(from: &Pretrained, config: &Config, store: &Store, adam: &mut Adam, place: usize) -> Result<Origin> {
    let in_file = |key: &str, path: &Path| format!("{key} {}", path.display());
    let path = &from.checkpoint;
    let mut notices = weights(from, config, store).with_context(|| in_file("checkpoint", path))?;
    let mut weights = described(path)?;
    if let Some(path) = &from.optimizer {
        let different = optimizer(path, store, adam, place).with_context(|| in_file("optimizer", path))?;
        notices.extend(different);
        weights = format!("{weights}; Adam from {}", described(path)?);
    }
    Ok(Origin { weights, notices })
}

/// Loads the weights and tells what whoever uses them must know.
fn weights(from: &Pretrained, config: &Config, store: &Store) -> Result<Vec<String>> {
    let path = &from.checkpoint;
    let value = abbe_checkpoint::read(path)?;
    let mut notices = match card_of(path) {
        Ok(card) => card.notices,
        Err(Error::NoCard(_)) => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    let trained = value.get("params").map(|_| "params");
    let Unwrapped { key, state, others } = abbe_checkpoint::unwrap(&value, trained)?;
    if let (Some(key), [_, ..]) = (key, others.as_slice()) {
        notices.push(format!(
            "{}: training begins with the weights under `{key}`, not with {}",
            path.display(),
            others.join(", ")
        ));
    }
    let report = match from.partial {
        true => store.load_partial(&state)?,
        false => load_whole(config, store, &state, from.optimizer.is_some())?,
    };
    let said = report
        .conversions()
        .into_iter()
        .chain((!report.fits()).then(|| format!("loaded in part; what was left aside:\n{report}")));
    notices.extend(said.map(|said| format!("{}: {said}", path.display())));
    Ok(notices)
}

/// Loads a state dict in whichever of the network's layouts it is. With an optimiser's state to come, the parameters must
/// be in our order too: PyTorch numbers them in the order in which its module has them.
fn load_whole(config: &Config, store: &Store, state: &StateDict, ordered: bool) -> Result<LoadReport> {
    let own = store.load(state);
    for layout in config.layouts().into_iter().skip(1).filter(|_| own.is_err()) {
        let Ok(naming) = config.naming(layout) else { continue };
        let Ok(report) = store.load_as(state, &naming) else { continue };
        let places = store.parameter_names().into_iter().map(|name| state.get_index_of(&naming.rename(&name)));
        ensure!(
            !ordered || places.is_sorted(),
            "its parameters, named as `{layout}` names them, are in another order than Abbe's, so an optimiser's state cannot \
             be matched to them: leave `optimizer` out"
        );
        return Ok(report);
    }
    Ok(own?)
}

/// Restores the optimiser; a notice when the experiment's numbers differ from those that the state was made with.
fn optimizer(path: &Path, store: &Store, adam: &mut Adam, place: usize) -> Result<Option<String>> {
    let value = abbe_checkpoint::read(path)?;
    let shape = |parameter: &tch::Tensor| parameter.size().iter().map(|&side| side as usize).collect();
    let shapes: Vec<Vec<usize>> = store.parameters().iter().map(shape).collect();
    let saved = abbe_checkpoint::Adam::from_value(&optimizer_of(value, place)?, &shapes)?;
    optimizer_state::restore_adam(adam, &saved)?;
    let other = saved.groups.iter().map(|group| AdamConfig {
        lr: adam.config.lr, // schedules change it, so that it differs in most files
        betas: group.betas.into(),
        eps: group.eps,
        weight_decay: group.weight_decay,
        decoupled_weight_decay: group.decoupled_weight_decay && group.weight_decay != 0.0,
    });
    let other = other.into_iter().find(|group| *group != adam.config);
    Ok(other.map(|AdamConfig { betas, eps, weight_decay, .. }| {
        format!(
            "{}: Adam's state was made with betas {betas:?}, eps {eps:e}, weight_decay {weight_decay}; it goes on with the \
             experiment's numbers",
            path.display()
        )
    }))
}

/// The optimiser at a place of a training state, or an optimiser's state by itself.
fn optimizer_of(value: Value, place: usize) -> Result<Value> {
    if value.get("param_groups").is_some() {
        return Ok(value);
    }
    let optimizers = TrainingState::from_value(&value)?.optimizers;
    let count = optimizers.len();
    optimizers.into_iter().nth(place).with_context(|| {
        format!(
            "expected the generator's optimiser at 0 and the discriminator's at 1 of `optimizers`, found {count} in all"
        )
    })
}
