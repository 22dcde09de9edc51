//! What was found in a file, for people.

use std::fmt::{self, Formatter};

use serde_json::Value;

use super::file::{Inspection, NetworkEntry};
use super::leaves::{Numbers, TensorEntry, ValueEntry};
use crate::ascii::{ascii, cut, not_finite, short, tensors, width};

/// Characters of a value, and lines of a reason, that are shown at most.
const MOST: usize = 100;
const MOST_LINES: usize = 12;

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        writeln!(f, "{}", self.file.escape_debug())?;
        let container = self.container.as_deref().unwrap_or("none that holds a checkpoint");
        fact(f, "container", container)?;
        fact(f, "size", &format!("{} bytes", self.size))?;
        fact(f, "sha256", &self.sha256)?;
        self.opaque.iter().try_for_each(|name| fact(f, "not run", &short(name, MOST)))?;
        if let Some(key) = &self.key {
            let keys: Vec<_> = self.keys.iter().map(|key| short(key, 40)).collect();
            fact(f, "keys", &keys.join(", "))?;
            fact(f, "weights", &format!("under {}", short(key, 40)))?;
        }
        self.network.iter().try_for_each(|network| write_network(f, network))?;
        if let Some(reason) = &self.unrecognised {
            fact(f, "network", &lines(reason))?;
        }
        self.card.iter().try_for_each(|card| write_card(f, card))?;
        self.metadata
            .iter()
            .filter(|(key, _)| !key.starts_with("abbe"))
            .try_for_each(|(key, text)| fact(f, "metadata", &format!("{}: {}", short(key, 40), short(text, MOST))))?;
        if !self.tensors.is_empty() {
            fact(f, "counts", &format!("{}, {} numbers", tensors(self.tensors.len()), self.numbers))?;
        }
        let spoilt = |tensor: &&TensorEntry| tensor.stats.as_ref().is_some_and(|stats| stats.non_finite > 0);
        let spoilt: Vec<_> = self.tensors.iter().filter(spoilt).map(|tensor| tensor.name.as_str()).collect();
        not_finite(&spoilt).iter().try_for_each(|notice| fact(f, "notice", notice))?;
        write_tensors(f, &self.tensors)?;
        write_values(f, self)
    }
}

fn fact(f: &mut Formatter, name: &str, text: &str) -> fmt::Result {
    writeln!(f, "  {name:<10} {text}")
}

fn write_network(f: &mut Formatter, network: &NetworkEntry) -> fmt::Result {
    fact(f, "network", &network.config.to_string())?;
    let prefix = if network.prefix.is_empty() { String::new() } else { format!(", after {}", network.prefix) };
    fact(f, "layout", &format!("{}{prefix}", network.layout))?;
    network.converted.iter().try_for_each(|converted| fact(f, "loading", converted))
}

fn write_card(f: &mut Formatter, card: &Value) -> fmt::Result {
    let list = |key: &str| card[key].as_array().cloned().unwrap_or_default();
    for notice in list("notices") {
        fact(f, "notice", &short(notice.as_str().unwrap_or_default(), 1000))?;
    }
    for source in list("sources") {
        let [file, sha256] = ["file", "sha256"].map(|key| short(source[key].as_str().unwrap_or_default(), MOST));
        let share = source["share"].as_f64().unwrap_or(1.0);
        let share = if share == 1.0 { String::new() } else { format!("{share} of ") };
        fact(f, "made from", &format!("{share}{file}, sha256 {sha256}"))?;
    }
    Ok(())
}

fn write_tensors(f: &mut Formatter, tensors: &[TensorEntry]) -> fmt::Result {
    let names: Vec<_> = tensors.iter().map(|tensor| short(&tensor.name, MOST)).collect();
    let shapes: Vec<_> = tensors.iter().map(|tensor| format!("{:?}", tensor.shape)).collect();
    let [name_width, shape_width] = [(&names, 6), (&shapes, 5)].map(|(texts, least)| width(texts, least));
    let has_stats = tensors.iter().any(|tensor| tensor.stats.is_some());
    if !tensors.is_empty() {
        let stats = if has_stats { "         min         max        mean  not finite" } else { "" };
        let head = format!("{:name_width$}  {:8}  {:shape_width$}{stats}", "tensor", "type", "shape");
        writeln!(f, "\n{}", head.trim_end())?;
    }
    for ((tensor, name), shape) in tensors.iter().zip(names).zip(shapes) {
        let row = format!("{name:name_width$}  {:8}  {shape:shape_width$}", tensor.dtype);
        match &tensor.stats {
            None => writeln!(f, "{}", row.trim_end())?,
            Some(Numbers { min, max, mean, non_finite }) => {
                writeln!(f, "{row}  {min:>10.3e}  {max:>10.3e}  {mean:>10.3e}  {non_finite:>10}")?;
            }
        }
    }
    Ok(())
}

fn write_values(f: &mut Formatter, inspection: &Inspection) -> fmt::Result {
    let name = |entry: &ValueEntry| if entry.name.is_empty() { "(all)".into() } else { short(&entry.name, MOST) };
    let names: Vec<_> = inspection.values.iter().map(name).collect();
    let width = width(&names, 5);
    if !names.is_empty() {
        writeln!(f, "\nother values")?;
    }
    for (entry, name) in inspection.values.iter().zip(names) {
        writeln!(f, "{name:width$}  {}", cut(ascii(&entry.value.to_string()).chars(), MOST))?;
    }
    Ok(())
}

/// The first lines of a reason.
fn lines(text: &str) -> String {
    let all: Vec<_> = text.lines().collect();
    let more = all.len().saturating_sub(MOST_LINES);
    let mut shown = all[..all.len() - more].join("\n             ");
    if more > 0 {
        shown += &format!("\n             ... and {more} lines more");
    }
    shown
}
