//! A data set in the hub's cache on this machine.

use std::fs;
use std::path::{Path, PathBuf};

use hf_hub::{Cache, CacheRepo, Repo};

use super::names::{is_below, is_hexadecimal};
use crate::Error;

/// One data set of the cache, at one revision.
pub struct Local {
    folder: PathBuf,
    revision: String,
    cache: CacheRepo,
}

impl Local {
    pub fn new(cache: &Cache, repo: &Repo) -> Self {
        let folder = cache.path().join(repo.folder_name());
        Local { folder, revision: repo.revision().into(), cache: cache.repo(repo.clone()) }
    }

    /// The commit that the revision is, or named when it was last fetched.
    pub fn commit(&self) -> Option<String> {
        if self.folder.join("snapshots").join(&self.revision).is_dir() {
            return Some(self.revision.clone());
        }
        let commit = fs::read_to_string(self.folder.join("refs").join(&self.revision)).ok()?.trim().to_owned();
        is_hexadecimal(&commit).then_some(commit)
    }

    /// Makes the cache say that the revision names this commit.
    pub fn refer(&self, commit: &str) -> Result<(), Error> {
        if self.commit().as_deref() == Some(commit) {
            return Ok(());
        }
        self.cache.create_ref(commit).map_err(Error::io("write", &self.folder))
    }

    /// A file of a commit, when it is there.
    pub fn file(&self, commit: &str, file: &str) -> Option<PathBuf> {
        Some(self.cache.pointer_path(commit).join(file)).filter(|path| is_below(file) && path.exists())
    }

    /// All files of a commit that are there.
    pub fn files(&self, commit: &str) -> Result<Vec<String>, Error> {
        let root = self.cache.pointer_path(commit);
        let (mut folders, mut files) = (vec![root.clone()], Vec::new());
        while let Some(folder) = folders.pop() {
            let entries = fs::read_dir(&folder).map_err(Error::io("read", &folder))?;
            for path in entries.flatten().map(|entry| entry.path()) {
                if path.is_dir() {
                    folders.push(path);
                } else if let Some(name) = path.strip_prefix(&root).ok().and_then(Path::to_str) {
                    files.push(name.to_owned());
                }
            }
        }
        Ok(files)
    }

    /// Where the bytes lie that the hub calls `tag`.
    pub fn blob(&self, tag: &str) -> PathBuf {
        self.cache.blob_path(tag)
    }

    /// Makes the cache say that `file` of `commit` is `blob`.
    pub fn link(&self, commit: &str, file: &str, blob: &Path) -> Result<PathBuf, Error> {
        let path = self.cache.pointer_path(commit).join(file);
        let folder = path.parent().unwrap_or(&path);
        fs::create_dir_all(folder).map_err(Error::io("make the folder", folder))?;
        if !path.exists() {
            let up: PathBuf = Path::new(file).components().chain(Path::new("x").components()).map(|_| "..").collect();
            let name = blob.file_name().unwrap_or_default();
            point(&path, &up.join("blobs").join(name), blob).map_err(Error::io("write", &path))?;
        }
        Ok(path)
    }
}

#[cfg(unix)]
fn point(path: &Path, relative: &Path, _: &Path) -> std::io::Result<()> {
    match std::os::unix::fs::symlink(relative, path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()), // another process did it
        result => result,
    }
}

#[cfg(not(unix))]
fn point(path: &Path, _: &Path, blob: &Path) -> std::io::Result<()> {
    fs::copy(blob, path).map(|_| ())
}
