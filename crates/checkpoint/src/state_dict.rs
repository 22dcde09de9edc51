//! The tensors of one network by name, taken out of whatever wraps them.

use indexmap::IndexMap;

use crate::{Error, Tensor, Value};

/// Tensors by name, in the order of the file.
pub type StateDict = IndexMap<String, Tensor>;

/// The keys under which projects wrap a state dict, the averaged weights first.
const WRAPPERS: [&str; 3] = ["params_ema", "params", "state_dict"];

/// The state dict in a checkpoint: the checkpoint itself if it is one, else what is under `params_ema`, `params` or
/// `state_dict`, in this order. Names are kept as they are.
///
/// # Errors
/// [`Error::NoStateDict`] with what was found instead.
pub fn state_dict_of(checkpoint: &Value) -> Result<StateDict, Error> {
    let wrapped = WRAPPERS.iter().filter_map(|key| checkpoint.get(key));
    std::iter::once(checkpoint)
        .chain(wrapped)
        .find_map(bare)
        .ok_or_else(|| Error::NoStateDict { expected: WRAPPERS.join(", "), found: describe(checkpoint) })
}

/// `state` under `key` (`params`, `params_ema`, `state_dict`, ...), as projects wrap it; a training checkpoint has further
/// entries beside it.
pub fn wrapped(key: &str, state: &StateDict) -> Value {
    Value::Dict(vec![(Value::Text(key.into()), state.into())])
}

/// An ordered dict, which is what `state_dict()` returns in PyTorch. The tensors' storages are shared, not copied.
impl From<&StateDict> for Value {
    fn from(state: &StateDict) -> Self {
        let entry = |(name, tensor): (&String, &Tensor)| (Value::Text(name.clone()), Value::Tensor(tensor.clone()));
        Value::OrderedDict(state.iter().map(entry).collect())
    }
}

/// `value` as a state dict, if it is a dict of text to tensors with at least one tensor.
fn bare(value: &Value) -> Option<StateDict> {
    let tensor = |(key, value): &(Value, Value)| match (key, value) {
        (Value::Text(name), Value::Tensor(tensor)) => Some((name.clone(), tensor.clone())),
        _ => None,
    };
    let state: StateDict = value.entries()?.iter().map(tensor).collect::<Option<_>>()?;
    (!state.is_empty()).then_some(state)
}

fn describe(value: &Value) -> String {
    let Some(entries) = value.entries() else { return format!("{} at the top", value.kind()) };
    // Names come from a file and go to a terminal: escaped, and not too many.
    let names = entries.iter().take(8).map(|(key, value)| match key {
        Value::Text(name) => format!("{name:?} ({})", value.kind()),
        key => format!("a key that is {} ({})", key.kind(), value.kind()),
    });
    let names: Vec<_> = names.collect();
    let more = if entries.len() > names.len() { ", ..." } else { "" };
    format!("a dict of {} entries: {}{more}", entries.len(), names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::Text(text.into())
    }

    fn weights(value: f32) -> Value {
        Value::OrderedDict(vec![(text("w"), Value::Tensor(Tensor::from_f32(&[1], &[value])))])
    }

    #[test]
    fn averaged_weights_come_before_plain_ones() {
        let both = Value::Dict(vec![(text("params"), weights(1.0)), (text("params_ema"), weights(2.0))]);
        assert_eq!(state_dict_of(&both).unwrap()["w"].to_f32().unwrap(), [2.0]);
        assert_eq!(state_dict_of(&weights(3.0)).unwrap()["w"].to_f32().unwrap(), [3.0]);
    }

    #[test]
    fn what_is_wrapped_is_found_again() {
        let state = state_dict_of(&weights(4.0)).unwrap();
        let checkpoint = wrapped("params", &state);
        assert_eq!(checkpoint.get("params"), Some(&weights(4.0)));
        assert_eq!(state_dict_of(&checkpoint).unwrap(), state);
    }

    #[test]
    fn the_message_names_what_was_found() {
        let odd = Value::Dict(vec![(text("epoch\u{1b}"), Value::Int(3))]);
        let message = state_dict_of(&odd).unwrap_err().to_string();
        assert!(message.contains("\"epoch\\u{1b}\" (an int)") && message.contains("params_ema"), "{message}");
        assert!(state_dict_of(&Value::Dict(vec![])).is_err());
    }
}
