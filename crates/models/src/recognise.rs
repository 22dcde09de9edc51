//! Which network a state dict from elsewhere belongs to.

use std::borrow::Cow;

use abbe_checkpoint::StateDict;
use tch::Device;

use crate::config::Candidate;
use crate::{Built, Config, Error, Hints, Keys, LoadReport, NETWORKS};

/// Prefixes that wrappers put before every name: `DataParallel`, `torch.compile`, BasicSR's models, MMEditing. The last
/// one is also the start of old ESRGAN names, so names are tried with it first.
const PREFIXES: [&str; 6] = ["module.", "_orig_mod.", "netG.", "netD.", "generator.", "model."];

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
    /// The network, which has the weights.
    pub built: Built,
    /// What was done to load them.
    pub report: LoadReport,
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
            match fit(&config, layout, &state, device) {
                Ok((built, report)) => return Ok(Recognised { config, layout, prefix, built, report }),
                Err(error) => first = first.or(Some(error)),
            }
        }
    }
    Err(first.unwrap_or_else(|| Error::Unrecognised { names: state.keys().take(6).cloned().collect() }))
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

/// The state dict as it is, then without each prefix that all names share, one after the other.
fn stripped(state: &StateDict) -> Vec<(String, Cow<'_, StateDict>)> {
    let counted = |name: &str| COUNTERS.contains(&name);
    let mut forms = vec![(String::new(), Cow::Borrowed(state))];
    if state.keys().any(|name| counted(name)) {
        let rest = state.iter().filter(|(name, _)| !counted(name));
        forms = vec![(String::new(), Cow::Owned(rest.map(|(name, tensor)| (name.clone(), tensor.clone())).collect()))];
    }
    while let Some((prefix, state)) = forms.last()
        && let Some(shared) = PREFIXES.iter().find(|shared| all_start_with(state, shared))
    {
        let short = |(name, tensor): (&String, &abbe_checkpoint::Tensor)| {
            (name.strip_prefix(shared).unwrap_or(name).to_string(), tensor.clone())
        };
        let next = (format!("{prefix}{shared}"), Cow::Owned(state.iter().map(short).collect()));
        forms.push(next);
    }
    forms
}

fn all_start_with(state: &StateDict, prefix: &str) -> bool {
    !state.is_empty() && state.keys().all(|name| name.len() > prefix.len() && name.starts_with(prefix))
}
