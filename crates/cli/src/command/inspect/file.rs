//! One checkpoint, looked into.

use std::path::Path;

use abbe_checkpoint::{Checkpoint, Error, StateDict, Unwrapped, Value, module_state_dict};
use abbe_models::{Card, Choice, Error as ModelError, Recognised, identify};
use anyhow::{Context, Result};
use serde::Serialize;
use tch::Device;

use super::leaves::{Leaves, TensorEntry, ValueEntry, key_text};
use crate::method::check_hints;
use crate::stop;

/// What can be told of a file.
#[derive(Default, Serialize)]
pub struct Inspection {
    pub file: String,
    /// None when the first bytes are those of no checkpoint.
    pub container: Option<String>,
    /// In bytes.
    pub size: u64,
    pub sha256: String,
    /// Why it is not read; null for a readable file.
    pub refused: Option<String>,
    /// Classes and functions that reading it in Python would run; they were not run.
    pub opaque: Vec<String>,
    /// The keys at the top, when the top is not the state dict itself.
    pub keys: Vec<String>,
    /// The one of them whose weights are used.
    pub key: Option<String>,
    /// The network, if it is known.
    pub network: Option<NetworkEntry>,
    /// Why the network is not known.
    pub unrecognised: Option<String>,
    /// What Abbe wrote into it beside the tensors.
    pub card: Option<serde_json::Value>,
    /// Of a safetensors file.
    pub metadata: Vec<(String, String)>,
    pub tensors: Vec<TensorEntry>,
    /// Numbers in all tensors.
    pub numbers: usize,
    pub values: Vec<ValueEntry>,
}

/// A network that was recognised.
#[derive(Serialize)]
pub struct NetworkEntry {
    /// Name and configuration.
    pub config: abbe_models::Config,
    /// The project that names its tensors so.
    pub layout: &'static str,
    /// What stands before every name; often nothing.
    pub prefix: String,
    /// Numbers and tensors that loading converts, if any.
    pub converted: Option<String>,
}

/// Looks into a file; for one that is refused, with the error that says why.
///
/// # Errors
/// A file that the system does not give.
pub fn inspect(path: &Path, choice: &Choice, with_stats: bool) -> Result<(Inspection, Option<Error>)> {
    let size = std::fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?.len();
    let sha256 = abbe_checkpoint::sha256(path)?;
    stop::check()?;
    // A hostile file is read once: the second reading is of one that was read whole and is refused for its classes alone.
    let (checkpoint, refused) = match abbe_checkpoint::inspect(path) {
        Ok(checkpoint) if checkpoint.opaque.is_empty() => (Some(checkpoint), None),
        Ok(checkpoint) => (Some(checkpoint), abbe_checkpoint::open(path).err()),
        Err(error) => (None, Some(error)),
    };
    let container = abbe_checkpoint::container_of(path).ok().map(|container| container.to_string());
    let mut inspection = Inspection {
        file: path.display().to_string(),
        container,
        size,
        sha256,
        refused: refused.as_ref().map(Error::to_string),
        ..Inspection::default()
    };
    stop::check()?;
    if let Some(checkpoint) = checkpoint {
        inspection.look_into(path, checkpoint, choice, with_stats);
        stop::check()?;
    }
    Ok((inspection, refused))
}

impl Inspection {
    fn look_into(&mut self, path: &Path, checkpoint: Checkpoint, choice: &Choice, with_stats: bool) {
        let Checkpoint { value, card, metadata, opaque, .. } = checkpoint;
        let Leaves { tensors, values, numbers, .. } = Leaves::of(&value, with_stats);
        (self.tensors, self.values, self.numbers) = (tensors, values, numbers);
        (self.metadata, self.opaque) = (metadata, opaque);
        if let Err(reason) = self.recognise(path, &value, card.as_deref(), choice) {
            self.unrecognised = Some(reason);
        }
        self.card = card.and_then(|card| serde_json::from_str(&card).ok());
    }

    fn recognise(&mut self, path: &Path, value: &Value, card: Option<&str>, choice: &Choice) -> Result<(), String> {
        let (key, state) = weights(value, choice.key).map_err(|error| match error {
            Error::OnlyTrainingState { .. } => error.to_string(),
            _ => format!("not known: {error}"),
        })?;
        if let (Some(_), Some(entries)) = (&key, value.entries()) {
            self.keys = entries.iter().map(|(key, _)| key_text(key)).collect();
        }
        self.key = key;
        let card =
            card.map(|card| Card::parse(path, card)).transpose().map_err(|error| format!("not known: {error}"))?;
        let found = identify(&state, card.as_ref(), choice, Device::Cpu).map_err(|error| match error {
            ModelError::Ask { network, what, option } => format!("{network}; open: {what} ({option})"),
            error => format!("not known: {error}"),
        })?;
        check_hints(&found.config, choice).map_err(|error| format!("not known: {error}"))?;
        let Recognised { config, layout, prefix, report, .. } = found;
        self.network = Some(NetworkEntry { config, layout, prefix, converted: report.conversions() });
        Ok(())
    }
}

/// The weights of a checkpoint with their key; those of a whole module, which can be looked at though not used, too.
fn weights(value: &Value, key: Option<&str>) -> Result<(Option<String>, StateDict), Error> {
    let error = match abbe_checkpoint::unwrap(value, key) {
        Ok(Unwrapped { key, state, .. }) => return Ok((key, state)),
        Err(error) => error,
    };
    let below = value.entries().unwrap_or_default().iter().map(|(key, value)| (Some(key_text(key)), value));
    let mut places = std::iter::once((None, value)).chain(below);
    places.find_map(|(key, value)| Some((key, module_state_dict(value)?))).ok_or(error)
}
