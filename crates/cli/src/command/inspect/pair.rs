//! Two checkpoints side by side.

use std::fmt::{self, Formatter};
use std::path::Path;

use abbe_checkpoint::{Comparison, Difference, StateDict, Unlike};
use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::ascii::{short, width};

/// How the tensors of two files differ.
pub struct Pair {
    files: [Side; 2],
    comparison: Comparison,
}

struct Side {
    file: String,
    /// The key that its weights are under; none when it is a state dict itself.
    key: Option<String>,
    state: StateDict,
}

/// Compares the state dicts of two files, each under its key.
///
/// # Errors
/// A file that cannot be read, or without a state dict.
pub fn compare([first, second]: [(&Path, Option<&str>); 2]) -> Result<Pair> {
    let files = [side(first)?, side(second)?];
    let comparison = abbe_checkpoint::compare(&files[0].state, &files[1].state);
    Ok(Pair { files, comparison })
}

fn side((path, key): (&Path, Option<&str>)) -> Result<Side> {
    let value = abbe_checkpoint::read(path)?;
    let unwrapped = abbe_checkpoint::unwrap(&value, key).with_context(|| path.display().to_string())?;
    Ok(Side { file: path.display().to_string(), key: unwrapped.key, state: unwrapped.state })
}

impl Pair {
    /// For programs. A difference to a number that is not finite is null.
    pub fn to_json(&self) -> Value {
        let Comparison { only_first, only_second, unlike, differences, equal } = &self.comparison;
        let files = self.files.iter().map(|side| json!({ "file": side.file, "key": side.key }));
        let unlike = unlike.iter().map(|Unlike { name, first, second }| json!([name, first, second]));
        let differences = differences.iter().map(|Difference { name, largest }| json!([name, largest]));
        json!({
            "files": files.collect::<Value>(),
            "equal": self.comparison.is_equal(),
            "equal_tensors": equal,
            "only_first": only_first,
            "only_second": only_second,
            "unlike": unlike.collect::<Value>(),
            "differences": differences.collect::<Value>(),
        })
    }
}

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        for (side, title) in self.files.iter().zip(["first", "second"]) {
            let key = side.key.as_ref().map(|key| format!(", under {}", short(key, 40))).unwrap_or_default();
            writeln!(f, "  {title:<6}  {}: {} tensors{key}", side.file.escape_debug(), side.state.len())?;
        }
        write!(f, "{}", self.comparison)?;
        let Comparison { differences, equal, .. } = &self.comparison;
        let names: Vec<_> = differences.iter().map(|difference| short(&difference.name, 100)).collect();
        let width = width(&names, 6);
        if !differences.is_empty() {
            writeln!(f, "\n{:width$}  largest difference", "tensor")?;
        }
        for (name, Difference { largest, .. }) in names.iter().zip(differences) {
            writeln!(f, "{name:width$}  {largest:>18.6e}")?;
        }
        if self.comparison.is_equal() {
            writeln!(f, "equal: all {equal} tensors are the same bit for bit")
        } else {
            writeln!(f, "different: {equal} tensors are equal, {} have other numbers", differences.len())
        }
    }
}
