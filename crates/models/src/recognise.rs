//! Which network a state dict from elsewhere belongs to.

use std::borrow::Cow;

use abbe_checkpoint::{StateDict, Tensor};
use tch::Device;

use crate::config::Candidate;
use crate::store::fills_with_zero;
use crate::{Built, Config, Error, Hints, Keys, LoadReport, NETWORKS};

/// Prefixes that wrappers put before every name: `DataParallel`, `torch.compile`, BasicSR's models, MMEditing. The last
/// one is also the start of old ESRGAN names, so names are tried with it first.
const PREFIXES: [&str; 6] = ["module.", "_orig_mod.", "netG.", "netD.", "generator.", "model."];

/// PyTorch's ImageNet example wraps the convolutions of VGG and AlexNet alone in `DataParallel`.
const PARALLEL_FEATURES: &str = "features.module.";

/// Entries that wrappers add, which belong to no network: of `AveragedModel` and of other averages.
const COUNTERS: [&str; 3] = ["n_averaged", "step", "initted"];

/// A network that was recognised, with its weights.
pub struct Recognised {
    /// What its names and shapes say.
    pub config: Config,
    /// The project that names its tensors so.
    pub layout: &'static str,
    /// What stood before every name; often nothing.
    pub prefix: String,
    /// Its tensors in the file's names, without what stood before them.
    pub state: StateDict,
    /// The network, which has the weights.
    pub built: Built,
    /// What was done to load them.
    pub report: LoadReport,
}

impl Recognised {
    fn load(
        config: Config,
        layout: &'static str,
        (prefix, state): (&str, &StateDict),
        device: Device,
    ) -> Result<Self, Error> {
        let (built, report) = fit(&config, layout, state, device)?;
        Ok(Recognised { config, layout, prefix: prefix.into(), state: state.clone(), built, report })
    }

    /// Its tensors in the names of a layout, as they are in the file: their numbers and types are kept. Counters that the
    /// file lacks are 0, as when it is loaded.
    ///
    /// # Errors
    /// Those of [`Config::naming`].
    pub fn state_as(&self, layout: &str) -> Result<StateDict, Error> {
        let (from, to) = (self.config.naming(self.layout)?, self.config.naming(layout)?);
        let tensor = |name: String| {
            let zero = || fills_with_zero(&name).then(|| Tensor::from_i64(&[], &[0]));
            Some((to.rename(&name), self.state.get(&from.rename(&name)).cloned().or_else(zero)?))
        };
        let names = self.built.network().store().names();
        let constant = |(name, constant)| {
            let own = self.state.get(&name).filter(|_| layout == self.layout).cloned();
            (name, own.unwrap_or(constant))
        };
        Ok(names.into_iter().filter_map(tensor).chain(to.constants().into_iter().map(constant)).collect())
    }
}

/// Finds the network whose every name and shape `state` has, and loads it.
///
/// # Errors
/// [`Error::Unrecognised`] when no network is like it; [`Error::Ask`] when [`Hints`] are needed; [`Error::Load`] with
/// every difference from the likeliest network, when none fits whole.
pub fn recognise(state: &StateDict, hints: &Hints, device: Device) -> Result<Recognised, Error> {
    let mut first = None;
    for (prefix, state) in stripped(state) {
        for (config, layout) in candidates(&state, hints)? {
            match Recognised::load(config, layout, (&prefix, &state), device) {
                Ok(recognised) => return Ok(recognised),
                Err(error) => first = first.or(Some(error)),
            }
        }
    }
    Err(first.unwrap_or_else(|| Error::Unrecognised { names: state.keys().take(6).cloned().collect() }))
}

/// The network of a known configuration, in whichever of its layouts the tensors are; in part only in ours.
pub(crate) fn known(config: Config, state: &StateDict, partial: bool, device: Device) -> Result<Recognised, Error> {
    let layouts = config.layouts();
    let mut first = None;
    for (prefix, state) in stripped(state) {
        for &layout in &layouts {
            match Recognised::load(config, layout, (&prefix, &state), device) {
                Ok(recognised) => return Ok(recognised),
                Err(error) => first = first.or(Some(error)),
            }
        }
    }
    match first {
        Some(error) if !partial => Err(error),
        _ => {
            let built = config.build(device)?;
            let report = built.network().store().load_partial(state)?;
            Ok(Recognised { config, layout: layouts[0], prefix: String::new(), state: state.clone(), built, report })
        }
    }
}

