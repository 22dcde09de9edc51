//! Packed cache files: the decoded pictures of a source, mapped into memory where they are too many to be held there.
//!
//! A file begins with 64 bytes: `ABBEPACK`, the version (32 bits; all numbers are little-endian), 4 bytes of 0, the place
//! and the length of the index (64 bits each), and the SHA-256 of the index. The pixels follow, as
//! [`crate::store::Entry`] describes them. The index is last, in JSON: what the pictures were made from, and the entries.
//! Paths in it are written as Rust's `Debug` writes them: no two alike, whatever bytes they have.

use std::fs;
use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf, absolute};
use std::sync::atomic::AtomicBool;
use std::time::UNIX_EPOCH;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::pair::{self, Files, Lr, Source};
use crate::store::{self, Area, Bytes, Entry, Store};
use crate::{Error, folder};

const MAGIC: &[u8; 8] = b"ABBEPACK";
/// Another one whenever the format changes, or what decoding or resampling gives.
const VERSION: u32 = 2;
const HEADER: usize = 64;

/// Maps a file into memory, or reads it.
pub type Map = fn(&Path) -> io::Result<Bytes>;

/// Where the pictures of a source may be kept.
#[derive(Debug, Clone)]
pub struct Room<'a> {
    /// Bytes of memory that decoded pictures may take.
    pub memory: u64,
    /// The folder for the cache file of a source that needs more.
    pub folder: &'a Path,
    /// How that file is opened.
    pub map: Map,
    /// Once it is set no more pictures are decoded: [`Error::Stopped`].
    pub stop: &'a AtomicBool,
}

