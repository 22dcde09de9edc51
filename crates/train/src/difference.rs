//! What differs between two experiments, key by key.

use std::collections::BTreeSet;

use anyhow::Result;
use indexmap::IndexMap;
use toml::Value;

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
        (before != now).then(|| format!("{key}: {before} before, {now} now"))
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
