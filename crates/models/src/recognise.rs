//! Which network a state dict from elsewhere belongs to.

use std::borrow::Cow;

use abbe_checkpoint::{StateDict, Tensor};
use tch::Device;

use crate::layer::without_first_values;
use crate::store::fills_with_zero;
use crate::{Built, Config, Error, Hints, Keys, LoadReport, NETWORKS};

/// Before the names of what PyTorch's `DataParallel` and `AveragedModel` wrap.
const DATA_PARALLEL: &str = "module.";

/// Prefixes that wrappers put before every name: `DataParallel`, `torch.compile`, BasicSR's models, MMEditing. The last
/// one is also the start of old ESRGAN names, so names are tried with it first.
const PREFIXES: [&str; 6] = [DATA_PARALLEL, "_orig_mod.", "netG.", "netD.", "generator.", "model."];

/// Wrappers within wrappers that are looked through: averaged, compiled, on several devices, and one more.
const DEPTH: usize = 4;

/// Networks with their losses that one state dict may have, at most.
const MOST_PARTS: usize = 4;

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
/// That of the first network that is like it, when none fits whole: [`Error::Ask`] when [`Hints`] are needed, [`Error::Load`]
/// with every difference. [`Error::Unrecognised`] when no network is like it.
pub fn recognise(state: &StateDict, hints: &Hints, device: Device) -> Result<Recognised, Error> {
    let mut first = None;
    for (prefix, state) in stripped(state) {
        for candidate in NETWORKS.iter().flat_map(|network| (network.detect)(&Keys(&state), hints)) {
            let load = |(config, layout)| Recognised::load(config, layout, (&prefix, &state), device);
            match candidate.and_then(load) {
                Ok(recognised) => return Ok(recognised),
                Err(error) => first = first.or(Some(error)),
            }
        }
    }
    Err(first
        .unwrap_or_else(|| Error::Unrecognised { names: state.keys().take(6).cloned().collect(), parts: parts(state) }))
}

/// What stands before the first dot of the names, each once.
fn parts(state: &StateDict) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for part in state.keys().filter_map(|name| Some(name.split_once('.')?.0)) {
        if !parts.iter().any(|known| known == part) && parts.len() <= MOST_PARTS {
            parts.push(part.into());
        }
    }
    parts
}

/// The advice for a file with the names of a few networks.
pub(crate) fn choose_part(parts: &[String]) -> String {
    let [first, _, ..] = parts else { return String::new() };
    if parts.len() > MOST_PARTS {
        return String::new();
    }
    let all: Vec<_> = parts.iter().map(|part| format!("{}.", part.escape_debug())).collect();
    format!("the names start with {}: choose one with --key {}; ", all.join(" and "), first.escape_debug())
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
    let built = without_first_values(|| config.build(device))?;
    let report = built.network().store().load_as(state, &naming)?;
    Ok((built, report))
}

/// The state dict without the prefixes that all its names share, and these prefixes.
pub(crate) fn without_prefixes(state: &StateDict) -> (String, StateDict) {
    stripped(state).pop().map(|(prefix, state)| (prefix, state.into_owned())).unwrap_or_default()
}

/// The state dict as it is, then without each prefix that its names share, one after the other; last without the one that
/// the ImageNet example's files have inside of their names.
fn stripped(state: &StateDict) -> Vec<(String, Cow<'_, StateDict>)> {
    let mut forms = vec![(String::new(), without_counters(Cow::Borrowed(state)))];
    while let Some((prefix, state)) = forms.last().filter(|_| forms.len() <= DEPTH)
        && let Some((shared, short)) = PREFIXES.iter().find_map(|shared| Some((shared, without(shared, state)?)))
    {
        forms.push((format!("{prefix}{shared}"), without_counters(Cow::Owned(short))));
    }
    if let Some((prefix, state)) = forms.last()
        && state.keys().any(|name| name.starts_with(PARALLEL_FEATURES))
        && let Some(short) = renamed(state, |name| name.replacen(PARALLEL_FEATURES, "features.", 1))
    {
        forms.push((format!("{prefix}{PARALLEL_FEATURES}"), Cow::Owned(short)));
    }
    forms
}

