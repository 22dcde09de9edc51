//! TorchScript: the network's tensors under the names of its state dict, and a `forward` that runs on every device and in
//! every floating-point type that the module is moved to.

mod check;
mod source;

use std::collections::HashSet;

use abbe_models::SrModel;
use abbe_torch::Script;
use tch::{Kind, Tensor};

use crate::steps::steps;
use crate::{Error, Exported, Facts};

/// The file in it that has the facts.
const FACTS: &str = "abbe.json";

/// The network in TorchScript.
pub(crate) fn export(model: &dyn SrModel, facts: &Facts) -> Result<Exported, Error> {
    let steps = steps(model, facts.architecture, facts.precision)?;
    let store = model.store();
    let parameter_names: HashSet<_> = store.parameter_names().into_iter().collect();
    let buffer_names = store.names().into_iter().filter(|name| !parameter_names.contains(name)).collect();
    let parameters = rounded(store.parameter_names(), store.parameters(), facts)?;
    let buffers = rounded(buffer_names, store.buffers(), facts)?;
    let script = Script {
        class: facts.architecture,
        parameters: borrowed(&parameters),
        buffers: borrowed(&buffers),
        source: &source::source(&steps),
        extra: (FACTS, &serde_json::to_string_pretty(facts).unwrap_or_default()),
    };
    let bytes = script.save()?;
    let difference = check::difference(model, &bytes, facts.precision)?;
    let operations = steps.len() - 1; // the first is the input
    Ok(Exported { bytes, operations, difference: Some(difference) })
}

/// Tensors with their names, floating-point numbers in the precision of the file.
fn rounded(names: Vec<String>, tensors: Vec<Tensor>, facts: &Facts) -> Result<Vec<(String, Tensor)>, Error> {
    let entries = names.into_iter().zip(tensors);
    let rounded = entries.map(|(name, tensor)| {
        let tensor = if tensor.kind() == Kind::Float { facts.precision.of(&name, &tensor)? } else { tensor };
        Ok((name, tensor))
    });
    rounded.collect()
}

fn borrowed(entries: &[(String, Tensor)]) -> Vec<(&str, &Tensor)> {
    entries.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect()
}

#[cfg(test)]
mod tests;
