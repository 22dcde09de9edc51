//! A machine of its own for each test, and small files of each form.

use std::fs;
use std::io::{Cursor, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use abbe_hub::{Event, Form, Part, Places, Source};
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// What a PNG file begins with, and something to tell it from others.
pub fn png(text: &str) -> Vec<u8> {
    [b"\x89PNG\r\n\x1a\n", text.as_bytes()].concat()
}

pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Bytes that are not the same anywhere.
pub fn bytes(length: usize) -> Vec<u8> {
    (0..length as u64).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

/// Folders that nothing else uses.
pub struct Machine {
    pub places: Places,
    pub root: TempDir,
    pub notes: Mutex<Vec<String>>,
}

impl Machine {
    pub fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        let places = Places { data: at("data"), torch: at("torch"), hub: at("hf/hub"), ..Places::of(&|_| None) };
        Machine { places, root, notes: Mutex::default() }
    }

    /// Fetches, and keeps the notes.
    pub fn fetch(&self, part: &Part) -> Result<abbe_hub::Fetched, String> {
        let observer = |event: Event| {
            if let Event::Note(note) = event {
                self.notes.lock().unwrap().push(note.into());
            }
            ControlFlow::Continue(())
        };
        abbe_hub::fetch(part, &self.places, &observer).map_err(|error| error.to_string())
    }

    /// The relative paths of all files, sorted.
    pub fn files(&self) -> Vec<String> {
        files(self.root.path())
    }
}

/// The relative paths of all files below a folder, sorted.
pub fn files(root: &Path) -> Vec<String> {
    let (mut folders, mut files) = (vec![root.to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() && !path.is_symlink() {
                folders.push(path);
            } else {
                files.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    files.sort();
    files
}

pub fn part(source: Source, form: Form, sha256: Option<String>) -> Part {
    Part { name: "part".into(), source, form, size: None, sha256 }
}

/// A file of weights at an address.
pub fn weights(url: String, sha256: Option<String>) -> Part {
    part(Source::Url(url), Form::Weights("w.pth".into()), sha256)
}

pub fn hub(repo: &str, file: &str) -> Source {
    Source::Hub { repo: repo.into(), file: file.into(), revision: "main".into() }
}

pub fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, contents) in entries {
        writer.start_file(*name, SimpleFileOptions::default()).unwrap();
        writer.write_all(contents).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

pub fn tar(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, contents) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_size(contents.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, *contents).unwrap();
    }
    builder.into_inner().unwrap()
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Whether `text` has all of these; the text is shown when it has not.
#[track_caller]
pub fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in: {text}");
    }
}

pub fn read(path: impl Into<PathBuf>) -> Vec<u8> {
    fs::read(path.into()).unwrap()
}
