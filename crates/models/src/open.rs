//! A network out of a checkpoint file.

use std::path::{Path, PathBuf};

use abbe_checkpoint::{StateDict, Unwrapped};
use serde::{Deserialize, Serialize};
use tch::Device;

use crate::{Built, Config, Error, Hints, LoadReport, Network, Recognised, SrModel, fit, recognise};

/// What a checkpoint of Abbe's says of itself, beside its tensors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// Which network its tensors belong to.
    pub network: Config,
    /// What whoever uses the weights must know, such as that they were trained against random VGG features.
    pub notices: Vec<String>,
}

/// What a user says of a checkpoint.
#[derive(Debug, Clone, Copy, Default)]
pub struct Choice<'a> {
    /// A checkpoint of Abbe's with the same network, for one whose network neither it nor its tensors tell.
    pub like: Option<&'a Path>,
    /// The key under which the weights are, where there are several.
    pub key: Option<&'a str>,
    /// What tensors cannot tell.
    pub hints: Hints,
    /// Whether tensors that do not fit are left aside instead of refused.
    pub partial: bool,
}

/// A network that was opened with its weights.
pub struct Opened {
    /// The network.
    pub built: Built,
    /// What it is.
    pub config: Config,
    /// The layout of its names in the file.
    pub layout: &'static str,
    /// The key under which the weights were found, and what stood before every name; often neither.
    pub place: (Option<String>, String),
    /// What whoever uses the weights must know: of the card, and of the loading.
    pub notices: Vec<String>,
}

/// Writes a network's tensors with their card; Python's loaders see the tensors alone.
///
/// # Errors
/// [`Error::Checkpoint`] when the file cannot be written; then nothing of it remains.
pub fn save(path: &Path, network: &dyn Network, card: &Card) -> Result<(), Error> {
    let text = serde_json::to_string(card).map_err(|error| bad_card(path, &error))?;
    Ok(abbe_checkpoint::save_state_dict(path, &network.store().state_dict(), Some(&text))?)
}

/// Opens the network of a checkpoint with its weights. Which network it is, Abbe's files say themselves; for another file
/// its names and shapes say it, or `choice.like` does. What a file says itself wins.
///
/// # Errors
/// [`Error::Checkpoint`] when a file cannot be read, those of [`recognise`] when nothing says which network it is,
/// [`Error::Load`] when the tensors are another network's.
pub fn open(path: &Path, choice: &Choice, device: Device) -> Result<Opened, Error> {
    let value = abbe_checkpoint::read(path)?;
    let (card, mut notices) = match (card_of(path), choice.like) {
        (Ok(card), _) => (Some(card.network), card.notices),
        (Err(Error::NoCard(_)), Some(like)) => (Some(card_of(like)?.network), Vec::new()),
        (Err(Error::NoCard(_)), None) => (None, Vec::new()),
        (Err(error), _) => return Err(error),
    };
    let Unwrapped { key, state, others } = abbe_checkpoint::unwrap(&value, choice.key)?;
    if let (Some(key), None, [_, ..]) = (&key, choice.key, others.as_slice()) {
        notices.push(format!("the weights under `{key}` are used; the file also has {}", others.join(", ")));
    }
    let Recognised { config, layout, prefix, built, report } = match card {
        Some(config) => known(config, &state, choice.partial, device)?,
        None => recognise(&state, &choice.hints, device)?,
    };
    notices.extend(report.conversions());
    if !report.fits() {
        notices.push(format!("loaded in part; what was left aside:\n{report}"));
    }
    Ok(Opened { built, config, layout, place: (key, prefix), notices })
}

/// The network of a known configuration, in whichever of its layouts the tensors are; in part only in ours.
fn known(config: Config, state: &StateDict, partial: bool, device: Device) -> Result<Recognised, Error> {
    let recognised = |layout, (built, report): (Built, LoadReport)| Recognised {
        config,
        layout,
        prefix: String::new(),
        built,
        report,
    };
    let layouts = config.layouts();
    let mut first = None;
    for &layout in &layouts {
        match fit(&config, layout, state, device) {
            Ok(loaded) => return Ok(recognised(layout, loaded)),
            Err(error) => first = first.or(Some(error)),
        }
    }
    match first {
        Some(error) if !partial => Err(error),
        _ => {
            let built = config.build(device)?;
            let report = built.network().store().load_partial(state)?;
            Ok(recognised(layouts[0], (built, report)))
        }
    }
}

impl Opened {
    /// The network as one that enlarges pictures.
    ///
    /// # Errors
    /// [`Error::NotSr`] for a network of another kind.
    pub fn sr(self) -> Result<Box<dyn SrModel>, Error> {
        match self.built {
            Built::Sr(model) => Ok(model),
            Built::Other(_) => Err(Error::NotSr { network: self.config.name() }),
        }
    }
}

/// What a checkpoint of Abbe's says of itself.
///
/// # Errors
/// [`Error::Checkpoint`] when the file cannot be read, [`Error::NoCard`] when it says nothing, [`Error::BadCard`] when it
/// names a network that this version does not know.
pub fn card_of(path: &Path) -> Result<Card, Error> {
    let text = abbe_checkpoint::read_config(path)?.ok_or_else(|| Error::NoCard(PathBuf::from(path)))?;
    serde_json::from_str(&text).map_err(|error| bad_card(path, &error))
}

/// The text comes from a file and may hold terminal escapes.
fn bad_card(path: &Path, error: &serde_json::Error) -> Error {
    Error::BadCard { path: path.into(), reason: error.to_string().escape_debug().to_string() }
}
