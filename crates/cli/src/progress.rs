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
    /// Names and steps of the phases.
    phases: Vec<(String, u64)>,
    current: Option<(String, ProgressBar, Instant)>,
}

impl Training {
    /// Will follow these phases.
    pub fn new(phases: Vec<(String, u64)>) -> Self {
        Training { phases, current: None }
    }

    /// Begins the bar of a phase, which goes on from a step where training was cut off there.
    fn begin(&mut self, row: &LogRow) {
        let steps = self.phases.iter().find(|(name, _)| *name == row.phase).map_or(0, |(_, steps)| *steps);
        let bar = bar(&row.phase, steps).with_position(row.step);
        bar.reset_eta();
        self.current = Some((row.phase.clone(), bar, Instant::now()));
    }

    /// Shows one step.
    pub fn show(&mut self, row: &LogRow) {
        if self.current.as_ref().is_none_or(|(phase, ..)| *phase != row.phase) {
            self.begin(row);
        }
        let Some((_, bar, since)) = &self.current else { return };
        let terms = numbers(&row.terms);
        let speed = row.health.get("patches_per_second").and_then(Value::as_f64).unwrap_or_default();
        let skipped = skipped(row);
        bar.set_message(format!("{terms}  {speed:.0} patches/s{skipped}"));
        bar.inc(1);
        for warning in &row.warnings {
            bar.suspend(|| eprintln!("warning: {}, after {} steps: {warning}", row.phase, row.step + 1));
        }
        if row.health.keys().any(|name| name.starts_with("skipped_")) {
            bar.suspend(|| eprintln!("warning: {}: step {} was not taken: not finite", row.phase, row.step));
        }
        if !row.validation.is_empty() {
            bar.suspend(|| eprintln!("{:>12}: after {} steps  {}", row.phase, row.step + 1, numbers(&row.validation)));
        }
        if Some(bar.position()) == bar.length() {
            bar.finish_and_clear();
            let seconds = since.elapsed().as_secs_f64();
            eprintln!("{:>12}: {} steps in {seconds:.0} s; {terms}{skipped}", row.phase, bar.position());
        }
    }
}

/// How many steps of the phase so far were not taken, by network; nothing where all were.
fn skipped(row: &LogRow) -> String {
    let totals = row.health.iter().filter_map(|(name, total)| Some((name.strip_prefix("all_skipped_")?, total)));
    totals.map(|(network, total)| format!("  not taken for {network}: {total}")).collect()
}

/// Numbers with their names: with four decimals, small ones with an exponent.
fn numbers(numbers: &Map<String, Value>) -> String {
    let short = |number: f64| if number.abs() < 0.1 { format!("{number:.3e}") } else { format!("{number:.4}") };
    let text = |value: &Value| value.as_f64().map_or_else(|| value.to_string(), short);
    numbers.iter().map(|(name, value)| format!("{name} {}", text(value))).collect::<Vec<_>>().join("  ")
}
