//! `abbe inspect`

use std::path::PathBuf;

use abbe_checkpoint::{Tensor, Value};
use anyhow::Result;
use serde_json::json;

/// List what is in a checkpoint, without running anything that is in it
///
/// Example: abbe inspect runs/demo/checkpoints/srgan_final.pth
#[derive(clap::Args)]
pub struct Arguments {
    /// A .pth file, from Abbe or from PyTorch
    #[arg(value_name = "CKPT")]
    checkpoint: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Lists the checkpoint.
///
/// # Errors
/// A file that is no checkpoint, or that cannot be read safely.
pub fn run(arguments: &Arguments) -> Result<()> {
    let abbe_checkpoint::Checkpoint { value, card, .. } = abbe_checkpoint::open(&arguments.checkpoint)?;
    let mut lines = Vec::new();
    list(String::new(), &value, &mut lines);
    let numbers = lines.iter().filter_map(|(_, value)| tensor(value)).map(Tensor::numel).sum::<usize>();
    if arguments.json {
        let entries: Vec<_> = lines.iter().map(|(name, value)| json(name, value)).collect();
        println!("{:#}", json!({ "card": card, "numbers": numbers, "entries": entries }));
        return Ok(());
    }
    if let Some(card) = card {
        println!("card  {}", card.escape_debug());
    }
    let width = lines.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    for (name, value) in &lines {
        println!("{name:<width$}  {}", describe(value));
    }
    println!("{} entries, {numbers} numbers in tensors", lines.len());
    Ok(())
}

/// The leaves of a checkpoint with their places: keys and positions joined by dots, control characters escaped.
fn list<'a>(place: String, value: &'a Value, lines: &mut Vec<(String, &'a Value)>) {
    let join = |key: String| if place.is_empty() { key } else { format!("{place}.{key}") };
    match value {
        Value::List(items) | Value::Tuple(items) if !items.is_empty() => {
            items.iter().enumerate().for_each(|(index, item)| list(join(index.to_string()), item, lines));
        }
        _ => match value.entries() {
            Some(entries) if !entries.is_empty() => {
                entries.iter().for_each(|(key, value)| list(join(name(key)), value, lines));
            }
            _ => lines.push((place, value)),
        },
    }
}

fn name(key: &Value) -> String {
    match key {
        Value::Text(text) => text.escape_debug().to_string(),
        Value::Int(number) => number.to_string(),
        other => format!("{other:?}"),
    }
}

fn tensor(value: &Value) -> Option<&Tensor> {
    match value {
        Value::Tensor(tensor) => Some(tensor),
        _ => None,
    }
}

fn describe(value: &Value) -> String {
    match tensor(value) {
        Some(tensor) => format!("{} {:?}", tensor.dtype().name(), tensor.shape()),
        None => format!("{value:?}"),
    }
}

fn json(name: &str, value: &Value) -> serde_json::Value {
    match tensor(value) {
        Some(tensor) => json!({ "name": name, "dtype": tensor.dtype().name(), "shape": tensor.shape() }),
        None => json!({ "name": name, "value": format!("{value:?}") }),
    }
}
