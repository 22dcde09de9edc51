//! Where each thing of a run lies. This file is the one home of these names.

use std::path::{Path, PathBuf};

use crate::{Error, io, write_atomic};

/// The folder of one run.
#[derive(Debug, Clone)]
pub struct RunFolder {
    root: PathBuf,
}

/// Everything that a run writes, directly under its folder; `--overwrite` removes these and nothing else.
const ENTRIES: [&str; 17] = [
    "experiment.toml",
    "manifest.json",
    "log.jsonl",
    "tensorboard",
    "checkpoints",
    "resume",
    "pictures",
    "figures",
    "metrics.csv",
    "metrics.json",
    "metrics.md",
    "metrics.tex",
    "metrics.txt",
    "report.html",
    "notebook.ipynb",
    "srgan_results.zip",
    ".abbe-run",
];
/// Written first; says that the folder is a run of ours.
const MARK: &str = ".abbe-run";

impl RunFolder {
    /// Makes the folder for a new run. With `overwrite` an earlier run there is removed first, other files stay.
    ///
    /// # Errors
    /// When the folder holds a run (without `overwrite`) or foreign files, or cannot be written to.
    pub fn create(root: &Path, overwrite: bool) -> Result<Self, Error> {
        let run = RunFolder { root: root.to_path_buf() };
        std::fs::create_dir_all(root).map_err(io("make the folder", root))?;
        let empty = std::fs::read_dir(root).map_err(io("read", root))?.next().is_none();
        let ours = root.join(MARK).exists();
        match (empty, ours, overwrite) {
            (true, ..) => {}
            (_, false, _) => return Err(Error::Foreign(root.to_path_buf())),
            (_, true, false) => return Err(Error::Occupied(root.to_path_buf())),
            (_, true, true) => run.clear()?,
        }
        write_atomic(&root.join(MARK), b"")?;
        let checkpoints = root.join("checkpoints");
        std::fs::create_dir_all(&checkpoints).map_err(io("make the folder", &checkpoints))?;
        Ok(run)
    }

    /// The folder of a run that another process makes and writes.
    pub fn of_other_rank(root: &Path) -> Self {
        RunFolder { root: root.to_path_buf() }
    }

    /// Opens the folder of an earlier run.
    ///
    /// # Errors
    /// When it holds no run.
    pub fn open(root: &Path) -> Result<Self, Error> {
        let run = RunFolder { root: root.to_path_buf() };
        if !run.experiment().is_file() {
            return Err(Error::NoRun { folder: run.root, missing: "experiment.toml" });
        }
        Ok(run)
    }

    fn clear(&self) -> Result<(), Error> {
        for path in ENTRIES.iter().map(|entry| self.root.join(entry)) {
            let removed = if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
            match removed {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(io("remove", &path)(error)),
                _ => {}
            }
        }
        Ok(())
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The experiment as it was run.
    pub fn experiment(&self) -> PathBuf {
        self.root.join("experiment.toml")
    }

    /// What the run was made with: versions, seed, device, data.
    pub fn manifest(&self) -> PathBuf {
        self.root.join("manifest.json")
    }

    /// One JSON object per training step.
    pub fn log(&self) -> PathBuf {
        self.root.join("log.jsonl")
    }

    /// TensorBoard's event files of a phase: the same numbers, and pictures of validation. Each phase is what TensorBoard
    /// calls a run, so that it has a colour of its own and the terms of different phases are not joined to one curve.
    pub fn tensorboard(&self, phase: &str) -> PathBuf {
        self.root.join("tensorboard").join(phase)
    }

    /// Where checkpoints lie.
    pub fn checkpoints(&self) -> PathBuf {
        self.root.join("checkpoints")
    }

    /// A checkpoint of this name, without its ending.
    pub fn checkpoint(&self, name: &str) -> PathBuf {
        self.checkpoints().join(format!("{name}.pth"))
    }

    /// What training needs beside a checkpoint of the same name to go on: its optimisers' states.
    pub fn training_state(&self, name: &str) -> PathBuf {
        self.root.join("checkpoints").join(format!("{name}.state"))
    }

    /// Where the points lie from which a training can go on.
    pub fn resume(&self) -> PathBuf {
        self.root.join("resume")
    }

    /// The table of results with this ending: `csv`, `json`, `txt`, `md` or `tex`.
    pub fn metrics(&self, ending: &str) -> PathBuf {
        self.root.join(format!("metrics.{ending}"))
    }

    /// One version of one evaluated picture: `lr`, `hr`, or the name of the method that made it.
    pub fn picture(&self, picture: &str, version: &str) -> PathBuf {
        self.root.join("pictures").join(picture).join(format!("{version}.png"))
    }

    /// A figure with its ending.
    pub fn figure(&self, name: &str) -> PathBuf {
        self.root.join("figures").join(name)
    }

    /// The whole run on one page.
    pub fn report(&self) -> PathBuf {
        self.root.join("report.html")
    }

    /// A notebook that recomputes a result with PyTorch.
    pub fn notebook(&self) -> PathBuf {
        self.root.join("notebook.ipynb")
    }

    /// All results in one file.
    pub fn archive(&self) -> PathBuf {
        self.root.join("srgan_results.zip")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_replaced_only_when_asked_and_only_its_own_files() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder::create(folder.path(), false).unwrap();
        write_atomic(&run.experiment(), b"old").unwrap();
        std::fs::write(folder.path().join("notes.txt"), b"mine").unwrap();
        assert!(matches!(RunFolder::create(folder.path(), false), Err(Error::Occupied(_))));
        RunFolder::create(folder.path(), true).unwrap();
        assert!(!run.experiment().exists());
        assert!(folder.path().join("notes.txt").exists());
    }

    #[test]
    fn a_folder_of_other_files_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("thesis.tex"), b"x").unwrap();
        assert!(matches!(RunFolder::create(folder.path(), true), Err(Error::Foreign(_))));
        assert!(matches!(RunFolder::open(folder.path()), Err(Error::NoRun { .. })));
    }
}
