//! A network out of a checkpoint file.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tch::Device;

use crate::{Config, Error, SrModel, build};

/// What a checkpoint of Abbe's says of itself, beside its tensors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// Which network its tensors belong to.
    pub network: Config,
    /// What whoever uses the weights must know, such as that they were trained against random VGG features.
    pub notices: Vec<String>,
}

/// Writes a network's tensors with their card; Python's loaders see the tensors alone.
///
/// # Errors
/// [`Error::Checkpoint`] when the file cannot be written; then nothing of it remains.
pub fn save(path: &Path, model: &dyn SrModel, card: &Card) -> Result<(), Error> {
    let text = serde_json::to_string(card).map_err(|error| bad_card(path, &error))?;
    Ok(abbe_checkpoint::save_state_dict(path, &model.store().state_dict(), Some(&text))?)
}

/// Opens the network of a checkpoint with its weights. Which network it is, Abbe's files say themselves; for a file that
/// does not (one saved in Python), `like` names one of Abbe's with the same network. What a file says itself wins.
///
/// # Errors
/// [`Error::Checkpoint`] when a file cannot be read, [`Error::NoCard`] when nothing says which network it is,
/// [`Error::Load`] when the tensors are another network's.
pub fn open(path: &Path, like: Option<&Path>, device: Device) -> Result<(Box<dyn SrModel>, Card), Error> {
    let checkpoint = abbe_checkpoint::open(path)?;
    let state = abbe_checkpoint::state_dict_of(&checkpoint.value)?;
    let card = match (card_in(path, checkpoint.card), like) {
        (Err(Error::NoCard(_)), Some(like)) => Card { notices: Vec::new(), ..card_of(like)? },
        (own, _) => own?,
    };
    let model = build(&card.network, device)?;
    model.store().load(&state)?;
    Ok((model, card))
}

/// What a checkpoint of Abbe's says of itself.
///
/// # Errors
/// [`Error::Checkpoint`] when the file cannot be read, [`Error::NoCard`] when it says nothing, [`Error::BadCard`] when it
/// names a network that this version does not know.
pub fn card_of(path: &Path) -> Result<Card, Error> {
    card_in(path, abbe_checkpoint::open(path)?.card)
}

fn card_in(path: &Path, text: Option<String>) -> Result<Card, Error> {
    let text = text.ok_or_else(|| Error::NoCard(PathBuf::from(path)))?;
    serde_json::from_str(&text).map_err(|error| bad_card(path, &error))
}

/// The text comes from a file and may hold terminal escapes.
fn bad_card(path: &Path, error: &serde_json::Error) -> Error {
    Error::BadCard { path: path.into(), reason: error.to_string().escape_debug().to_string() }
}
