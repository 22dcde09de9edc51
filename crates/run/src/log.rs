//! The log of a run: `log.jsonl`, one JSON object per training step.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::append::Append;
use crate::{Error, io, write_atomic};

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
    pub terms: serde_json::Map<String, Value>,
    /// Each loss term before its weight.
    pub raw: serde_json::Map<String, Value>,
    /// The discriminator's mean answer D(x) to real and restored pictures before its own step, as `real` and `fake`, on the
    /// steps that train it: the probability, 0 to 1, that it gives them of being real; with a loss that does not make its
    /// output a probability (least squares, hinge, Wasserstein, relativistic ones) that output.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub discriminator: serde_json::Map<String, Value>,
    /// The mean of each metric over the pictures of validation, by its name with its convention, after the steps that
    /// validate; see [`json_number`].
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub validation: serde_json::Map<String, Value>,
    /// How training fares, none of it part of what is computed: `gradient_<network>`, the norm of its gradient before any
    /// bound; `skipped_<network>`, 1 where a step was not taken since something was not finite, and `all_skipped_<network>`,
    /// how many were not in the phase so far, where some were not; `loss_scale_<network>` with f16; `right_discriminator`, the
    /// part of its answers that are right, and `held_back_discriminator`, 1 where its update was left out since it is too far
    /// ahead; `contrast`, the variance of SR over HR's, every 50 steps; `patches_per_second`; `waiting`, the share of the
    /// step's time that it waited for data; `memory_gib`, what the process has in memory, and `gpu_memory_gib`, the most that
    /// its tensors on a GPU ever took.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub health: serde_json::Map<String, Value>,
    /// What looks wrong since this step, as sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// Appends rows to a log. A run that is cut off or fills the disk leaves whole lines.
pub struct Log {
    path: PathBuf,
    file: Append,
}

impl Log {
    /// Begins a new log.
    ///
    /// # Errors
    /// The path and the system's reason.
    pub fn create(path: &Path) -> Result<Self, Error> {
        Ok(Log { path: path.to_path_buf(), file: Append::create(path)? })
    }

    /// Goes on with the log of a run that was cut off, of which it keeps the first rows, as long as `keep` says so: those
    /// after them are about to be written again.
    ///
    /// # Errors
    /// A log that cannot be read or written.
    pub fn resume(path: &Path, keep: impl Fn(&LogRow) -> bool) -> Result<Self, Error> {
        let bytes = std::fs::read(path).map_err(io("read", path))?;
        let kept = read_log(path)?.rows.iter().take_while(|row| keep(row)).count();
        let length = bytes.split_inclusive(|byte| *byte == b'\n').take(kept).map(<[u8]>::len).sum();
        write_atomic(path, &bytes[..length])?;
        Ok(Log { path: path.to_path_buf(), file: Append::open(path)? })
    }

    /// Appends one row.
    ///
    /// # Errors
    /// The path and the system's reason (a full disk, say).
    pub fn write(&mut self, row: &LogRow) -> Result<(), Error> {
        let line = serde_json::to_string(row).map_err(|error| io("write", &self.path)(error.into()))?;
        self.file.write(format!("{line}\n").as_bytes())
    }
}

/// A number as JSON; `inf`, `-inf` and `NaN`, which it has no numbers for, are strings.
pub fn json_number(value: f64) -> Value {
    if value.is_finite() { value.into() } else { value.to_string().into() }
}

/// What a log holds.
#[derive(Debug, Default)]
pub struct ReadLog {
    /// One per step, in order.
    pub rows: Vec<LogRow>,
    /// That the last line has no end and was left out, as a sentence for the reader: the run was killed while it wrote.
    pub notice: Option<String>,
}

