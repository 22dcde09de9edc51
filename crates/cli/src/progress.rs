//! Progress on a terminal: bars while work lasts; one line per finished piece of work where there is no terminal.

use std::time::Instant;

use abbe_run::LogRow;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value};

/// A bar of `steps`, called `name`.
pub fn bar(name: &str, steps: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix:>12} [{bar:30}] {pos}/{len} {elapsed} (left {eta})  {msg}");
    let bar = ProgressBar::new(steps).with_prefix(name.to_owned());
    style.map_or(bar.clone(), |style| bar.with_style(style.progress_chars("=> ")))
}

/// A bar of `bytes`, or where their number is not known a count of them.
pub fn bytes(name: &str, bytes: Option<u64>) -> ProgressBar {
    let template = match bytes {
        Some(_) => "{prefix} [{bar:30}] {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} (left {eta})",
        None => "{prefix} {binary_bytes} {binary_bytes_per_sec}",
    };
    let bar = ProgressBar::no_length().with_prefix(name.to_owned());
    if let Some(bytes) = bytes {
        bar.set_length(bytes);
    }
    ProgressStyle::with_template(template).map_or(bar.clone(), |style| bar.with_style(style.progress_chars("=> ")))
}

/// Follows a training: one bar per phase.
pub struct Training {
    /// Names and steps of the phases that are still to come, in reverse.
    ahead: Vec<(String, u64)>,
    current: Option<(ProgressBar, Instant)>,
}

impl Training {
    /// Will follow these phases.
    pub fn new(phases: impl IntoIterator<Item = (String, u64)>) -> Self {
        let mut ahead: Vec<_> = phases.into_iter().collect();
        ahead.reverse();
        Training { ahead, current: None }
    }

    /// Shows one step.
    pub fn show(&mut self, row: &LogRow) {
        if row.step == 0 {
            let steps = self.ahead.pop().map_or(0, |(_, steps)| steps);
            self.current = Some((bar(&row.phase, steps), Instant::now()));
        }
        let Some((bar, since)) = &self.current else { return };
        let terms = numbers(&row.terms);
        bar.set_message(terms.clone());
        bar.inc(1);
        if !row.validation.is_empty() {
            bar.suspend(|| eprintln!("{:>12}: after {} steps  {}", row.phase, row.step + 1, numbers(&row.validation)));
        }
        if Some(bar.position()) == bar.length() {
            bar.finish_and_clear();
            let seconds = since.elapsed().as_secs_f64();
            eprintln!("{:>12}: {} steps in {seconds:.0} s; {}", row.phase, bar.position(), terms);
        }
    }
}

/// Numbers with their names: with four decimals, small ones with an exponent.
fn numbers(numbers: &Map<String, Value>) -> String {
    let short = |number: f64| if number.abs() < 0.1 { format!("{number:.3e}") } else { format!("{number:.4}") };
    let text = |value: &Value| value.as_f64().map_or_else(|| value.to_string(), short);
    numbers.iter().map(|(name, value)| format!("{name} {}", text(value))).collect::<Vec<_>>().join("  ")
}
