use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// What can go wrong between a name and the files it stands for. Text that a server or an archive gave is escaped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A catalogue that cannot be used.
    #[error("{path}: {reason}; correct this file (the program's own catalogue.toml explains each key)")]
    Catalogue {
        /// The file.
        path: PathBuf,
        /// Row and key, what was expected, what was found.
        reason: String,
    },
    /// A name that stands for nothing.
    #[error("`{}` is not in the catalogue, which has: {known}; add it to a catalogue of your own, or correct it", name.escape_debug())]
    Unknown {
        /// As it was given.
        name: String,
        /// The names there are.
        known: String,
    },
    /// A data set whose folders are not there.
    #[error("{name}: its pictures are expected in {folder}, and are not there; run `abbe fetch {name}`")]
    NotFetched {
        /// Of the data set.
        name: String,
        /// The folder looked for.
        folder: PathBuf,
    },
    /// A row of weights where a data set is needed.
    #[error("{name}: is not a data set but a file of weights; name a data set (`abbe fetch --list`)")]
    NoPictures {
        /// Of the row.
        name: String,
    },
    /// An answer that is not the file.
    #[error("{url}: the server answered {status}: {advice}")]
    Status {
        /// What was asked for.
        url: String,
        /// Of HTTP.
        status: u16,
        /// What to do.
        advice: String,
    },
    /// A server that did not answer, or broke off again and again.
    #[error(
        "{url}: not fetched: {reason}; check the network (and HTTPS_PROXY), and run the same command again, which goes on \
         from what has arrived; {by_hand}"
    )]
    Unreachable {
        /// What was asked for.
        url: String,
        /// The transport's reason.
        reason: String,
        /// How to go without: `or ...`.
        by_hand: String,
    },
    /// An answer that sends one where one must not or cannot go.
    #[error("{url}: {reason}; correct the address in a catalogue of your own (or HF_ENDPOINT where it is set)")]
    Redirect {
        /// What was asked for.
        url: String,
        /// Where it leads.
        reason: String,
    },
    /// An answer that does not follow the hub's protocol.
    #[error("{url}: expected an answer of the Hugging Face hub, found {found}; check HF_ENDPOINT")]
    Protocol {
        /// What was asked for.
        url: String,
        /// What is wrong with it.
        found: String,
    },
    /// The hub is needed, and must not be spoken to.
    #[error(
        "{what} is not in the hub's cache, {cache}, and HF_HUB_OFFLINE is set: unset it, or bring the cache from elsewhere"
    )]
    Offline {
        /// Repository and file.
        what: String,
        /// The cache.
        cache: PathBuf,
    },
    /// No file of the repository bears the name.
    #[error("{repo} has no file `{file}` at revision {revision}; it has: {there}; correct the catalogue")]
    NoFile {
        /// The repository.
        repo: String,
        /// Its revision.
        revision: String,
        /// The name, perhaps with a `*`.
        file: String,
        /// Some of the names there are.
        there: String,
    },
    /// A table of which not all files are there.
    #[error(
        "{repo}: `{file}` says that there are {wanted} shards, found {found}; unset HF_HUB_OFFLINE where it is set, or correct the catalogue"
    )]
    Shards {
        /// The repository.
        repo: String,
        /// One that is there.
        file: String,
        /// How many there must be.
        wanted: usize,
        /// How many there are.
        found: usize,
    },
    /// Bytes that are not those expected.
    #[error("{path}: expected a SHA-256 of {expected}, found {found}; {done}")]
    Hash {
        /// The file.
        path: PathBuf,
        /// 64 digits, or the first of them.
        expected: String,
        /// 64 digits.
        found: String,
        /// What was done with the file, and what to do.
        done: &'static str,
    },
    /// An archive that cannot be unpacked, or must not be.
    #[error("{path}: {entry}{reason}; nothing was unpacked: remove the archive and fetch it again, or another one")]
    Archive {
        /// The archive.
        path: PathBuf,
        /// The entry, in backquotes with a colon, or nothing.
        entry: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A Parquet file that cannot be read.
    #[error("{path}: {reason}; nothing was written: remove the file and fetch it again, or correct the catalogue")]
    Parquet {
        /// The file.
        path: PathBuf,
        /// Row, column, and what is wrong there.
        reason: String,
    },
    /// A column that is not there, or holds no pictures.
    #[error("{path}: expected a column `{}` of pictures; the columns are: {there}; correct the catalogue", column.escape_debug())]
    Column {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
        /// The columns there are, with their types.
        there: String,
    },
    /// What the system refused.
    #[error("{path}: cannot {action}{}", advice(source))]
    Io {
        /// `read`, `write`, ...
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The observer asked for it.
    #[error("stopped; what has arrived is kept, and the same command goes on from there")]
    Stopped,
}

impl Error {
    /// Turns the system's error into one that names the file.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
        move |source| Error::Io { action, path: path.into(), source }
    }
}

/// What others say of an error, which may quote a file or a server.
pub(crate) fn escaped(error: impl std::fmt::Display) -> String {
    error.to_string().escape_debug().to_string()
}

fn advice(source: &io::Error) -> &'static str {
    match source.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "; make room (or name another folder) and run the same command again, which goes on from what has arrived"
        }
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            "; check its permissions, or name another folder"
        }
        ErrorKind::NotADirectory => "; a file is in the way: move it away, and run the same command again",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disc_is_told_apart() {
        let full = Error::io("write", Path::new("a.zip"))(ErrorKind::StorageFull.into()).to_string();
        assert!(full.starts_with("a.zip: cannot write; make room"), "{full}");
        let other = Error::io("read", Path::new("a.zip"))(ErrorKind::NotFound.into()).to_string();
        assert_eq!(other, "a.zip: cannot read"); // the cause says why
    }
}
