//! Which files there are, and which belong together.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::{Finding, Split};
use crate::pair::Lr;
use crate::{Error, folder};

/// A picture to be examined.
#[derive(Debug, Clone)]
pub(super) struct Item {
    /// Which split, by its place in the list of splits.
    pub split: usize,
    pub hr: PathBuf,
    /// Where LR pictures are read from files.
    pub lr: Option<PathBuf>,
}

/// The pictures of the splits, in the order of their names, and what is wrong before any is opened.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub items: Vec<Item>,
    pub findings: Vec<Finding>,
    /// For each split, files and folders that are no pictures.
    pub others: Vec<usize>,
}

impl Listing {
    pub fn new(splits: &[Split], scale: usize) -> Self {
        let mut listing = Self::default();
        for (index, split) in splits.iter().enumerate() {
            let mut hr = Folder::list(&split.source.hr, &split.name);
            hr.pictures = folder::without_versions(hr.pictures);
            let partners = match &split.source.lr {
                Lr::Folder(folder) => Some(lr_of(&mut hr, folder, split, scale)),
                _ => None,
            };
            listing.items.extend(hr.pictures.into_iter().map(|(name, hr)| {
                let lr = partners.as_ref().and_then(|partners| partners.get(&name).cloned());
                Item { split: index, hr, lr }
            }));
            listing.findings.extend(hr.findings);
            listing.others.push(hr.others);
        }
        listing
    }
}

/// For each HR name its LR file; what has no partner is added to the findings of the HR folder.
fn lr_of(hr: &mut Folder, folder: &Path, split: &Split, scale: usize) -> BTreeMap<String, PathBuf> {
    let folder = &folder::of_scale(folder, scale);
    let mut lr = Folder::list(folder, &split.name);
    lr.pictures.retain(|name, path| hr.pictures.get(name) != Some(path));
    let is_shared = *folder == split.source.hr;
    let mut partners = BTreeMap::new();
    for (name, path) in &hr.pictures {
        let expected = folder::lr_names(name, scale);
        if let Some(partner) = expected.iter().find_map(|name| lr.pictures.remove(name)) {
            partners.insert(name.clone(), partner);
        } else if lr.is_folder {
            let expected = expected.join(", ");
            let error = Error::MissingLr { hr: path.clone(), folder: folder.into(), expected };
            hr.findings.push(Finding::error(&split.name, path, &error));
        }
    }
    for extra in lr.pictures.into_values().filter(|_| hr.is_folder && !is_shared) {
        let error = Error::ExtraLr { lr: extra.clone(), folder: split.source.hr.clone() };
        hr.findings.push(Finding::error(&split.name, &extra, &error));
    }
    hr.findings.append(&mut lr.findings);
    hr.others += lr.others;
    partners
}

/// What is in a folder.
#[derive(Default)]
struct Folder {
    pictures: BTreeMap<String, PathBuf>,
    findings: Vec<Finding>,
    others: usize,
    /// Whether it could be listed and has a picture: otherwise that is the finding, not each picture that is not there.
    is_folder: bool,
}

impl Folder {
    fn list(path: &Path, split: &str) -> Self {
        let mut folder = Self::default();
        match fs::read_dir(path) {
            Ok(entries) => entries.for_each(|entry| match entry {
                Ok(entry) => folder.add(entry.path(), split),
                Err(source) => folder.refuse(path, split, &Error::Read { path: path.into(), source }),
            }),
            Err(_) => {
                let refused = folder::pictures(path).err();
                refused.iter().for_each(|error| folder.refuse(path, split, error));
                return folder;
            }
        }
        folder.is_folder = !folder.pictures.is_empty();
        if !folder.is_folder {
            folder.refuse(path, split, &Error::Folder { path: path.into(), found: "a folder without pictures" });
        }
        folder
    }

    fn add(&mut self, path: PathBuf, split: &str) {
        match folder::no_picture(&path) {
            Ok(None) => {}
            Ok(Some(_)) => return self.others += 1,
            Err(error) => return self.refuse(&path, split, &error),
        }
        if let Some(first) = self.pictures.insert(folder::name(&path), path.clone()) {
            let (first, second) = if first < path { (first, path) } else { (path, first) };
            self.refuse(&second.clone(), split, &Error::SameName { first, second });
        }
    }

    fn refuse(&mut self, path: &Path, split: &str, error: &Error) {
        self.findings.push(Finding::error(split, path, error));
    }
}
