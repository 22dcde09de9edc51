//! The state dict of a whole module, which was saved with `torch.save(model, path)`.

use crate::{StateDict, Value};

/// What `state_dict()` of a module gives in Python: per module its parameters, then its buffers (without those that are
/// not persistent), then its children, with their names joined by dots. None where `value` is not a module that
/// [`inspect`](crate::inspect()) found.
pub fn module_state_dict(value: &Value) -> Option<StateDict> {
    let mut state = StateDict::new();
    walk(value, "", &mut state)?;
    Some(state)
}

fn walk(module: &Value, prefix: &str, state: &mut StateDict) -> Option<()> {
    let Value::Opaque(object) = module else { return None };
    let attributes = object.state.as_ref()?;
    let (parameters, buffers) = (named(attributes, "_parameters")?, named(attributes, "_buffers")?);
    let not_persistent = match attributes.get("_non_persistent_buffers_set") {
        Some(Value::Set(names)) => names.as_slice(),
        _ => &[],
    };
    let buffers = buffers.iter().filter(|(name, _)| !not_persistent.contains(name));
    for (name, value) in parameters.iter().chain(buffers) {
        // A layer without bias has the parameter None.
        if let (Value::Text(name), Value::Tensor(tensor)) = (name, value) {
            state.insert(format!("{prefix}{name}"), tensor.clone());
        }
    }
    for (name, child) in named(attributes, "_modules")? {
        if let Value::Text(name) = name {
            walk(child, &format!("{prefix}{name}."), state).or(matches!(child, Value::None).then_some(()))?;
        }
    }
    Some(())
}

fn named<'a>(attributes: &'a Value, key: &str) -> Option<&'a [(Value, Value)]> {
    attributes.get(key)?.entries()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Opaque, Tensor};

    fn dict<const N: usize>(entries: [(&str, Value); N]) -> Value {
        Value::Dict(entries.into_iter().map(|(key, value)| (Value::Text(key.into()), value)).collect())
    }

    fn module(parameters: Value, buffers: Value, modules: Value) -> Value {
        let hidden = Value::Set(vec![Value::Text("hidden".into())]);
        let state = dict([
            ("_parameters", parameters),
            ("_buffers", buffers),
            ("_non_persistent_buffers_set", hidden),
            ("_modules", modules),
        ]);
        let (arguments, entries) = (Vec::new(), Vec::new());
        Value::Opaque(Box::new(Opaque { class: "net.Block".into(), arguments, entries, state: Some(state) }))
    }

    #[test]
    fn names_are_those_of_the_path_to_the_tensor() {
        let tensor = |value| Value::Tensor(Tensor::from_f32(&[1], &[value]));
        let parameters = dict([("weight", tensor(1.0)), ("bias", Value::None)]);
        let child = module(parameters, dict([("mean", tensor(2.0)), ("hidden", tensor(3.0))]), dict([]));
        let modules = dict([("0", child), ("dropped", Value::None)]);
        let parent = module(dict([("scale", tensor(4.0))]), dict([]), modules);
        let state = module_state_dict(&parent).unwrap();
        assert_eq!(state.keys().collect::<Vec<_>>(), ["scale", "0.weight", "0.mean"]);
        assert_eq!(state["0.mean"].to_f32().unwrap(), [2.0]);
        assert_eq!(module_state_dict(&dict([])), None);
    }
}