/// Opens a source: in memory if there is room, else from its cache file, which is made if it is missing, damaged or older
/// than what it was made from. `report` is told in a line where pictures are kept when that is not in memory.
///
/// Errors: those of [`pair::load`] and [`write`].
pub fn load(source: &Source, scale: usize, room: &Room, report: &mut dyn FnMut(&str)) -> Result<Store, Error> {
    let files = pair::files(source, scale)?;
    folder::passed_over(&source.hr)?.iter().for_each(|said| report(said));
    let needed = store::size(&files, source, scale)?;
    if needed <= room.memory {
        return Store::decode(&files, source, scale, room.stop);
    }
    let path = path(room.folder, source, scale);
    let size = format!("{} MiB of pictures", needed.div_ceil(1 << 20));
    let why = match open(&path, source, scale, room.map) {
        Ok(store) => {
            report(&format!("{size} are mapped from {}", path.display()));
            return Ok(store);
        }
        Err(Error::Cache { reason, .. }) => reason,
        Err(Error::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => "not there yet".into(),
        Err(error) => return Err(error),
    };
    report(&format!("{size} are packed into {} ({why}) and mapped from there", path.display()));
    write(&path, source, scale, room.stop)?;
    open(&path, source, scale, room.map)
}

/// The cache file of a source in a folder: another one for each folder of pictures, scale and kind of LR.
pub fn path(folder: &Path, source: &Source, scale: usize) -> PathBuf {
    let source = resolved(source);
    let hash = pair::hexadecimal(&Sha256::digest(format!("{source:?} {scale}")).into());
    let name = source.hr.file_name().unwrap_or_default().to_string_lossy();
    folder.join(format!("{name}-x{scale}-{}.abbepack", &hash[..16]))
}

/// Writes a cache file, a few pictures at a time: to a sibling, which is synced and renamed.
///
/// What is decoded at once takes at most 1 GiB (as 8-bit RGB), or one picture if that takes more; a picture is there twice
/// while it is cropped to a multiple of the scale or copied into the file.
///
/// Errors: those of [`pair::load`], [`Error::Write`], [`Error::Stopped`] once `stop` is set; then there is no new file, and
/// an old one is as it was.
pub fn write(path: &Path, source: &Source, scale: usize, stop: &AtomicBool) -> Result<(), Error> {
    let failed = |source| Error::Write { path: path.into(), source };
    let files = pair::files(source, scale)?;
    let made_from = Origin::of(&files, source, scale)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(failed)?;
    let sibling = sibling().tempfile_in(folder);
    let mut sibling = sibling.map_err(|error| failed(error.kind().into()))?; // without the sibling's name
    let file = sibling.as_file_mut();
    file.write_all(&[0; HEADER]).map_err(failed)?;
    let mut end = HEADER;
    let entries = store::pack(&files, source, scale, stop, HEADER, |bytes| {
        end += bytes.len();
        file.write_all(bytes).map_err(failed)
    })?;
    let unwritable = |error: serde_json::Error| Error::Cache { path: path.into(), reason: error.to_string() };
    let index = serde_json::to_vec(&Index { made_from, entries }).map_err(unwritable)?;
    let header = header(end, &index);
    let finished = file.write_all(&index).and_then(|()| file.rewind()).and_then(|()| file.write_all(&header));
    finished.and_then(|()| file.sync_all()).map_err(failed)?;
    sibling.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

/// What is written before it is renamed, with the rights of an ordinary file (less the umask).
fn sibling() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".abbe-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder
}

/// Opens a cache file and compares every picture with its hash, with all threads.
///
/// Errors: [`Error::Read`]; [`Error::Cache`] for a file that is damaged, of another version, or not made from the source
/// as it is now (names, sizes and times of its files, its settings).
pub fn open(path: &Path, source: &Source, scale: usize, map: Map) -> Result<Store, Error> {
    let unfit = |reason: String| Error::Cache { path: path.into(), reason };
    let bytes = map(path).map_err(|source| Error::Read { path: path.into(), source })?;
    let Index { made_from, entries } = index((*bytes).as_ref()).map_err(|reason| unfit(reason.into()))?;
    if made_from != Origin::of(&pair::files(source, scale)?, source, scale)? {
        return Err(unfit("its pictures or settings have changed since".into()));
    }
    let damaged = entries.par_iter().find_any(|entry| !is_whole(entry, (*bytes).as_ref()));
    match damaged {
        Some(entry) => Err(unfit(format!("its copy of {:?} is damaged", entry.name))),
        None => Ok(Store::new(bytes, entries)),
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Index {
    made_from: Origin,
    entries: Vec<Entry>,
}

/// All that the pictures in a cache file depend on.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Origin {
    /// A [`Source`], as `Debug` writes it: paths need not be UTF-8.
    source: String,
    scale: usize,
    files: Vec<Stamp>,
}

/// A picture's file as it was.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stamp {
    /// As `Debug` writes it.
    name: String,
    bytes: u64,
    /// When it was last changed, in nanoseconds since 1970.
    modified: u64,
}

impl Origin {
    fn of(files: &[Files], source: &Source, scale: usize) -> Result<Self, Error> {
        let paths = files.iter().flat_map(|files| [Some(&files.hr), files.lr.as_ref()]).flatten();
        let files = paths.map(|path| Stamp::of(path)).collect::<Result<_, _>>()?;
        Ok(Self { source: format!("{:?}", resolved(source)), scale, files })
    }
}

impl Stamp {
    fn of(path: &Path) -> Result<Self, Error> {
        let unreadable = |source| Error::Read { path: path.into(), source };
        let metadata = fs::metadata(path).map_err(unreadable)?;
        let modified = metadata.modified().map_err(unreadable)?;
        let since = modified.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64);
        let name = format!("{:?}", path.file_name().unwrap_or_default());
        Ok(Self { name, bytes: metadata.len(), modified: since })
    }
}

/// The source with whole paths, and without the degradation, which is no part of what is stored.
fn resolved(source: &Source) -> Source {
    // Its components, so that `DIR/` is `DIR`.
    let whole = |path: &Path| absolute(path).unwrap_or_else(|_| path.into()).components().collect();
    let lr = match &source.lr {
        Lr::Folder(folder) => Lr::Folder(whole(folder)),
        Lr::Degrade(_) => Lr::Degrade(String::new()),
        lr @ (Lr::Bicubic { .. } | Lr::Resample(_)) => lr.clone(),
    };
    Source { hr: whole(&source.hr), lr, conversion: source.conversion }
}

fn header(index_start: usize, index: &[u8]) -> Vec<u8> {
    let numbers = [index_start as u64, index.len() as u64].map(u64::to_le_bytes);
    let hash: [u8; 32] = Sha256::digest(index).into();
    [&MAGIC[..], &VERSION.to_le_bytes(), &[0; 4], numbers.as_flattened(), &hash].concat()
}

