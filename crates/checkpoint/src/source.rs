//! What a checkpoint is read from, and how large parts of it are read quickly.

use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::path::Path;

use crc32fast::Hasher;
use rayon::prelude::*;

use crate::error::{Fault, refuse};

/// A file or the bytes of one, which several threads may read at once, each at its own position.
pub(crate) trait Source: Read + Seek + Sync {
    /// Fills `buffer` with the bytes from position `at` on.
    fn read_exact_at(&self, buffer: &mut [u8], at: u64) -> io::Result<()>;
}

impl Source for File {
    #[cfg(unix)]
    fn read_exact_at(&self, buffer: &mut [u8], at: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(self, buffer, at)
    }

    #[cfg(windows)]
    fn read_exact_at(&self, mut buffer: &mut [u8], mut at: u64) -> io::Result<()> {
        while !buffer.is_empty() {
            let count = std::os::windows::fs::FileExt::seek_read(self, buffer, at)?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            buffer = &mut buffer[count..];
            at += count as u64;
        }
        Ok(())
    }
}

impl Source for Cursor<&[u8]> {
    fn read_exact_at(&self, buffer: &mut [u8], at: u64) -> io::Result<()> {
        let from = usize::try_from(at).ok().and_then(|at| self.get_ref().get(at..));
        from.unwrap_or_default().read_exact(buffer)
    }
}

/// Opens a file for reading. A pipe would wait for ever and a device end never: both are refused, as folders are.
pub(crate) fn open(path: &Path) -> Result<File, Fault> {
    let kind = std::fs::metadata(path)?;
    if kind.is_dir() {
        return refuse("a folder, not a checkpoint: name a file in it");
    }
    if !kind.is_file() {
        return refuse("a pipe or a device, not a checkpoint: save it as a file first");
    }
    Ok(File::open(path)?)
}

/// The length of a file; leaves it at its start.
pub(crate) fn length(source: &mut impl Source) -> io::Result<u64> {
    let length = source.seek(SeekFrom::End(0))?;
    source.rewind()?;
    Ok(length)
}

/// The `length` bytes from position `at` on. They are allocated first: the caller has compared them with the file's end.
pub(crate) fn read_at(source: &impl Source, at: u64, length: usize) -> io::Result<Vec<u8>> {
    Ok(read_pieces(source, at, length, |_, _| ())?.0)
}

/// [`read_at`] and the CRC-32 of what was read.
pub(crate) fn read_with_crc(source: &impl Source, at: u64, length: usize) -> io::Result<(Vec<u8>, u32)> {
    let (bytes, hasher) = read_pieces(source, at, length, Hasher::update)?;
    Ok((bytes, hasher.finalize()))
}

/// Nearly all of the time is the system's, for copying and for memory that is new to the process: all cores share it, in
/// pieces of which each is still in a core's cache when its checksum is computed.
const PIECE: usize = 1 << 20;

fn read_pieces(
    source: &impl Source,
    at: u64,
    length: usize,
    hash: impl Fn(&mut Hasher, &[u8]) + Sync,
) -> io::Result<(Vec<u8>, Hasher)> {
    let read = |(index, piece): (usize, &mut [u8])| {
        source.read_exact_at(piece, at + (index * PIECE) as u64)?;
        let mut hasher = Hasher::new();
        hash(&mut hasher, piece);
        Ok::<_, io::Error>(hasher)
    };
    let mut bytes = vec![0; length];
    let hasher = if length <= PIECE {
        read((0, &mut bytes))?
    } else {
        let join = |mut start: Hasher, end| {
            start.combine(&end);
            Ok(start)
        };
        bytes.par_chunks_mut(PIECE).enumerate().map(read).try_reduce(Hasher::new, join)?
    };
    Ok((bytes, hasher))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_put_together_in_order() {
        let bytes: Vec<u8> = (0..2 * PIECE + 9).map(|at| (at / 7 % 251) as u8).collect();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("bytes"), &bytes).unwrap();
        let file = File::open(folder.path().join("bytes")).unwrap();
        for (at, length) in [(0, bytes.len()), (5, PIECE), (6, PIECE + 1), (7, 2 * PIECE + 2), (9, 0)] {
            let expected = &bytes[at..at + length];
            let read = read_with_crc(&file, at as u64, length).unwrap();
            assert!(read == (expected.to_vec(), crc32fast::hash(expected)), "{length} bytes from {at} of a file");
            let read = read_with_crc(&Cursor::new(bytes.as_slice()), at as u64, length).unwrap();
            assert!(read == (expected.to_vec(), crc32fast::hash(expected)), "{length} bytes from {at} of memory");
        }
    }

    #[test]
    fn the_end_comes_as_an_error() {
        let mut source = Cursor::new(&b"abc"[..]);
        assert_eq!(length(&mut source).unwrap(), 3);
        assert_eq!(read_at(&source, 1, 2).unwrap(), b"bc");
        for at in [2, 4, u64::MAX] {
            assert_eq!(read_at(&source, at, 2).unwrap_err().kind(), io::ErrorKind::UnexpectedEof, "at {at}");
        }
    }
}
