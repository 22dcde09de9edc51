//! The tensors of one network by name, taken out of whatever wraps them.

use indexmap::IndexMap;

use crate::{Error, Tensor, Value};

/// Tensors by name, in the order of the file.
pub type StateDict = IndexMap<String, Tensor>;

/// The keys under which projects wrap a state dict, averaged weights first: BasicSR, neosr, the StyleGAN family, Lornatang's
/// SRGAN; then the plain ones of BasicSR, of most training scripts, and of others.
const WRAPPERS: [&str; 11] = [
    "params_ema",
    "params-ema",
    "g_ema",
    "ema_state_dict",
    "params",
    "state_dict",
    "model_state_dict",
    "g",
    "generator",
    "model",
    "net",
];

/// A state dict, and where in the checkpoint it was.
#[derive(Clone, Debug)]
pub struct Unwrapped {
    /// The key that it was under; none when it is the checkpoint itself.
    pub key: Option<String>,
    /// The tensors; their names are kept as they are.
    pub state: StateDict,
    /// Other keys that have a state dict too. They come from the file: escape them when printing.
    pub others: Vec<String>,
}

impl Unwrapped {
    /// What a user who did not name a key must know of the choice; none where there was none.
    pub fn notice(&self) -> Option<String> {
        let key = self.key.as_deref().filter(|_| !self.others.is_empty())?.escape_debug();
        let others: Vec<_> = self.others.iter().map(|key| key.escape_debug().to_string()).collect();
        Some(format!("the weights under `{key}` are used; the file also has {}", others.join(", ")))
    }
}

/// The state dict in a checkpoint. With `key` it is what is under that, or the tensors whose
/// names start with it and a dot (Lightning keeps `netG.*` and `netD.*` in one state dict), without that start; else the checkpoint itself if it is one, else what
/// is under the first of the keys that projects use, averaged weights before plain ones; else under the only key of any name
/// that has one.
///
/// # Errors
/// [`Error::NoStateDict`] with what was found instead; [`Error::OnlyTrainingState`] for what has none by its nature.
pub fn unwrap(checkpoint: &Value, key: Option<&str>) -> Result<Unwrapped, Error> {
    let none = |expected: &str| match (checkpoint.get("optimizers"), checkpoint.get("iter")) {
        (Some(_), Some(Value::Int(iteration))) => Error::OnlyTrainingState { iteration: *iteration },
        _ => Error::NoStateDict { expected: expected.into(), found: describe(checkpoint) },
    };
    if let Some(key) = key {
        let state = checkpoint.get(key).and_then(bare);
        let whole = state.map(|state| Unwrapped { key: Some(key.into()), state, others: others(checkpoint, key) });
        return whole.or_else(|| part(checkpoint, key)).ok_or_else(|| none(&key.escape_debug().to_string()));
    }
    if let Some(state) = bare(checkpoint) {
        return Ok(Unwrapped { key: None, state, others: Vec::new() });
    }
    let only = under_keys(checkpoint).map(|(key, _)| key);
    let only = only.collect::<Vec<_>>();
    let only = if let [only] = only.as_slice() { Some(*only) } else { None };
    let mut keys = WRAPPERS.into_iter().chain(only);
    let found = keys.find_map(|key| Some((key, checkpoint.get(key).and_then(bare)?)));
    let (key, state) = found.ok_or_else(|| none(&WRAPPERS.join(", ")))?;
    Ok(Unwrapped { key: Some(key.into()), state, others: others(checkpoint, key) })
}

/// The tensors whose names start with `key` and a dot; the wrapper's own key may stand before it: `state_dict.netG`.
fn part(checkpoint: &Value, key: &str) -> Option<Unwrapped> {
    let whole = unwrap(checkpoint, None).ok()?;
    let below = whole.key.as_deref().and_then(|wrapper| key.strip_prefix(wrapper)?.strip_prefix('.'));
    let start = format!("{}.", below.unwrap_or(key));
    let tensor = |(name, tensor): (&String, &Tensor)| Some((name.strip_prefix(&start)?.to_string(), tensor.clone()));
    let state: StateDict = whole.state.iter().filter_map(tensor).collect();
    (!state.is_empty()).then_some(Unwrapped { state, ..whole })
}

/// The state dict in a checkpoint, as [`unwrap`] finds it without a key.
///
/// # Errors
/// [`Error::NoStateDict`] with what was found instead.
pub fn state_dict_of(checkpoint: &Value) -> Result<StateDict, Error> {
    Ok(unwrap(checkpoint, None)?.state)
}

/// The keys of a checkpoint that have a state dict.
fn under_keys(checkpoint: &Value) -> impl Iterator<Item = (&str, StateDict)> {
    checkpoint.entries().unwrap_or_default().iter().filter_map(|(key, value)| match key {
        Value::Text(key) => Some((key.as_str(), bare(value)?)),
        _ => None,
    })
}

fn others(checkpoint: &Value, key: &str) -> Vec<String> {
    under_keys(checkpoint).map(|(name, _)| name).filter(|name| *name != key).map(String::from).collect()
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

    fn number(unwrapped: &Unwrapped) -> f32 {
        unwrapped.state["w"].to_f32().unwrap()[0]
    }

    #[test]
    fn averaged_weights_come_before_plain_ones_unless_asked_for() {
        let both = Value::Dict(vec![(text("params"), weights(1.0)), (text("params_ema"), weights(2.0))]);
        let found = unwrap(&both, None).unwrap();
        assert_eq!((number(&found), found.key.as_deref()), (2.0, Some("params_ema")));
        assert_eq!(found.others, ["params"]);
        assert_eq!(number(&unwrap(&both, Some("params")).unwrap()), 1.0);
        assert!(unwrap(&both, Some("state_dict")).is_err());
        let bare = unwrap(&weights(3.0), None).unwrap();
        assert_eq!((number(&bare), bare.key), (3.0, None));
    }

    #[test]
    fn an_average_that_is_none_gives_way_and_a_key_of_any_name_will_do_when_it_is_the_only_one() {
        let lornatang = [("epoch", Value::Int(3)), ("ema_state_dict", Value::None), ("state_dict", weights(4.0))];
        let lornatang = Value::Dict(lornatang.map(|(key, value)| (text(key), value)).into());
        assert_eq!(number(&unwrap(&lornatang, None).unwrap()), 4.0);
        let odd = Value::Dict(vec![(text("my_net"), weights(5.0)), (text("epoch"), Value::Int(3))]);
        assert_eq!(unwrap(&odd, None).unwrap().key.as_deref(), Some("my_net"));
        let two = Value::Dict(vec![(text("a"), weights(5.0)), (text("b"), weights(6.0))]);
        assert!(unwrap(&two, None).is_err());
    }

    #[test]
    fn a_key_may_be_the_start_of_names() {
        let tensor = |value| Value::Tensor(Tensor::from_f32(&[1], &[value]));
        let both = Value::Dict(vec![(text("netG.w"), tensor(1.0)), (text("netD.w"), tensor(2.0))]);
        let lightning = Value::Dict(vec![(text("state_dict"), both.clone())]);
        assert_eq!(number(&unwrap(&both, Some("netD")).unwrap()), 2.0);
        for key in ["netG", "state_dict.netG"] {
            let found = unwrap(&lightning, Some(key)).unwrap();
            assert_eq!((number(&found), found.state.len(), found.key.as_deref()), (1.0, 1, Some("state_dict")));
        }
        assert!(unwrap(&both, Some("net")).is_err());
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
