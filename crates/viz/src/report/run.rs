//! What the folder of a run holds, read once, and what it lacks.

use std::path::PathBuf;

use abbe_eval::Results;
use abbe_run::{LogRow, ReadLog, RunFolder, read_log};
use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::facts::date;
use crate::figures::read_results;

/// A run as the report shows it.
pub(super) struct Run {
    /// By which it is told from the others of a comparison.
    pub name: String,
    pub folder: RunFolder,
    /// The text of its experiment, and the same as a value.
    pub experiment: String,
    pub settings: Value,
    /// Null where there is none.
    pub manifest: Value,
    pub results: Option<Results>,
    pub log: Vec<LogRow>,
    pub checkpoints: Vec<Checkpoint>,
    /// What it lacks, a sentence for each.
    pub missing: Vec<String>,
    /// Of that, results that are there and do not read.
    pub unread: Vec<String>,
}

/// A file of weights, or of an optimiser's state.
pub(super) struct Checkpoint {
    pub file: String,
    pub bytes: u64,
    pub sha256: String,
}

impl Run {
    /// Reads everything that is there.
    pub(super) fn read(folder: &RunFolder, name: String) -> Self {
        let mut missing = Vec::new();
        let experiment = or_missing(&mut missing, "experiment", read(folder.experiment()));
        let settings = or_missing(&mut missing, "experiment", toml::from_str(&experiment).context("experiment.toml"));
        let manifest = read(folder.manifest())
            .and_then(|text| serde_json::from_str(&text).with_context(|| folder.manifest().display().to_string()));
        let manifest = or_missing(&mut missing, "environment", manifest);
        let before = missing.len();
        let results = or_missing(&mut missing, "tables and pictures", read_results(folder).map(Some));
        let unread = if folder.metrics("json").is_file() { missing[before..].to_vec() } else { Vec::new() };
        let columns = results.iter().flat_map(Results::missing);
        missing.extend(columns.map(|(column, reason)| format!("{column}: {reason}")));
        let log = or_missing(&mut missing, "curves", log(folder));
        missing.extend(log.notice.map(|notice| format!("curves: {notice}")));
        let checkpoints = or_missing(&mut missing, "checkpoints", checkpoints(folder));
        let (folder, log) = (folder.clone(), log.rows);
        Self { name, folder, experiment, settings, manifest, results, log, checkpoints, missing, unread }
    }

    /// `finished`, `unfinished`, `stopped: ...`, or what is known without a manifest.
    fn outcome(&self) -> &str {
        self.manifest["outcome"].as_str().unwrap_or("unknown")
    }

    pub(super) fn is_finished(&self) -> bool {
        self.outcome() == "finished"
    }

    /// How the run ended, as a sentence.
    pub(super) fn status(&self) -> String {
        let minutes = self.manifest["seconds"].as_f64().unwrap_or(0.0) / 60.0;
        match self.outcome() {
            "finished" => format!("The run was finished in {minutes:.1} minutes."),
            "unfinished" => {
                "The run is NOT FINISHED: it is still going on, or was ended from outside. Below is what there \
                             is so far."
                    .into()
            }
            "unknown" => "Whether the run was finished is not known: it has no manifest that reads.".into(),
            other => format!("The run was NOT FINISHED. It was {other}. Below is what there is."),
        }
    }

    /// What every reader must know.
    pub(super) fn notices(&self) -> Vec<String> {
        let notices = self.manifest["notices"].as_array().into_iter().flatten();
        let mut notices: Vec<String> = notices.filter_map(|notice| Some(notice.as_str()?.to_owned())).collect();
        let of_table = self.results.iter().flat_map(|results| &results.notices);
        for notice in of_table {
            if !notices.contains(notice) {
                notices.push(notice.clone());
            }
        }
        notices
    }

    /// SHA-256 of the pictures that it was judged on, as its manifest says.
    pub(super) fn test_set(&self) -> Option<&str> {
        self.manifest["test"]["sha256"].as_str()
    }

    /// When it began, in UTC.
    pub(super) fn started(&self) -> Option<String> {
        date(self.manifest["started_unix"].as_i64()?)
    }
}

/// The value; where there is none, the reason goes to `missing`.
fn or_missing<T: Default>(missing: &mut Vec<String>, what: &str, found: Result<T>) -> T {
    found.unwrap_or_else(|error| {
        missing.push(format!("{what}: {error:#}"));
        T::default()
    })
}

fn read(path: PathBuf) -> Result<String> {
    std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
}

/// # Errors
/// A log that does not read, or holds no step.
fn log(folder: &RunFolder) -> Result<ReadLog> {
    let log = read_log(&folder.log())?;
    ensure!(!log.rows.is_empty() || log.notice.is_some(), "the log holds no step of training");
    Ok(log)
}

/// The files among the checkpoints, by name.
///
/// # Errors
/// A folder or file that does not read; a folder without one.
fn checkpoints(folder: &RunFolder) -> Result<Vec<Checkpoint>> {
    let place = folder.root().join("checkpoints");
    let mut found = Vec::new();
    for entry in place.read_dir().with_context(|| format!("cannot read the folder {}", place.display()))? {
        let entry = entry?;
        let file = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_file() && !file.starts_with(abbe_run::TEMPORARY) {
            let sha256 = abbe_checkpoint::sha256(entry.path())?;
            found.push(Checkpoint { file, bytes: entry.metadata()?.len(), sha256 });
        }
    }
    ensure!(!found.is_empty(), "there are none in {}", place.display());
    found.sort_by(|a, b| a.file.cmp(&b.file));
    Ok(found)
}
