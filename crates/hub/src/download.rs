//! One file over HTTP: resumed, verified, whole or not at all, by one process at a time.
//!
//! Bytes go to a sibling, `NAME.part`, and what tells whether the server still has the same file (its ETag, or the time of
//! its last change) to `NAME.part.tag`. The next attempt asks for the rest on the condition that it is the same file
//! (RFC 9110, sections 13.1.5 and 14.2); a server that ignores the condition, or the range, is noticed. When all is there
//! and its SHA-256 is right, the sibling gets the name.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use ureq::Body;
use ureq::http::{HeaderMap, Response};

use crate::Error;
use crate::client::{Client, Failure, refusal};
use crate::digest::{self, sibling};
use crate::error::escaped;
use crate::event::{Event, Observer, tell};

/// So many attempts in a row that bring nothing new are the last.
const ATTEMPTS: u32 = 3;

/// Between the first two of them; then twice as long, and so on.
const PAUSE: Duration = Duration::from_millis(300);

/// What is to be fetched.
pub struct Download<'a> {
    /// From where.
    pub url: &'a str,
    /// Of the hub.
    pub token: Option<&'a str>,
    /// Whether the address is the hub's.
    pub of_hub: bool,
    /// The SHA-256 or its first digits, where known.
    pub expected: Option<&'a str>,
    /// The file that it becomes.
    pub to: &'a Path,
    /// How to go without the network: `or ...`.
    pub by_hand: &'a str,
}

/// Fetches a file, unless it is there by then; gives its SHA-256.
///
/// # Errors
/// A refusal, a server that breaks off again and again, a wrong hash (the bytes are removed), the disc, the observer. Except
/// after a wrong hash the bytes that arrived stay for the next attempt.
pub fn download(client: &Client, job: &Download, observer: Observer) -> Result<String, Error> {
    if let Some(folder) = job.to.parent() {
        fs::create_dir_all(folder).map_err(Error::io("make the folder", folder))?;
    }
    let lock = Lock::of(job.to, observer)?;
    if job.to.is_file() {
        lock.remove();
        return digest::sha256(job.to); // another process was faster
    }
    let part = Part::of(job.to);
    receive_all(client, job, &part, observer)?;
    let found = digest::sha256(&part.bytes)?;
    if let Some(expected) = job.expected.filter(|expected| !found.starts_with(expected)) {
        part.discard();
        let done = "what arrived was removed: run the same command again; if that does not help, the file is another one now: \
             correct the catalogue, or remove the .sha256 beside it, which says what was seen first";
        return Err(Error::Hash { path: job.to.into(), expected: expected.into(), found, done });
    }
    fs::rename(&part.bytes, job.to).map_err(Error::io("write", job.to))?;
    part.discard();
    lock.remove();
    Ok(found)
}

/// What has arrived of a file.
struct Part {
    bytes: PathBuf,
    tag: PathBuf,
}

impl Part {
    fn of(file: &Path) -> Self {
        let bytes = sibling(file, ".part");
        Part { tag: sibling(&bytes, ".tag"), bytes }
    }

    fn length(&self) -> u64 {
        fs::metadata(&self.bytes).map_or(0, |data| data.len())
    }

    /// What the server called the file whose bytes these are.
    fn tag(&self) -> Option<String> {
        fs::read_to_string(&self.tag).ok().filter(|tag| !tag.is_empty())
    }

    /// Removes what is there of it; what is not there need not be removed.
    fn discard(&self) {
        let _ = (fs::remove_file(&self.bytes), fs::remove_file(&self.tag));
    }

    /// Opens the file to be written from `start` on, for the bytes of the file that is called `tag`.
    fn open(&self, start: u64, tag: Option<String>) -> Result<File, Error> {
        let mut options = OpenOptions::new();
        let options = if start == 0 { options.write(true).truncate(true) } else { options.append(true) };
        let file = options.create(true).open(&self.bytes).map_err(Error::io("write", &self.bytes))?;
        if start == 0 {
            // Only now: other bytes must never bear this tag.
            fs::write(&self.tag, tag.unwrap_or_default()).map_err(Error::io("write", &self.tag))?;
        }
        Ok(file)
    }
}

