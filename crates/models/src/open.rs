//! A network out of a checkpoint file.

use std::path::{Path, PathBuf};

use tch::Device;

use crate::{Config, Error, SrModel, build};

/// Opens the network of a checkpoint with its weights. Which network it is, Abbe's files say themselves; for a file that
/// does not (one saved in Python), `like` names one of Abbe's with the same network. What a file says itself wins.
///
/// # Errors
/// [`Error::Checkpoint`] when a file cannot be read, [`Error::NoConfig`] when nothing says which network it is,
/// [`Error::Load`] when the tensors are another network's.
pub fn open(path: &Path, like: Option<&Path>, device: Device) -> Result<Box<dyn SrModel>, Error> {
    let state = abbe_checkpoint::state_dict_of(&abbe_checkpoint::read(path)?)?;
    let config = match (config_of(path), like) {
        (Err(Error::NoConfig(_)), Some(like)) => config_of(like)?,
        (own, _) => own?,
    };
    let model = build(&config, device)?;
    model.store().load(&state)?;
    Ok(model)
}

/// The configuration that a checkpoint of Abbe's carries.
///
/// # Errors
/// [`Error::Checkpoint`] when the file cannot be read, [`Error::NoConfig`] when it carries none, [`Error::BadConfig`] when
/// it is not one of this version's.
pub fn config_of(path: &Path) -> Result<Config, Error> {
    let text = abbe_checkpoint::read_config(path)?.ok_or_else(|| Error::NoConfig(PathBuf::from(path)))?;
    serde_json::from_str(&text).map_err(|source| Error::BadConfig { path: path.into(), source })
}