/// Reads a log back, but for a last line that has no end.
///
/// # Errors
/// When the file cannot be read, or a whole line of it is not a row: the line's number and why.
pub fn read_log(path: &Path) -> Result<ReadLog, Error> {
    let bytes = std::fs::read(path).map_err(io("read", path))?;
    let mut lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    let torn = lines.pop().is_some_and(|rest| !rest.is_empty());
    let parse = |(index, line): (usize, &&[u8])| {
        serde_json::from_slice(line).map_err(|error| Error::Malformed {
            path: path.to_path_buf(),
            line: index + 1,
            reason: error.to_string(),
        })
    };
    let rows: Vec<LogRow> = lines.iter().enumerate().map(parse).collect::<Result<_, _>>()?;
    let notice = format!("line {} of the log has no end and is left out: the run was killed", rows.len() + 1);
    Ok(ReadLog { rows, notice: torn.then_some(notice) })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn row(step: u64) -> LogRow {
        LogRow {
            phase: "warm-up".into(),
            step,
            epoch: 0,
            seconds: 0.5,
            lr: 1e-4,
            terms: serde_json::Map::from_iter([("pixel".to_string(), 0.25.into())]),
            raw: serde_json::Map::new(),
            discriminator: serde_json::Map::new(),
            validation: serde_json::Map::new(),
            health: serde_json::Map::new(),
            warnings: Vec::new(),
        }
    }

    /// A limit on the size of files stands in for the full disk: it ends a write in the middle of a line. It holds for a
    /// whole process, so the test starts itself a second time under the limit.
    #[cfg(unix)]
    #[test]
    fn a_full_disk_leaves_whole_lines() {
        const LOG: &str = "ABBE_TEST_LOG";
        if let Some(path) = std::env::var_os(LOG) {
            let mut log = Log::create(Path::new(&path)).unwrap();
            let full = (0..100).find(|step| log.write(&row(*step)).is_err());
            assert!(full.is_some(), "the limit does not hold");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.jsonl");
        let ended = std::process::Command::new("bash")
            .args(["-c", "trap '' XFSZ; ulimit -f 1; exec \"$0\" --exact log::tests::a_full_disk_leaves_whole_lines"])
            .arg(std::env::current_exe().unwrap())
            .env(LOG, &path)
            .output()
            .unwrap();
        assert!(ended.status.success(), "{ended:?}");
        let rows = read_log(&path).unwrap().rows;
        assert_eq!(rows, (0..rows.len() as u64).map(row).collect::<Vec<_>>());
        // The limit is 1024 bytes and a line has fewer than 128: the next one was begun and is gone.
        let length = std::fs::metadata(&path).unwrap().len();
        assert!((1024 - 128..1024).contains(&length), "{length}");
    }

    #[test]
    fn a_log_goes_on_behind_the_rows_that_it_keeps() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.jsonl");
        let mut log = Log::create(&path).unwrap();
        (0..4).for_each(|step| log.write(&row(step)).unwrap());
        std::fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"half").unwrap();
        let mut log = Log::resume(&path, |row| row.step < 2).unwrap();
        log.write(&row(9)).unwrap();
        assert_eq!(read_log(&path).unwrap().rows, [row(0), row(1), row(9)]);
        // A row that is wanted behind one that is not is of another run of the same steps.
        Log::resume(&path, |row| row.step != 1).unwrap();
        assert_eq!(read_log(&path).unwrap().rows, [row(0)]);
    }

    #[test]
    fn rows_come_back_in_order_and_a_broken_line_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.jsonl");
        let mut log = Log::create(&path).unwrap();
        log.write(&row(0)).unwrap();
        log.write(&row(1)).unwrap();
        let read = read_log(&path).unwrap();
        assert_eq!((read.rows, read.notice), (vec![row(0), row(1)], None));
        // what a killed run leaves: half a line, cut inside a character of two bytes
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, [&whole[..], "{\"phase\":\"ü".as_bytes().split_last().unwrap().1].concat()).unwrap();
        let read = read_log(&path).unwrap();
        assert_eq!(read.rows, [row(0), row(1)]);
        assert!(read.notice.unwrap().contains("line 3 of the log"));
        std::fs::write(&path, "{\"phase\": 3}\n").unwrap();
        assert!(read_log(&path).unwrap_err().to_string().contains("line 1"));
    }
}