/// Attempts until the part is whole. One that brought new bytes may be followed by any number of others.
fn receive_all(client: &Client, job: &Download, part: &Part, observer: Observer) -> Result<(), Error> {
    let (mut most, mut fruitless) = (part.length(), 0);
    loop {
        let result = receive(client, job, part, observer);
        tell(observer, Event::End)?;
        let reason = match result {
            Ok(()) => return Ok(()),
            Err(Failure::Final(error)) => return Err(error),
            Err(Failure::Transport(reason)) => reason,
        };
        fruitless = if part.length() > most { 0 } else { fruitless + 1 };
        most = most.max(part.length());
        if fruitless == ATTEMPTS {
            return Err(Error::Unreachable { url: job.url.into(), reason, by_hand: job.by_hand.into() });
        }
        std::thread::sleep(PAUSE * fruitless);
    }
}

/// One attempt: asks for what is missing and appends it.
fn receive(client: &Client, job: &Download, part: &Part, observer: Observer) -> Result<(), Failure> {
    let (have, tag) = (part.length(), part.tag());
    // Without a tag or a hash nothing would tell the rest of one file from the rest of another.
    let resume = have > 0 && (tag.is_some() || job.expected.is_some());
    let mut headers = vec![("Accept-Encoding", "identity".to_owned())];
    if resume {
        headers.push(("Range", format!("bytes={have}-")));
        headers.extend(tag.clone().map(|tag| ("If-Range", tag)));
    }
    let response = client.get(job.url, job.token, &headers)?;
    let header = response.headers();
    let same = tag.is_none() || tag_of(header).is_none() || tag_of(header) == tag;
    let (start, total) = match (response.status().as_u16(), range_of(header)) {
        (200, _) => (0, number(header, "content-length")),
        (206, Some((Some(start), total))) if resume && start == have && same => (have, total),
        (416, Some((None, Some(total)))) if resume && total == have && same => return Ok(()),
        (206 | 416, _) if resume => {
            part.discard();
            return Err(Failure::Transport("the file on the server is not the one whose beginning is here".into()));
        }
        _ => return Err(refusal(job.url, response.status(), job.of_hub, job.by_hand).into()),
    };
    let file = part.open(start, tag_of(header))?;
    append(response, file, part, start, total, observer)
}

/// Copies the body to the end of the part.
fn append(
    response: Response<Body>,
    mut file: File,
    part: &Part,
    start: u64,
    total: Option<u64>,
    observer: Observer,
) -> Result<(), Failure> {
    let name = part.bytes.file_stem().unwrap_or_default().to_string_lossy();
    tell(observer, Event::Begin { what: &format!("fetching {name}"), total, done: start })?;
    let (mut body, mut buffer, mut have) = (response.into_body().into_reader(), vec![0; 1 << 16], start);
    loop {
        let read = body.read(&mut buffer).map_err(|error| Failure::Transport(escaped(error)))?;
        if read == 0 {
            break;
        }
        file.write_all(&buffer[..read]).map_err(Error::io("write", &part.bytes))?;
        have += read as u64;
        tell(observer, Event::Advance(read as u64))?;
    }
    if let Some(total) = total.filter(|&total| total != have) {
        return Err(Failure::Transport(format!("the connection ended after {have} of {total} bytes")));
    }
    file.sync_all().map_err(Error::io("write", &part.bytes))?;
    Ok(())
}

/// What the server calls this state of the file: its ETag unless that is a weak one, else when it last changed.
fn tag_of(header: &HeaderMap) -> Option<String> {
    let text = |name| Some(header.get(name)?.to_str().ok()?.to_owned());
    text("etag").filter(|tag| tag.starts_with('"')).or_else(|| text("last-modified"))
}