fn without_counters(state: Cow<'_, StateDict>) -> Cow<'_, StateDict> {
    if !state.keys().any(|name| COUNTERS.contains(&name.as_str())) {
        return state;
    }
    let rest = state.iter().filter(|(name, _)| !COUNTERS.contains(&name.as_str()));
    Cow::Owned(rest.map(|(name, tensor)| (name.clone(), tensor.clone())).collect())
}

/// The state dict without a prefix that all its names have; `module.` may stand before some of them only, where a part of
/// the network was wrapped: BasicSR strips it name by name.
fn without(prefix: &str, state: &StateDict) -> Option<StateDict> {
    let strip = |name: &str| name.strip_prefix(prefix).filter(|rest| !rest.is_empty()).map(str::to_string);
    let count = state.keys().filter(|name| strip(name).is_some()).count();
    let is_shared = count > 0 && (count == state.len() || prefix == DATA_PARALLEL);
    is_shared.then(|| renamed(state, |name| strip(name).unwrap_or(name.into()))).flatten()
}

/// None when two names would become one.
fn renamed(state: &StateDict, rename: impl Fn(&str) -> String) -> Option<StateDict> {
    let renamed: StateDict = state.iter().map(|(name, tensor)| (rename(name), tensor.clone())).collect();
    (renamed.len() == state.len()).then_some(renamed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each form's prefix and names.
    fn forms(names: &[&str]) -> Vec<(String, Vec<String>)> {
        let state = names.iter().map(|name| (name.to_string(), Tensor::from_i64(&[], &[0]))).collect();
        let names = |state: &StateDict| state.keys().cloned().collect();
        stripped(&state).iter().map(|(prefix, state)| (prefix.clone(), names(state))).collect()
    }

    fn last(names: &[&str]) -> (String, Vec<String>) {
        forms(names).pop().unwrap()
    }

    fn form(prefix: &str, names: &[&str]) -> (String, Vec<String>) {
        (prefix.into(), names.iter().map(|name| name.to_string()).collect())
    }

    #[test]
    fn prefixes_go_one_after_the_other_and_averages_leave_no_counter() {
        let expected = [("", "module._orig_mod.w"), ("module.", "_orig_mod.w"), ("module._orig_mod.", "w")];
        assert_eq!(forms(&["n_averaged", "module._orig_mod.w"]), expected.map(|(prefix, name)| form(prefix, &[name])));
        // The average may itself have been wrapped.
        assert_eq!(last(&["_orig_mod.n_averaged", "_orig_mod.module.w"]), form("_orig_mod.module.", &["w"]));
    }

    #[test]
    fn parts_of_a_network_may_have_been_wrapped() {
        let names = ["features.module.0.weight", "classifier.0.weight"];
        assert_eq!(last(&names), form("features.module.", &["features.0.weight", "classifier.0.weight"]));
        assert_eq!(last(&["module.body.0.weight", "tail.weight"]), form("module.", &["body.0.weight", "tail.weight"]));
        // Other prefixes are parts of names where not all have them.
        assert_eq!(last(&["model.0.weight", "tail.weight"]), form("", &["model.0.weight", "tail.weight"]));
    }

    #[test]
    fn no_tensor_is_lost_to_another_of_its_name() {
        assert_eq!(forms(&["module.w", "w"]).len(), 1);
        assert_eq!(forms(&["features.module.0.w", "features.0.w"]).len(), 1);
    }

    #[test]
    fn a_hostile_name_does_not_make_a_form_of_each_of_its_prefixes() {
        assert_eq!(forms(&[&"module.".repeat(1000)]).len(), DEPTH + 1);
    }

    /// A state dict with the names of a network's tensors, each of one number but for some.
    fn hostile(config: Config, claims: &[(&str, &[usize])]) -> StateDict {
        let names = without_first_values(|| config.build(Device::Cpu)).unwrap().network().store().names();
        let claimed = |name: &str| claims.iter().find(|(claim, _)| *claim == name).map_or(&[1][..], |(_, shape)| shape);
        let tensor = |shape: &[usize]| Tensor::from_f32(shape, &vec![0.0; shape.iter().product()]);
        names.into_iter().map(|name| (name.clone(), tensor(claimed(&name)))).collect()
    }

    #[test]
    fn a_file_that_only_claims_to_be_huge_is_found_out_without_memory() {
        // A ResNet of 256 blocks with up to 4,096 channels inside: 6 billion numbers, of which the file has 100 thousand.
        let config = crate::resnet::Config::paper(crate::resnet::Kind::Bottleneck, [64; 4]);
        let config = Config::from(crate::resnet::Config { width: 512, classes: 100_000, ..config });
        let state = hostile(
            config,
            &[
                ("conv1.weight", &[64, 3, 7, 7]),
                ("layer1.0.conv1.weight", &[512, 1, 1, 1]),
                ("fc.weight", &[100_000, 1]),
            ],
        );
        let Err(Error::Load(report)) = recognise(&state, &Hints::default(), Device::Cpu) else {
            panic!("it was taken")
        };
        assert!(report.missing.is_empty() && report.unexpected.is_empty(), "{report}");
        assert_eq!(report.shape.last().unwrap().expected, "[100000]");
        // Built to be loaded, each tensor is one number that stands in all places.
        let built = without_first_values(|| config.build(Device::Cpu)).unwrap();
        let parameters = built.network().store().parameters();
        assert!(parameters.iter().map(tch::Tensor::numel).sum::<usize>() > 4_000_000_000);
        assert!(parameters.iter().all(|parameter| parameter.stride().iter().all(|step| *step == 0)));
    }
}
