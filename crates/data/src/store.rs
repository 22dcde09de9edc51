//! The decoded pictures that patches are cut from: 8 bits a value, one picture after the other in one block of bytes,
//! in memory or in a file that is mapped there.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ::image::ImageReader;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::image::{MAX_DECODED_BYTES, Rgb8};
use crate::pair::{self, Digest, Files, Pair, Source};

/// A block of bytes that threads share.
pub type Bytes = Arc<dyn AsRef<[u8]> + Send + Sync>;

/// Pictures begin at a multiple of this many bytes: the length of a cache line.
const ALIGNMENT: usize = 64;

/// Bytes of pixels that are decoded at once, unless one picture has more: 1 GiB.
const AT_ONCE: u64 = 1 << 30;

/// Where a picture's pixels lie: channel `c` at `(y, x)` is the byte `start + 3 * (y * width + x) + c`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Area {
    /// The first byte.
    pub start: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

/// An HR picture and its LR picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The HR file's name without extension.
    pub name: String,
    /// The HR picture, cropped at the bottom and right to a multiple of the scale.
    pub hr: Area,
    /// The LR picture; none where LR patches are made from HR patches.
    pub lr: Option<Area>,
    /// SHA-256 of the pair; see [`pair::hash`].
    pub sha256: [u8; 32],
}

/// Decoded pictures.
pub struct Store {
    bytes: Bytes,
    entries: Vec<Entry>,
}

impl Store {
    /// The entries' areas lie within the bytes.
    pub(crate) fn new(bytes: Bytes, entries: Vec<Entry>) -> Self {
        Self { bytes, entries }
    }

    /// Decodes the pictures of a source into memory, with all threads; errors as those of [`pair::load`].
    pub fn load(source: &Source, scale: usize) -> Result<Self, Error> {
        Self::decode(&pair::files(source, scale)?, source, scale, &AtomicBool::new(false))
    }

    /// Decodes these pictures of a source; [`Error::Stopped`] once `stop` is set.
    pub(crate) fn decode(files: &[Files], source: &Source, scale: usize, stop: &AtomicBool) -> Result<Self, Error> {
        let mut bytes = Vec::new();
        // What is not there now may be there when it is needed.
        let _ = bytes.try_reserve_exact(usize::try_from(size(files, source, scale)?).unwrap_or(usize::MAX));
        let entries = pack(files, source, scale, stop, 0, |more| {
            bytes.extend_from_slice(more);
            Ok(())
        })?;
        Ok(Self::new(Arc::new(bytes), entries))
    }

    /// The pictures, in the order of their names.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// All bytes.
    pub fn bytes(&self) -> &[u8] {
        (*self.bytes).as_ref()
    }

    /// The pixels of a picture of this store, row after row.
    pub fn pixels(&self, area: &Area) -> &[u8] {
        &self.bytes()[area.start..][..area.length()]
    }

    /// What [`pair::hash`] gives for the same pairs.
    pub fn hash(&self) -> String {
        pair::hash_of(&self.entries.iter().map(|entry| entry.sha256).collect::<Vec<_>>())
    }

    #[cfg(test)]
    pub(crate) fn without_lr(mut self) -> Self {
        self.entries.iter_mut().for_each(|entry| entry.lr = None);
        self
    }
}

impl From<Vec<Pair>> for Store {
    fn from(pairs: Vec<Pair>) -> Self {
        let mut bytes = Vec::new();
        let place = |Pair { name, hr, lr }| Decoded::new(name, hr, Some(lr)).append(0, &mut bytes);
        let entries = pairs.into_iter().map(place).collect();
        Self::new(Arc::new(bytes), entries)
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.debug_struct("Store").field("entries", &self.entries).finish_non_exhaustive()
    }
}

impl Area {
    /// Bytes of the picture.
    pub(crate) fn length(&self) -> usize {
        3 * self.height * self.width
    }
}

/// A pair that is to be stored.
struct Decoded {
    name: String,
    hr: Rgb8,
    lr: Option<Rgb8>,
    sha256: Digest,
}

impl Decoded {
    fn new(name: String, hr: Rgb8, lr: Option<Rgb8>) -> Self {
        let small = lr.as_ref().map(|lr| (lr.size(), &lr.pixels[..]));
        let sha256 = pair::digest(&name, (hr.size(), &hr.pixels), small);
        Self { name, hr, lr, sha256 }
    }

    /// Appends the pictures to `bytes`, which are those from `start` on.
    fn append(self, start: usize, bytes: &mut Vec<u8>) -> Entry {
        let mut append = |picture: &Rgb8| {
            bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
            let area = Area { start: start + bytes.len(), height: picture.height, width: picture.width };
            bytes.extend_from_slice(&picture.pixels);
            area
        };
        let (hr, lr) = (append(&self.hr), self.lr.as_ref().map(&mut append));
        bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
        Entry { name: self.name, hr, lr, sha256: self.sha256 }
    }
}

/// Decodes a few pictures at a time, with all threads, and hands the bytes of each to `append`; the first will be at
/// `start`. [`Error::Stopped`] once `stop` is set.
pub(crate) fn pack(
    files: &[Files],
    source: &Source,
    scale: usize,
    stop: &AtomicBool,
    mut start: usize,
    mut append: impl FnMut(&[u8]) -> Result<(), Error>,
) -> Result<Vec<Entry>, Error> {
    let decode = |files: &Files| {
        if stop.load(Ordering::Relaxed) {
            return Err(Error::Stopped);
        }
        let (hr, lr) = files.read(source, scale)?;
        Ok(Decoded::new(files.name.clone(), hr, lr))
    };
    let sizes = sizes(files, source, scale)?;
    let mut entries = Vec::with_capacity(files.len());
    let mut bytes = Vec::new();
    while entries.len() < files.len() {
        let few = &files[entries.len()..][..at_once(&sizes[entries.len()..])];
        let decoded: Vec<Result<Decoded, Error>> = few.par_iter().map(decode).collect();
        for decoded in decoded {
            entries.push(decoded?.append(start, &mut bytes));
            append(&bytes)?;
            start += bytes.len();
            bytes.clear();
        }
    }
    Ok(entries)
}