/// First byte and length in all of `Content-Range: bytes 5-9/10`, or the length alone of `bytes */10`.
fn range_of(header: &HeaderMap) -> Option<(Option<u64>, Option<u64>)> {
    let (range, total) = header.get("content-range")?.to_str().ok()?.strip_prefix("bytes ")?.split_once('/')?;
    let start = range.split_once('-').and_then(|(start, _)| start.parse().ok());
    Some((start, total.parse().ok()))
}

fn number(header: &HeaderMap, name: &str) -> Option<u64> {
    header.get(name)?.to_str().ok()?.parse().ok()
}

/// One process at a time works on a file or folder; the others wait.
pub struct Lock {
    file: File,
    path: PathBuf,
}

impl Lock {
    /// Waits until no other process has the lock of `target`, and takes it. It is given back when it is dropped.
    pub fn of(target: &Path, observer: Observer) -> Result<Self, Error> {
        let path = sibling(target, ".lock");
        let file = File::create(&path).map_err(Error::io("write", &path))?;
        let mut waited = false;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Lock { file, path }),
                Err(TryLockError::Error(error)) => return Err(Error::io("lock", &path)(error)),
                Err(TryLockError::WouldBlock) if waited => tell(observer, Event::Advance(0))?, // it may break off
                Err(TryLockError::WouldBlock) => {
                    waited = true;
                    let note = format!("another process is fetching {}: waiting for it", target.display());
                    tell(observer, Event::Note(&note))?;
                }
            }
            thread::sleep(PAUSE);
        }
    }

    /// Removes the file too, once what it guarded is whole: whoever waits for it then finds that, and needs no lock.
    pub fn remove(self) {
        let _ = (fs::remove_file(&self.path), self.file.unlock());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ops::ControlFlow;

    fn header(name: &str, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name.parse().unwrap(), value.parse().unwrap())])
    }

    #[test]
    fn ranges_are_read_as_rfc_9110_writes_them() {
        let range = |value| range_of(&header("content-range", value));
        assert_eq!(range("bytes 5-9/10"), Some((Some(5), Some(10))));
        assert_eq!(range("bytes 5-9/*"), Some((Some(5), None)));
        assert_eq!(range("bytes */10"), Some((None, Some(10))));
        assert_eq!((range("lines 1-2/3"), range("bytes"), range_of(&HeaderMap::new())), (None, None, None));
    }

    #[test]
    fn a_weak_etag_is_no_tag() {
        assert_eq!(tag_of(&header("etag", "\"a\"")).as_deref(), Some("\"a\""));
        assert_eq!(tag_of(&header("etag", "W/\"a\"")), None);
        assert_eq!(tag_of(&header("last-modified", "Mon, 1 Jan")).as_deref(), Some("Mon, 1 Jan"));
    }

    #[test]
    fn a_file_that_another_process_brought_meanwhile_needs_neither_network_nor_lock() {
        let folder = tempfile::tempdir().unwrap();
        let to = &folder.path().join("w.pth");
        fs::write(to, "abc").unwrap();
        let url = "http://127.0.0.1:9/w.pth"; // nobody listens there
        let job = Download { url, token: None, of_hub: false, expected: None, to, by_hand: "" };
        let found = download(&Client::new(), &job, &|_| ControlFlow::Continue(())).unwrap();
        assert!(found.starts_with("ba7816bf"), "{found}"); // FIPS 180-4's example
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn the_part_and_its_tag_lie_beside_the_file() {
        let part = Part::of(Path::new("data/a.zip"));
        assert_eq!(
            (part.bytes.as_path(), part.tag.as_path()),
            (Path::new("data/a.zip.part"), Path::new("data/a.zip.part.tag"))
        );
        assert_eq!((part.length(), part.tag()), (0, None));
    }
}