/// The index of a cache file, or what is wrong with it.
fn index(bytes: &[u8]) -> Result<Index, &'static str> {
    let damaged = "it is damaged or cut off";
    let (header, _) = bytes.split_first_chunk::<HEADER>().ok_or(damaged)?;
    if !header.starts_with(MAGIC) {
        return Err("it is no packed cache");
    }
    if header[8..12] != VERSION.to_le_bytes() {
        return Err("it is of another version");
    }
    let number = |at: usize| header[at..at + 8].iter().rev().fold(0, |number, &byte| number << 8 | usize::from(byte));
    let index = bytes.get(number(16)..).and_then(|rest| rest.get(..number(24))).ok_or(damaged)?;
    if Sha256::digest(index)[..] != header[32..] {
        return Err(damaged);
    }
    serde_json::from_slice(index).map_err(|_| damaged)
}

/// Whether the pictures are there and have their hash.
fn is_whole(entry: &Entry, bytes: &[u8]) -> bool {
    let picture = |area: &Area| {
        let length = area.height.checked_mul(area.width)?.checked_mul(3)?;
        Some(((area.height, area.width), bytes.get(area.start..)?.get(..length)?))
    };
    let (hr, lr) = (picture(&entry.hr), entry.lr.as_ref().map(picture));
    match (hr, lr) {
        (Some(hr), None) => pair::digest(&entry.name, hr, None) == entry.sha256,
        (Some(hr), Some(Some(lr))) => pair::digest(&entry.name, hr, Some(lr)) == entry.sha256,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::{Conversion, Rgb8, encode_png};
    use crate::resample::Border;
    use std::sync::Arc;
    use tempfile::TempDir;

    const SCALE: usize = 2;
    static ON: AtomicBool = AtomicBool::new(false);
    static STOP: AtomicBool = AtomicBool::new(true);

    fn read(path: &Path) -> io::Result<Bytes> {
        Ok(Arc::new(fs::read(path)?))
    }

    fn save(folder: &TempDir, name: &str, first: u8) {
        let pixels = (0..3 * 8 * 8).map(|i: u8| i.wrapping_mul(7).wrapping_add(first)).collect();
        fs::write(folder.path().join(name), encode_png(&Rgb8::new(8, 8, pixels).unwrap()).unwrap()).unwrap();
    }

    fn pictures() -> (TempDir, Source) {
        let folder = TempDir::new().unwrap();
        ["a.png", "b.png", "c.png"].iter().zip([0, 50, 100]).for_each(|(name, first)| save(&folder, name, first));
        let lr = Lr::Bicubic { border: Border::Replicate };
        let source = Source { hr: folder.path().into(), lr, conversion: Conversion::Refuse };
        (folder, source)
    }

    /// The store of a source without memory, and what was reported.
    fn loaded(source: &Source, folder: &TempDir) -> (Store, String) {
        let mut said = String::new();
        let room = Room { memory: 0, folder: folder.path(), map: read, stop: &ON };
        let store = load(source, SCALE, &room, &mut |line| said.push_str(line)).unwrap();
        (store, said)
    }

    #[test]
    fn memory_and_cache_hold_the_same_pictures() {
        let ((_pictures, source), caches) = (pictures(), TempDir::new().unwrap());
        let room = Room { memory: 1 << 20, folder: caches.path(), map: read, stop: &ON };
        let held = load(&source, SCALE, &room, &mut |line| panic!("{line}")).unwrap();
        assert_eq!(fs::read_dir(caches.path()).unwrap().count(), 0);
        let (cached, said) = loaded(&source, &caches);
        assert!(said.contains("are packed into") && said.contains("(not there yet)"), "{said}");
        assert_eq!(cached.hash(), held.hash());
        for (a, b) in held.entries().iter().zip(cached.entries()) {
            assert_eq!((&a.name, held.pixels(&a.hr)), (&b.name, cached.pixels(&b.hr)));
            assert_eq!(held.pixels(&a.lr.unwrap()), cached.pixels(&b.lr.unwrap()));
        }
        assert!(loaded(&source, &caches).1.contains("are mapped from"));
        assert_eq!(fs::read_dir(caches.path()).unwrap().count(), 1);
    }

    #[test]
    fn every_damaged_byte_of_index_and_pictures_is_found() {
        let ((_pictures, source), caches) = (pictures(), TempDir::new().unwrap());
        let path = path(caches.path(), &source, SCALE);
        write(&path, &source, SCALE, &ON).unwrap();
        let whole = fs::read(&path).unwrap();
        let store = open(&path, &source, SCALE, read).unwrap();
        let of_pictures = store.entries().iter().flat_map(|entry| [entry.hr, entry.lr.unwrap()]);
        let mut needed: Vec<usize> =
            of_pictures.flat_map(|area| [area.start, area.start + area.length() - 1]).collect();
        needed.extend([0, 8, 16, 24, 32, 63, whole.len() - 1]);
        for at in needed {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            fs::write(&path, damaged).unwrap();
            let error = open(&path, &source, SCALE, read).unwrap_err();
            assert!(matches!(error, Error::Cache { .. }), "byte {at}: {error}");
        }
        for length in [0, 63, 64, 1000, whole.len() - 1] {
            fs::write(&path, &whole[..length]).unwrap();
            assert!(matches!(open(&path, &source, SCALE, read), Err(Error::Cache { .. })));
        }
        let (_, said) = loaded(&source, &caches);
        assert!(said.contains("(it is damaged or cut off)"), "{said}");
        assert!(loaded(&source, &caches).1.contains("are mapped from"));
    }

    #[test]
    fn a_cache_of_other_pictures_or_settings_is_made_again() {
        let ((pictures, source), caches) = (pictures(), TempDir::new().unwrap());
        let before = loaded(&source, &caches).0.hash();
        save(&pictures, "b.png", 51); // of the same length or not: its time has changed
        let (store, said) = loaded(&source, &caches);
        assert!(said.contains("have changed since"), "{said}");
        assert_ne!(store.hash(), before);
        fs::remove_file(pictures.path().join("c.png")).unwrap();
        let (store, said) = loaded(&source, &caches);
        assert!(said.contains("have changed since") && store.entries().len() == 2, "{said}");
        let mirror = Source { lr: Lr::Bicubic { border: Border::Mirror }, ..source.clone() };
        let own = path(caches.path(), &source, SCALE);
        assert_ne!(path(caches.path(), &mirror, SCALE), own);
        assert_ne!(path(caches.path(), &source, 4), own);
        let error = open(&own, &mirror, SCALE, read).unwrap_err().to_string();
        assert!(error.contains("have changed since"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn names_of_any_bytes_are_told_apart() {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt;
        let (outer, caches) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let folder = outer.path().join(OsStr::from_bytes(b"\xfe"));
        let (raw, plain) = (folder.join(OsStr::from_bytes(b"a\xff.png")), folder.join("a\\xff.png"));
        fs::create_dir(&folder).unwrap();
        let pixels = (0..3 * 8 * 8).collect();
        fs::write(&raw, encode_png(&Rgb8::new(8, 8, pixels).unwrap()).unwrap()).unwrap();
        let lr = Lr::Bicubic { border: Border::Replicate };
        let source = Source { hr: folder, lr, conversion: Conversion::Refuse };
        loaded(&source, &caches);
        assert!(loaded(&source, &caches).1.contains("are mapped from"));
        // Another name of the same picture, size and time.
        fs::rename(raw, plain).unwrap();
        assert!(loaded(&source, &caches).1.contains("have changed since"));
    }

    #[test]
    fn what_cannot_be_written_leaves_nothing() {
        let ((pictures, source), caches) = (pictures(), TempDir::new().unwrap());
        fs::write(pictures.path().join("d.png"), "no picture").unwrap();
        let path = path(caches.path(), &source, SCALE);
        assert!(matches!(write(&path, &source, SCALE, &ON), Err(Error::Decode { .. })));
        assert_eq!(fs::read_dir(caches.path()).unwrap().count(), 0);
        fs::remove_file(pictures.path().join("d.png")).unwrap();
        assert!(matches!(write(&path, &source, SCALE, &STOP), Err(Error::Stopped)));
        assert_eq!(fs::read_dir(caches.path()).unwrap().count(), 0);
        let room = Room { memory: 1 << 20, folder: caches.path(), map: read, stop: &STOP };
        assert!(matches!(load(&source, SCALE, &room, &mut |_| ()), Err(Error::Stopped)));
        fs::create_dir_all(path.join("taken")).unwrap();
        let error = write(&path, &source, SCALE, &ON).unwrap_err().to_string();
        assert!(error.contains(".abbepack: cannot be written"), "{error}");
        assert_eq!(fs::read_dir(caches.path()).unwrap().count(), 1);
    }
}