/// How many of the first pictures of these sizes are decoded at once: two for each thread, fewer if they take more than
/// [`AT_ONCE`], but one at least.
fn at_once(sizes: &[u64]) -> usize {
    let mut sum = 0_u64;
    let fits = |size: &&u64| {
        sum = sum.saturating_add(**size);
        sum <= AT_ONCE
    };
    sizes.iter().take(2 * rayon::current_num_threads()).take_while(fits).count().max(1)
}

/// Bytes that the pictures of a source take in a store, all of [`sizes`].
pub(crate) fn size(files: &[Files], source: &Source, scale: usize) -> Result<u64, Error> {
    Ok(sizes(files, source, scale)?.into_iter().fold(0, u64::saturating_add))
}

/// Bytes that each pair takes in a store, as the headers of the HR files say; a little more than needed, since they are
/// counted whole.
///
/// Errors: [`Error::Read`], [`Error::Decode`] and [`Error::TooLarge`].
fn sizes(files: &[Files], source: &Source, scale: usize) -> Result<Vec<u64>, Error> {
    let lr_share = if source.lr.is_stored() { scale.pow(2) as u64 } else { u64::MAX };
    let size = |files: &Files| {
        let pixels = pixels_in(&files.hr)?;
        Ok(pixels.saturating_add(pixels / lr_share).saturating_mul(3).saturating_add(2 * ALIGNMENT as u64))
    };
    let sizes: Vec<Result<u64, Error>> = files.par_iter().map(size).collect();
    sizes.into_iter().collect()
}

/// Pixels of the picture in a file.
fn pixels_in(path: &Path) -> Result<u64, Error> {
    let unreadable = |source| Error::Read { path: path.into(), source };
    let reader = ImageReader::open(path).and_then(ImageReader::with_guessed_format).map_err(unreadable)?;
    let undecodable = |error: ::image::ImageError| Error::Decode { path: path.into(), reason: error.to_string() };
    let (width, height) = reader.into_dimensions().map_err(undecodable)?;
    let (pixels, size) = (u64::from(width) * u64::from(height), (height as usize, width as usize));
    match pixels.saturating_mul(3) {
        bytes if bytes > MAX_DECODED_BYTES => {
            Err(Error::TooLarge { path: path.into(), size, bytes, limit: MAX_DECODED_BYTES })
        }
        _ => Ok(pixels),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::{Conversion, encode_png};
    use crate::pair::Lr;
    use crate::resample::Border;

    #[test]
    fn a_store_holds_the_pairs_that_load_gives() {
        let folder = tempfile::TempDir::new().unwrap();
        for i in 0..9 {
            let picture = Rgb8::new(9, 7 + i, (0..27 * (7 + i)).map(|at| (at * at + i) as u8).collect()).unwrap();
            std::fs::write(folder.path().join(format!("{i}.png")), encode_png(&picture).unwrap()).unwrap();
        }
        let lr = Lr::Bicubic { border: Border::Mirror };
        let source = Source { hr: folder.path().into(), lr, conversion: Conversion::Refuse };
        let (store, pairs) = (Store::load(&source, 2).unwrap(), pair::load(&source, 2).unwrap());
        assert_eq!((store.entries().len(), store.hash()), (9, pair::hash(&pairs)));
        for (entry, pair) in store.entries().iter().zip(&pairs) {
            let lr = entry.lr.as_ref().unwrap();
            assert_eq!((store.pixels(&entry.hr), store.pixels(lr)), (&pair.hr.pixels[..], &pair.lr.pixels[..]));
            assert_eq!((&entry.name, entry.hr.height, lr.width), (&pair.name, 8, pair.lr.width));
            assert!(entry.hr.start % ALIGNMENT == 0 && lr.start % ALIGNMENT == 0);
        }
        assert!(store.bytes().len() as u64 <= size(&pair::files(&source, 2).unwrap(), &source, 2).unwrap());
        assert_eq!(Store::from(pairs).bytes(), store.bytes());
    }

    #[test]
    fn what_is_decoded_at_once_is_bounded_in_number_and_bytes() {
        let (half, most) = (AT_ONCE / 2, 2 * rayon::current_num_threads());
        assert_eq!([&[half, half, 1][..], &[half + 1, half], &[2 * AT_ONCE, 1], &[1]].map(at_once), [2, 1, 1, 1]);
        assert_eq!(at_once(&vec![1; most + 1]), most);
    }

    #[test]
    fn a_degraded_source_stores_no_lr_pictures() {
        let folder = tempfile::TempDir::new().unwrap();
        let picture = Rgb8::new(9, 8, vec![7; 9 * 8 * 3]).unwrap();
        std::fs::write(folder.path().join("a.png"), encode_png(&picture).unwrap()).unwrap();
        let lr = Lr::Degrade("real-esrgan".into());
        let source = Source { hr: folder.path().into(), lr, conversion: Conversion::Refuse };
        let store = Store::load(&source, 4).unwrap();
        let entry = &store.entries()[0];
        assert_eq!((entry.hr.height, entry.lr, store.bytes().len()), (8, None, 192));
    }
}
