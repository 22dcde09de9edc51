//! The log of a run: `log.jsonl`, one JSON object per training step.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{Error, io};

/// One training step. Its names are those of the experiment: the phase, and the loss terms in their order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogRow {
    /// The phase's name.
    pub phase: String,
    /// Counted from 0 within the phase.
    pub step: u64,
    /// Counted from 0 within the phase.
    pub epoch: u64,
    /// Since training began.
    pub seconds: f64,
    /// The learning rate of this step.
    pub lr: f64,
    /// Each loss term times its weight, and their sum as `total`; `discriminator` on the steps that train it.
    pub terms: serde_json::Map<String, serde_json::Value>,
    /// Each loss term before its weight.
    pub raw: serde_json::Map<String, serde_json::Value>,
}

/// Appends rows to a log; a row reaches the file in one write, so a run that is cut off leaves whole lines.
pub struct Log {
    path: PathBuf,
    file: File,
}

impl Log {
    /// Begins a new log.
    ///
    /// # Errors
    /// The path and the system's reason.
    pub fn create(path: &Path) -> Result<Self, Error> {
        let file = File::create(path).map_err(io("write", path))?;
        Ok(Log { path: path.to_path_buf(), file })
    }

    /// Appends one row.
    ///
    /// # Errors
    /// The path and the system's reason (a full disk, say).
    pub fn write(&mut self, row: &LogRow) -> Result<(), Error> {
        let line = serde_json::to_string(row).map_err(|error| io("write", &self.path)(error.into()))?;
        self.file.write_all(format!("{line}\n").as_bytes()).map_err(io("write", &self.path))
    }
}

/// Reads a log back.
///
/// # Errors
/// When the file cannot be read, or a line of it is not a row: the line's number and why.
pub fn read_log(path: &Path) -> Result<Vec<LogRow>, Error> {
    let text = std::fs::read_to_string(path).map_err(io("read", path))?;
    let parse = |(index, line): (usize, &str)| {
        serde_json::from_str(line).map_err(|error| Error::Malformed {
            path: path.to_path_buf(),
            line: index + 1,
            reason: error.to_string(),
        })
    };
    text.lines().enumerate().map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_in_order_and_a_broken_line_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.jsonl");
        let mut log = Log::create(&path).unwrap();
        let row = |step| LogRow {
            phase: "warm-up".into(),
            step,
            epoch: 0,
            seconds: 0.5,
            lr: 1e-4,
            terms: serde_json::Map::from_iter([("pixel".to_string(), 0.25.into())]),
            raw: serde_json::Map::new(),
        };
        log.write(&row(0)).unwrap();
        log.write(&row(1)).unwrap();
        assert_eq!(read_log(&path).unwrap(), [row(0), row(1)]);
        std::fs::write(&path, "{\"phase\": 3}\n").unwrap();
        assert!(read_log(&path).unwrap_err().to_string().contains("line 1"));
    }
}
