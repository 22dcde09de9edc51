//! Two checkpoints side by side.

use std::fmt::{self, Formatter};
use std::path::Path;

use abbe_checkpoint::{Comparison, Difference, StateDict, Unlike};
use abbe_models::{Card, Choice, align};
use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::ascii::{short, tensors, width};
use crate::stop;

/// Rows of a list that are shown at most.
const MOST: usize = 10;

/// How the tensors of two files differ.
pub struct Pair {
    files: [Side; 2],
    /// Which names were compared, when they are not the files'.
    names: Option<String>,
    comparison: Comparison,
}

struct Side {
    file: String,
    /// The key that its weights are under; none when it is a state dict itself.
    key: Option<String>,
    state: StateDict,
    card: Option<Card>,
}

/// Compares the state dicts of two files, each under its key; what is said of the network is said of both.
///
/// # Errors
/// A file that cannot be read, or without a state dict.
pub fn compare([first, second]: [(&Path, Option<&str>); 2], choice: &Choice) -> Result<Pair> {
    let mut files = [side(first)?, side(second)?];
    stop::check()?;
    let [one, other] = &files;
    let aligned = align([&one.state, &other.state], [one.card.as_ref(), other.card.as_ref()], choice);
    let names = aligned.as_ref().map(ToString::to_string);
    if let Some(aligned) = aligned {
        [files[0].state, files[1].state] = aligned.states;
    }
    stop::check()?;
    let comparison = abbe_checkpoint::compare(&files[0].state, &files[1].state);
    Ok(Pair { files, names, comparison })
}

fn side((path, key): (&Path, Option<&str>)) -> Result<Side> {
    stop::check()?;
    let checkpoint = abbe_checkpoint::open(path)?;
    let unwrapped = abbe_checkpoint::unwrap(&checkpoint.value, key).with_context(|| path.display().to_string())?;
    // A card that this version cannot read only keeps names from being matched.
    let card = checkpoint.card.and_then(|card| Card::parse(path, &card).ok());
    Ok(Side { file: path.display().to_string(), key: unwrapped.key, state: unwrapped.state, card })
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
            "names": self.names,
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
            writeln!(f, "  {title:<6}  {}: {}{key}", side.file.escape_debug(), tensors(side.state.len()))?;
        }
        self.names.iter().try_for_each(|names| writeln!(f, "compared {names}"))?;
        write!(f, "{}", self.comparison)?;
        let Comparison { differences, equal, .. } = &self.comparison;
        let names: Vec<_> = differences.iter().map(|difference| short(&difference.name, 100)).collect();
        let width = width(&names, 6);
        if !differences.is_empty() {
            writeln!(f, "\n{:width$}  largest difference", "tensor")?;
        }
        for (name, Difference { largest, .. }) in names.iter().zip(differences).take(MOST) {
            let infinite = if largest.is_finite() { "" } else { "  not finite in one of them" };
            writeln!(f, "{name:width$}  {largest:>18.6e}{infinite}")?;
        }
        if differences.len() > MOST {
            writeln!(f, "... and {} more", differences.len() - MOST)?;
        }
        if self.comparison.is_equal() {
            writeln!(f, "equal: bit for bit, {}", tensors(*equal))
        } else {
            writeln!(f, "different: {} equal, {} with other numbers", tensors(*equal), tensors(differences.len()))
        }
    }
}
