//! A file that only grows, by whole pieces.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::{Error, io};

/// A piece reaches the file in one write, and what a failed write has left of it is removed, so a run that is cut off or
/// fills the disk leaves whole pieces.
pub(crate) struct Append {
    path: PathBuf,
    file: File,
    /// Of the whole pieces, in bytes.
    length: u64,
}

impl Append {
    /// Begins a new file.
    ///
    /// # Errors
    /// The path and the system's reason.
    pub(crate) fn create(path: &Path) -> Result<Self, Error> {
        let file = File::create(path).map_err(io("write", path))?;
        Ok(Append { path: path.to_path_buf(), file, length: 0 })
    }

    /// Goes on at the end of a file of whole pieces.
    ///
    /// # Errors
    /// The path and the system's reason.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let mut file = File::options().write(true).open(path).map_err(io("write", path))?;
        let length = file.seek(SeekFrom::End(0)).map_err(io("write", path))?;
        Ok(Append { path: path.to_path_buf(), file, length })
    }

    /// Appends one piece.
    ///
    /// # Errors
    /// The path and the system's reason (a full disk, say).
    pub(crate) fn write(&mut self, piece: &[u8]) -> Result<(), Error> {
        let written = self.file.write_all(piece);
        match written {
            Ok(()) => self.length += piece.len() as u64,
            Err(_) => self.cut().map_err(io("remove half a piece from", &self.path))?,
        }
        written.map_err(io("write", &self.path))
    }

    /// Removes what follows the last whole piece.
    fn cut(&mut self) -> std::io::Result<()> {
        self.file.set_len(self.length)?;
        self.file.seek(SeekFrom::Start(self.length)).map(drop)
    }
}
