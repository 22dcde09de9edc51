//! One part of a data set, from where it is to what it is for.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::catalogue::{Form, Part, Source, file_name};
use crate::client::Client;
use crate::digest;
use crate::download::{Download, Lock, download};
use crate::event::{Event, Observer, tell};
use crate::repository::Repository;
use crate::shards::extract;
use crate::unpack::{Kind, unpack};
use crate::{Error, Places};

/// What a fetch left on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The folders of pictures, or the file of weights.
    pub paths: Vec<PathBuf>,
    /// Whether they were there before, so that nothing was fetched.
    pub was_there: bool,
}

/// Fetches a part, unless it is there.
///
/// # Errors
/// Whatever stands between the catalogue and whole files; nothing appears under its name before it is whole.
pub fn fetch(part: &Part, places: &Places, observer: Observer) -> Result<Fetched, Error> {
    let fetcher = Fetcher { client: Client::new(), part, places, observer };
    match &part.form {
        Form::Weights(file) => fetcher.weights(&places.torch.join(file)),
        Form::Zip(folder) => fetcher.archive(Kind::Zip, folder),
        Form::Tar(folder) => fetcher.archive(Kind::Tar, folder),
        Form::Tgz(folder) => fetcher.archive(Kind::Tgz, folder),
        Form::Parquet(columns) => fetcher.table(columns),
    }
}

/// How a file came to be where it is.
struct Arrival {
    was_there: bool,
    /// Its SHA-256, when there was none to hold it against.
    unknown: Option<String>,
}

struct Fetcher<'a> {
    client: Client,
    part: &'a Part,
    places: &'a Places,
    observer: Observer<'a>,
}

impl Fetcher<'_> {
    fn weights(&self, path: &Path) -> Result<Fetched, Error> {
        let Arrival { was_there, unknown } = self.at(path)?;
        self.trust(path, unknown)?;
        Ok(Fetched { paths: vec![path.into()], was_there })
    }

    fn archive(&self, kind: Kind, folder: &str) -> Result<Fetched, Error> {
        let folder = self.places.data.join(folder);
        let was_there = self.once(&[&folder], || {
            self.with_files(|files| {
                files.iter().try_for_each(|file| unpack(file, kind, &folder, self.observer).map(|_| ()))
            })
        })?;
        Ok(Fetched { paths: vec![folder], was_there })
    }

    fn table(&self, columns: &BTreeMap<String, String>) -> Result<Fetched, Error> {
        let all: Vec<(&str, PathBuf)> =
            columns.iter().map(|(name, folder)| (name.as_str(), self.places.data.join(folder))).collect();
        let folders: Vec<&Path> = all.iter().map(|(_, folder)| folder.as_path()).collect();
        let was_there =
            self.once(&folders, || self.with_files(|files| extract(files, &all, self.observer).map(|_| ())))?;
        Ok(Fetched { paths: folders.into_iter().map(Path::to_owned).collect(), was_there })
    }

    /// Runs `make` with the part's files. One that came from a web server goes away once `make` is done with it; one that
    /// was there before, or is in the hub's cache, stays.
    fn with_files(&self, make: impl FnOnce(&[PathBuf]) -> Result<(), Error>) -> Result<(), Error> {
        let Source::Url(url) = &self.part.source else { return make(&self.hub_files()?) };
        let file = self.places.data.join(file_name(url));
        let Arrival { was_there, unknown } = self.at(&file)?;
        make(std::slice::from_ref(&file))?;
        self.trust(&file, unknown)?;
        if was_there { Ok(()) } else { fs::remove_file(&file).map_err(Error::io("remove", &file)) }
    }

    /// Runs `make`, in one process at a time, unless all `folders` are there; gives whether they were.
    fn once(&self, folders: &[&Path], make: impl FnOnce() -> Result<(), Error>) -> Result<bool, Error> {
        if let Some(file) = folders.iter().find(|folder| folder.is_file()) {
            return Err(Error::io("make the folder", file)(ErrorKind::NotADirectory.into()));
        }
        let all_there = || folders.iter().all(|folder| folder.exists());
        if all_there() {
            return Ok(true);
        }
        for parent in folders.iter().filter_map(|folder| folder.parent()) {
            fs::create_dir_all(parent).map_err(Error::io("make the folder", parent))?;
        }
        let lock = Lock::of(folders[0], self.observer)?;
        let was_there = all_there(); // by another process, in the meantime
        if !was_there {
            make()?;
        }
        lock.remove();
        Ok(was_there)
    }

    /// Makes sure that the part's file is at `path`, and is the one expected.
    fn at(&self, path: &Path) -> Result<Arrival, Error> {
        let expected = self.part.sha256.clone().or_else(|| digest::recorded(path));
        let was_there = path.is_file();
        let found = match &self.part.source {
            _ if was_there => digest::sha256(path)?,
            Source::Url(url) => {
                let expected = expected.as_deref();
                let by_hand = &format!("or fetch that address by hand and put the file at {}", path.display());
                let job = Download { url, token: None, of_hub: false, expected, to: path, by_hand };
                download(&self.client, &job, self.observer)?
            }
            Source::Hub { .. } => self.copied(path)?,
        };
        match expected {
            Some(expected) if found.starts_with(&expected) => Ok(Arrival { was_there, unknown: None }),
            None => Ok(Arrival { was_there, unknown: Some(found) }),
            Some(expected) => {
                let done = "it was left as it is: remove it, or correct the catalogue, and run the same command again";
                Err(Error::Hash { path: path.into(), expected, found, done })
            }
        }
    }

    /// Writes down the hash of a file for which the catalogue has none; it is expected from then on.
    fn trust(&self, path: &Path, unknown: Option<String>) -> Result<(), Error> {
        let Some(found) = unknown else { return Ok(()) };
        digest::record(path, &found)?;
        let (file, record) = (path.display(), digest::record_of(path));
        let note = format!(
            "{file}: SHA-256 {found}; the catalogue has none to hold it against, so this one is trusted, and written to {}",
            record.display()
        );
        tell(self.observer, Event::Note(&note))
    }

    /// Puts a copy of the hub's file at `path`; gives its SHA-256.
    fn copied(&self, path: &Path) -> Result<String, Error> {
        let part = digest::sibling(path, ".part");
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(Error::io("make the folder", folder))?;
        }
        let lock = Lock::of(path, self.observer)?;
        for cached in self.hub_files()?.iter().filter(|_| !path.is_file()) {
            fs::copy(cached, &part).and_then(|_| fs::rename(&part, path)).map_err(Error::io("write", path))?;
        }
        lock.remove();
        digest::sha256(path)
    }

    /// The part's files in the hub's cache, at least one.
    fn hub_files(&self) -> Result<Vec<PathBuf>, Error> {
        let Source::Hub { repo, file, revision } = &self.part.source else { return Ok(Vec::new()) };
        let files = Repository::new(&self.client, self.places, self.observer, repo, revision)?.fetch(file)?;
        files.iter().try_for_each(|path| self.expect(path))?;
        Ok(files)
    }

    /// Holds a file of the hub's cache against the catalogue's hash, where it has one.
    fn expect(&self, path: &Path) -> Result<(), Error> {
        let Some(expected) = self.part.sha256.clone() else { return Ok(()) };
        let found = digest::sha256(path)?;
        if found.starts_with(&expected) {
            return Ok(());
        }
        let done = "it was left in the hub's cache: the hub has another file now; correct the catalogue";
        Err(Error::Hash { path: path.into(), expected, found, done })
    }
}
