//! What differs between a training that was cut off and the one that goes on with it.

use std::collections::BTreeSet;

use abbe_checkpoint::Value as Saved;
use anyhow::{Context, Result};
use indexmap::IndexMap;
use toml::Value;

use crate::session::Session;
use crate::values::{Fields, from_value};

impl Session<'_> {
    /// What differs between the training of `fields` and this one, and makes it another: the experiment, the pictures, the
    /// weights of VGG, the precision.
    ///
    /// # Errors
    /// A field that is missing or of another type.
    pub(crate) fn changes(&self, fields: &Fields) -> Result<Vec<String>> {
        let mut changed = differences(fields.text("experiment")?, &self.setup.experiment.to_toml()?)?;
        let vgg = match fields.get("vgg")? {
            Saved::None => None,
            _ => Some(fields.text("vgg")?),
        };
        let (data, precision) = (fields.text("data")?, fields.text("precision")?);
        changed.extend(change("SHA-256 of the training pictures", data, &self.setup.data));
        changed.extend(change("precision as it was resolved", precision, self.trainer.precision.name()));
        changed.extend(change("weights of VGG", vgg.unwrap_or(NONE), self.setup.vgg.as_deref().unwrap_or(NONE)));
        Ok(changed)
    }

    /// What differs around the training of `fields` and this one: the computation is the same, its last bits need not be.
    ///
    /// # Errors
    /// A field that is missing or of another type.
    pub(crate) fn changed_surroundings(&self, fields: &Fields) -> Result<Vec<String>> {
        let before: IndexMap<String, String> = from_value(fields.get("surroundings")?).context("surroundings")?;
        let changed = self.surroundings().into_iter().filter_map(|(name, now)| {
            let change = change(name, before.get(name).map_or(NONE, String::as_str), &now)?;
            Some(format!("{change}: what follows may differ in its last bits from a run that was never cut off"))
        });
        Ok(changed.collect())
    }

    /// On what the last bits of what is computed depend, beside the experiment.
    pub(crate) fn surroundings(&self) -> IndexMap<&'static str, String> {
        let processor = abbe_torch::processor(self.setup.device);
        IndexMap::from([
            ("threads", tch::get_num_threads().to_string()),
            ("ranks", self.trainer.rank().1.to_string()),
            ("processor", processor.unwrap_or_else(|| format!("{:?}", self.setup.device))),
            ("vector instructions", abbe_torch::cpu_capability()),
            ("libtorch", abbe_torch::libtorch_version()),
        ])
    }
}

/// What is said of something that is not there.
const NONE: &str = "none";

fn change(what: &str, before: &str, now: &str) -> Option<String> {
    (before != now).then(|| format!("{what}: {before} before, {now} now"))
}

/// Keys whose values differ between the texts of two experiments, each as a line for the reader.
///
/// # Errors
/// A text that is no TOML.
pub(crate) fn differences(before: &str, now: &str) -> Result<Vec<String>> {
    let (before, now) = (leaves(before)?, leaves(now)?);
    let keys: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    let absent = || "absent".to_owned();
    let line = |key: &String| {
        let [before, now] = [&before, &now].map(|leaves| leaves.get(key).cloned().unwrap_or_else(absent));
        change(key, &before, &now)
    };
    Ok(keys.into_iter().filter_map(line).collect())
}

fn leaves(text: &str) -> Result<IndexMap<String, String>> {
    let mut leaves = IndexMap::new();
    collect("", &Value::Table(toml::from_str(text)?), &mut leaves);
    Ok(leaves)
}

/// Tables are entered, and lists of tables, whose items have numbers from 1 on.
fn collect(key: &str, value: &Value, leaves: &mut IndexMap<String, String>) {
    let inner = |name: &str| if key.is_empty() { name.to_owned() } else { format!("{key}.{name}") };
    match value {
        Value::Table(table) => table.iter().for_each(|(name, value)| collect(&inner(name), value, leaves)),
        Value::Array(items) if items.iter().any(Value::is_table) => {
            (1..).zip(items).for_each(|(number, item)| collect(&inner(&number.to_string()), item, leaves));
        }
        plain => drop(leaves.insert(key.to_owned(), plain.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_differ_are_told_and_order_is_no_difference() {
        let before = "seed = 1\nname = \"a\"\n[[phase]]\nlr = 0.1\n[[phase]]\nlr = 0.2\n[data]\nat = [1, 2]";
        let now = "name = \"a\"\nseed = 2\n[data]\nat = [1, 2]\n[[phase]]\nlr = 0.1\n[[phase]]\nlr = 0.3\nclip = 1.0";
        let expected =
            ["phase.2.clip: absent before, 1.0 now", "phase.2.lr: 0.2 before, 0.3 now", "seed: 1 before, 2 now"];
        assert_eq!(differences(before, now).unwrap(), expected);
        assert!(differences(now, now).unwrap().is_empty());
    }
}
