//! The folder that an archive is unpacked into, and what may go there.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::PathBuf;

use super::{Allowance, Refusal};
use crate::Error;
use crate::error::escaped;
use crate::event::{Event, Observer, tell};

/// The files that no archive may exceed: several times those of ImageNet's training half.
const MOST_FILES: usize = 5_000_000;

/// A folder in the making.
pub struct Target<'a> {
    root: PathBuf,
    allowance: Allowance,
    seen: HashSet<PathBuf>,
    observer: Observer<'a>,
    failure: Option<Error>,
}

impl<'a> Target<'a> {
    /// For an archive of `size` bytes.
    pub fn new(root: PathBuf, size: u64, observer: Observer<'a>) -> Self {
        Target { root, allowance: Allowance::of(size), seen: HashSet::new(), observer, failure: None }
    }

    /// Files so far.
    pub fn files(&self) -> usize {
        self.seen.len()
    }

    /// The reason, when it was not the archive but the disc or the observer that ended it.
    pub fn failure(&mut self) -> Result<(), Error> {
        self.failure.take().map_or(Ok(()), Err)
    }

    /// Writes one entry of `size` bytes, as the archive says, unless it is of the kind that is left out; `odd` says what it
    /// is when it is no plain file.
    pub fn add(&mut self, name: &[u8], odd: Option<&str>, size: u64, contents: &mut impl Read) -> Result<(), Refusal> {
        let shown = format!("`{}`: ", name.escape_ascii());
        let refuse = |reason: String| (shown.clone(), reason);
        if let Some(odd) = odd {
            return Err(refuse(format!("is {odd}; expected files and folders alone")));
        }
        let Some(path) = place(name).map_err(|reason| refuse(reason.into()))? else { return Ok(()) };
        if self.seen.len() == MOST_FILES {
            return Err(refuse(format!("expected at most {MOST_FILES} files")));
        }
        if !self.seen.insert(path.clone()) {
            return Err(refuse("comes twice".into()));
        }
        self.allowance.check(size).map_err(refuse)?;
        let path = self.root.join(path);
        let mut contents = contents.take(self.allowance.left() + 1);
        let written = match self.create(&path) {
            Ok(file) => copy(&mut contents, file),
            Err(error) if is_of_names(&error) => Err(Side::Archive(error)),
            Err(error) => Err(Side::Disc(error)),
        };
        let written = written.map_err(|side| match side {
            Side::Archive(error) => refuse(format!("cannot be unpacked: {}", escaped(error))),
            Side::Disc(error) => {
                self.failure = Some(Error::io("write", &path)(error));
                refuse("cannot be written".into())
            }
        })?;
        self.allowance.take(written).map_err(refuse)?; // the archive may have said less than is in it
        tell(self.observer, Event::Advance(1)).map_err(|error| {
            self.failure = Some(error);
            refuse("was the last".into())
        })
    }

    fn create(&self, path: &std::path::Path) -> io::Result<File> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        File::create_new(path)
    }
}

/// Which side of a copy failed.
enum Side {
    Archive(io::Error),
    Disc(io::Error),
}

fn copy(from: &mut impl Read, mut to: File) -> Result<u64, Side> {
    let (mut buffer, mut written) = (vec![0; 1 << 16], 0);
    loop {
        let read = from.read(&mut buffer).map_err(Side::Archive)?;
        if read == 0 {
            return Ok(written);
        }
        to.write_all(&buffer[..read]).map_err(Side::Disc)?;
        written += read as u64;
    }
}

/// Whether it is the names in the archive that make this: one too long, or two that are one to this disc.
fn is_of_names(error: &io::Error) -> bool {
    use io::ErrorKind::{AlreadyExists, InvalidFilename, NotADirectory};
    matches!(error.kind(), AlreadyExists | InvalidFilename | NotADirectory)
}

/// The relative path of an entry; absent for what is left out.
fn place(name: &[u8]) -> Result<Option<PathBuf>, &'static str> {
    let name = std::str::from_utf8(name).map_err(|_| "expected a name in UTF-8")?;
    if name.starts_with('/') || name.contains(['\\', ':']) || name.chars().any(char::is_control) {
        return Err("expected a relative path of plain names");
    }
    let parts: Vec<&str> = name.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if parts.contains(&"..") {
        return Err("leads out of the archive");
    }
    let Some(last) = parts.last() else { return Err("expected a name") };
    let left_out = parts.contains(&"__MACOSX") || [".DS_Store", "Thumbs.db"].contains(last);
    Ok((!left_out).then(|| parts.iter().collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn plain_names_stay_below_and_others_are_refused() {
        for (name, path) in
            [("a/b.png", "a/b.png"), ("./a//b.png", "a/b.png"), ("..a/b..png", "..a/b..png"), ("ä.png", "ä.png")]
        {
            assert_eq!(place(name.as_bytes()).unwrap().as_deref(), Some(Path::new(path)), "{name}");
        }
        for name in ["/etc/passwd", "../a", "a/../../b", "a\\..\\b", "C:a", "a\0b", "", "./", "\u{7}"] {
            assert!(place(name.as_bytes()).is_err(), "{name:?}");
        }
        assert!(place(b"caf\xe9.png").is_err());
        for name in ["__MACOSX/a/._b.png", "a/.DS_Store", "Thumbs.db"] {
            assert_eq!(place(name.as_bytes()), Ok(None), "{name}");
        }
    }
}
