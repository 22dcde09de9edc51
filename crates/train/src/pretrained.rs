//! A network's first weights, and its optimiser's first state, out of files.

use std::path::Path;

use abbe_checkpoint::{StateDict, TrainingState, Unwrapped, Value};
use abbe_models::{Config, Error, LoadReport, Store, card_of};
use anyhow::{Context, Result, ensure};

use crate::experiment::Pretrained;
use crate::optimizer::Optimizer;

/// The place of the generator's optimiser in a training state, as in BasicSR.
pub(crate) const GENERATOR: usize = 0;
/// The place of the discriminator's.
pub(crate) const DISCRIMINATOR: usize = 1;

/// The keys of plain weights in files that may have averaged ones beside them.
const PLAIN: [&str; 3] = ["params", "state_dict", "g"];

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
pub(crate) fn load(
    from: &Pretrained,
    config: &Config,
    store: &Store,
    optimizer: &mut Optimizer,
    place: usize,
) -> Result<Origin> {
    let in_file = |key: &str, path: &Path| format!("{key} {}", path.display());
    let path = &from.checkpoint;
    let mut notices = weights(from, config, store).with_context(|| in_file("checkpoint", path))?;
    let mut weights = described(path)?;
    if let Some(path) = &from.optimizer {
        notices.extend(restore(path, optimizer, place).with_context(|| in_file("optimizer", path))?);
        weights = format!("{weights}; optimiser from {}", described(path)?);
    }
    Ok(Origin { weights, notices })
}

/// A file's path and SHA-256, as manifests name it.
fn described(path: &Path) -> Result<String> {
    Ok(format!("{} (SHA-256 {})", path.display(), abbe_checkpoint::sha256(path)?))
}

/// Loads the weights and tells what whoever uses them must know.
fn weights(from: &Pretrained, config: &Config, store: &Store) -> Result<Vec<String>> {
    let path = &from.checkpoint;
    let value = abbe_checkpoint::read(path)?;
    let mut notices = match card_of(path) {
        Ok(card) => {
            let same = from.partial || card.network == *config;
            ensure!(same, "it is of {:?}, the experiment's network is {config:?}", card.network);
            card.notices
        }
        Err(Error::NoCard(_)) => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    let is_dict = |key: &&str| value.get(key).is_some_and(|value| value.entries().is_some());
    let Unwrapped { key, state, others } = abbe_checkpoint::unwrap(&value, PLAIN.into_iter().find(is_dict))?;
    let mut say = |what: String| notices.push(format!("{}: {what}", path.display()));
    if let (Some(key), [_, ..]) = (key, others.as_slice()) {
        say(format!("training begins with the weights under `{key}`, not with {}", others.join(", ")));
    }
    let report = match from.partial {
        true => store.load_partial(&state)?,
        false => load_whole(config, store, &state, from.optimizer.is_some())?,
    };
    report.conversions().into_iter().for_each(&mut say);
    if !report.fits() {
        say(format!("loaded in part; what was left aside:\n{report}"));
    }
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

/// Restores the optimiser; notices where the experiment's numbers differ from those that the state was made with.
fn restore(path: &Path, optimizer: &mut Optimizer, place: usize) -> Result<Vec<String>> {
    let notices = optimizer.restore(&optimizer_of(abbe_checkpoint::read(path)?, place)?)?;
    Ok(notices.into_iter().map(|notice| format!("{}: {notice}", path.display())).collect())
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

#[cfg(test)]
mod tests {
    use abbe_models::{Built, Card, srcnn};
    use tch::Device;

    use super::*;

    fn srcnn(scale: i64) -> (Config, Built) {
        let config =
            Config::Srcnn(srcnn::Config { scale, kernels: [3, 1, 3], channels: [2, 2], ..srcnn::Config::paper(scale) });
        (config, config.build(Device::Cpu).unwrap())
    }

    #[test]
    fn an_optimisers_state_needs_parameters_in_our_order() {
        let (config, built) = srcnn(4);
        let store = built.network().store();
        let naming = config.naming("lornatang").unwrap();
        let theirs = store.state_dict_as(&naming);
        assert!(load_whole(&config, store, &theirs, true).unwrap().fits());
        let reversed: StateDict = theirs.into_iter().rev().collect();
        assert!(load_whole(&config, store, &reversed, false).unwrap().fits());
        let error = load_whole(&config, store, &reversed, true).err().unwrap().to_string();
        assert!(error.contains("`lornatang`") && error.contains("another order"), "{error}");
        // In our own names the order of a file says nothing: ours is PyTorch's.
        let ours: StateDict = store.state_dict().into_iter().rev().collect();
        assert!(load_whole(&config, store, &ours, true).unwrap().fits());
    }

    #[test]
    fn a_network_with_the_same_tensors_may_still_be_another_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x2.pth");
        let ((network, x2), (config, x4)) = (srcnn(2), srcnn(4));
        abbe_models::save(&path, x2.network(), &Card { network, notices: vec!["mind".into()], sources: Vec::new() })
            .unwrap();
        let from = |partial| Pretrained { checkpoint: path.clone(), partial, optimizer: None };
        let error = weights(&from(false), &config, x4.network().store()).err().unwrap().to_string();
        assert!(error.contains("scale: 2") && error.contains("scale: 4"), "{error}");
        assert_eq!(weights(&from(true), &config, x4.network().store()).unwrap(), ["mind"]);
        assert_eq!(weights(&from(false), &network, x4.network().store()).unwrap(), ["mind"]);
    }

    #[test]
    fn an_optimisers_state_stands_in_a_training_state_or_by_itself() {
        let dict = |key: &str, value: Value| Value::Dict(vec![(Value::Text(key.into()), value)]);
        let optimizer = |lr: f64| dict("param_groups", Value::List(vec![dict("lr", Value::Float(lr))]));
        let optimizers = vec![optimizer(1.0), optimizer(2.0)];
        let state = TrainingState { epoch: 0, iter: 1, optimizers, schedulers: vec![], more: vec![] }.to_value();
        assert_eq!(optimizer_of(state.clone(), DISCRIMINATOR).unwrap(), optimizer(2.0));
        assert_eq!(optimizer_of(optimizer(3.0), DISCRIMINATOR).unwrap(), optimizer(3.0));
        assert!(optimizer_of(state, 2).unwrap_err().to_string().contains("found 2 in all"));
    }
}