/// Builds the network and loads it with the weights of a file that names them as `layout` does.
///
/// # Errors
/// [`Error::Load`] with every difference, in the file's names.
pub fn fit(config: &Config, layout: &str, state: &StateDict, device: Device) -> Result<(Built, LoadReport), Error> {
    let naming = config.naming(layout)?;
    let built = config.build(device)?;
    let report = built.network().store().load_as(state, &naming)?;
    Ok((built, report))
}

/// The configurations that names and shapes allow. What must be asked for is an error only if nothing else is allowed.
fn candidates(state: &StateDict, hints: &Hints) -> Result<Vec<Candidate>, Error> {
    let found: Vec<_> = NETWORKS.iter().flat_map(|network| (network.detect)(&Keys(state), hints)).collect();
    let (known, unknown): (Vec<_>, Vec<_>) = found.into_iter().partition(Result::is_ok);
    match unknown.into_iter().find_map(Result::err) {
        Some(error) if known.is_empty() => Err(error),
        _ => Ok(known.into_iter().flatten().collect()),
    }
}

/// The state dict as it is, then without each prefix that all names share, one after the other; last without the one that
/// the ImageNet example's files have inside of their names.
fn stripped(state: &StateDict) -> Vec<(String, Cow<'_, StateDict>)> {
    let mut forms = vec![(String::new(), Cow::Borrowed(state))];
    if state.keys().any(|name| is_counter(name)) {
        let rest = state.iter().filter(|(name, _)| !is_counter(name));
        forms = vec![(String::new(), Cow::Owned(rest.map(|(name, tensor)| (name.clone(), tensor.clone())).collect()))];
    }
    while let Some((prefix, state)) = forms.last()
        && let Some(shared) = PREFIXES.iter().find(|shared| all_start_with(state, shared))
    {
        let short = renamed(state, |name| name.strip_prefix(shared).unwrap_or(name).to_string());
        forms.push((format!("{prefix}{shared}"), Cow::Owned(short)));
    }
    if let Some((prefix, state)) = forms.last()
        && state.keys().any(|name| name.starts_with(PARALLEL_FEATURES))
    {
        let short = renamed(state, |name| name.replacen(PARALLEL_FEATURES, "features.", 1));
        forms.push((format!("{prefix}{PARALLEL_FEATURES}"), Cow::Owned(short)));
    }
    forms
}

fn is_counter(name: &str) -> bool {
    COUNTERS.contains(&name)
}

fn renamed(state: &StateDict, rename: impl Fn(&str) -> String) -> StateDict {
    state.iter().map(|(name, tensor)| (rename(name), tensor.clone())).collect()
}

fn all_start_with(state: &StateDict, prefix: &str) -> bool {
    !state.is_empty() && state.keys().all(|name| name.len() > prefix.len() && name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forms(names: [&str; 2]) -> Vec<(String, Vec<String>)> {
        let state = names.map(|name| (name.to_string(), Tensor::from_i64(&[], &[0]))).into();
        let names = |state: &StateDict| state.keys().cloned().collect();
        stripped(&state).iter().map(|(prefix, state)| (prefix.clone(), names(state))).collect()
    }

    #[test]
    fn prefixes_go_one_after_the_other_and_averages_leave_no_counter() {
        let found = forms(["n_averaged", "module._orig_mod.w"]);
        let expected = [("", "module._orig_mod.w"), ("module.", "_orig_mod.w"), ("module._orig_mod.", "w")];
        assert_eq!(found, expected.map(|(prefix, name)| (prefix.to_string(), vec![name.to_string()])));
        let found = forms(["features.module.0.weight", "classifier.0.weight"]);
        assert_eq!(found[1].0, "features.module.");
        assert_eq!(found[1].1, ["features.0.weight", "classifier.0.weight"]);
    }
}
