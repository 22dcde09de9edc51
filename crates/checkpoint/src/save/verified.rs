//! Writing with a look at what was written.

use std::path::Path;

use crate::{Error, StateDict, Value, WriteOptions, compare, read, unwrap, wrapped, write};

/// Writes a state dict, under `key` if there is one, reads the file back and compares every tensor bit for bit.
///
/// # Errors
/// Those of [`write()`] and [`read`]; [`Error::Unfaithful`] when the file has other tensors.
pub fn write_verified(
    path: impl AsRef<Path>,
    state: &StateDict,
    key: Option<&str>,
    options: &WriteOptions,
) -> Result<(), Error> {
    let path = path.as_ref();
    let value = key.map_or_else(|| Value::from(state), |key| wrapped(key, state));
    write(path, &value, options)?;
    let found = unwrap(&read(path)?, key)?.state;
    let comparison = compare(state, &found);
    if comparison.is_equal() {
        return Ok(());
    }
    Err(Error::Unfaithful { path: path.into(), comparison: Box::new(comparison) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Container, Tensor};

    #[test]
    fn every_container_gives_back_what_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let state = [("w", Tensor::from_f32(&[2], &[1.0, f32::NAN])), ("n", Tensor::from_i64(&[], &[7]))];
        let state: StateDict = state.map(|(name, tensor)| (name.to_string(), tensor)).into();
        for container in [Container::Zip, Container::Legacy, Container::Safetensors] {
            let key = (container != Container::Safetensors).then_some("params");
            let options = WriteOptions { container, card: None };
            write_verified(folder.path().join("a"), &state, key, &options).unwrap();
            assert_eq!(crate::container_of(folder.path().join("a")).unwrap(), container);
        }
    }
}
