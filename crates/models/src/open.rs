//! A network out of a checkpoint file.

use std::path::{Path, PathBuf};

use abbe_checkpoint::StateDict;
use serde::{Deserialize, Serialize};
use tch::Device;

use crate::recognise::known;
use crate::{Built, Config, Error, Hints, Network, Recognised, SrModel, recognise};

/// What a checkpoint of Abbe's says of itself, beside its tensors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// Which network its tensors belong to.
    pub network: Config,
    /// What whoever uses the weights must know, such as that they were trained against random VGG features.
    pub notices: Vec<String>,
    /// The files that its tensors were converted from; none when Abbe trained them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<Source>,
}

/// A file that a checkpoint was converted from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Its name, without folders.
    pub file: String,
    /// Its SHA-256 in hexadecimal.
    pub sha256: String,
    /// Its share in a mixture, 0..=1; 1 when it is alone.
    pub share: f64,
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
/// [`Error::Checkpoint`] when a file cannot be read, those of [`identify`] when the network is not found.
pub fn open(path: &Path, choice: &Choice, device: Device) -> Result<Opened, Error> {
    let checkpoint = abbe_checkpoint::open(path)?;
    let card = checkpoint.card.map(|card| Card::parse(path, &card)).transpose()?;
    let unwrapped = abbe_checkpoint::unwrap(&checkpoint.value, choice.key)?;
    let Recognised { config, layout, prefix, built, report, .. } =
        identify(&unwrapped.state, card.as_ref(), choice, device)?;
    let mut notices = card.map(|card| card.notices).unwrap_or_default();
    notices.extend(choice.key.is_none().then(|| unwrapped.notice()).flatten());
    notices.extend(report.conversions());
    if !report.fits() {
        notices.push(format!("loaded in part; what was left aside:\n{report}"));
    }
    Ok(Opened { built, config, layout, place: (unwrapped.key, prefix), notices })
}

/// Finds the network that tensors belong to, and loads it: the one that the file's card names, else that of `choice.like`,
/// else the one that has these names and shapes.
///
/// # Errors
/// Those of [`recognise`]; [`Error::Load`] when the tensors are not those of the network that was named, and those of
/// [`card_of`] for `choice.like`.
pub fn identify(state: &StateDict, card: Option<&Card>, choice: &Choice, device: Device) -> Result<Recognised, Error> {
    match (card, choice.like) {
        (Some(card), _) => known(card.network, state, choice.partial, device),
        (None, Some(like)) => known(card_of(like)?.network, state, choice.partial, device),
        (None, None) => recognise(state, &choice.hints, device),
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
    let text = abbe_checkpoint::open(path)?.card.ok_or_else(|| Error::NoCard(PathBuf::from(path)))?;
    Card::parse(path, &text)
}

impl Card {
    /// What a checkpoint says of itself, out of the text that is in it; the path is for the message.
    ///
    /// # Errors
    /// [`Error::BadCard`] when it names a network that this version does not know.
    pub fn parse(path: &Path, text: &str) -> Result<Self, Error> {
        serde_json::from_str(text).map_err(|error| bad_card(path, &error))
    }
}

/// The text comes from a file and may hold terminal escapes.
fn bad_card(path: &Path, error: &serde_json::Error) -> Error {
    Error::BadCard { path: path.into(), reason: error.to_string().escape_debug().to_string() }
}
