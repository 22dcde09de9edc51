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
