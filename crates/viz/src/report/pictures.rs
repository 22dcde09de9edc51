//! Judged pictures in all their versions, for the wipe.

use std::path::PathBuf;

use abbe_data::image::{Conversion, Rgb8, encode_png, read};
use abbe_eval::Results;
use anyhow::{Context, Result};

use super::embed::{data_uri, file_uri};
use super::group::{Entry, Group};
use super::rule::{Column, Rule};
use crate::shown::Shown;

/// Pictures are embedded as they are while all their files together have no more bytes than this.
const FULL: u64 = 8 << 20;
/// So many more are embedded reduced (see [`Shown`]).
const REDUCED: usize = 8;

/// The pictures of a group.
#[derive(Default)]
pub(super) struct Pictures {
    pub shown: Vec<Picture>,
    /// What of them is embedded.
    pub note: String,
    /// What does not read.
    pub missing: Vec<String>,
}

/// One picture.
pub(super) struct Picture {
    pub name: String,
    /// Its size, and whether it is reduced.
    pub note: String,
    pub versions: Vec<Version>,
}

/// One version of a picture.
pub(super) struct Version {
    pub name: String,
    /// Its metrics.
    pub caption: String,
    pub uri: String,
    pub height: usize,
    pub width: usize,
}

/// A version that is still a file.
struct Source {
    name: String,
    caption: String,
    path: PathBuf,
}

/// LR, what each method made, HR.
pub(super) fn pictures(group: &Group) -> Pictures {
    let entries = group.entries();
    let mut found = Pictures::default();
    let (mut bytes, mut full, mut reduced, mut named) = (0, 0, 0, 0);
    let rows = entries.first().map(|entry| &entry.method.rows[..]).unwrap_or_default();
    for picture in rows.iter().map(|row| &row.picture) {
        let sources = sources(group, &entries, picture);
        let size: u64 = sources.iter().filter_map(|source| source.path.metadata().ok()).map(|file| file.len()).sum();
        let is_full = bytes + size <= FULL;
        if !is_full && reduced == REDUCED {
            named += 1;
            continue;
        }
        match embed(picture, &sources, is_full) {
            Ok(picture) => found.shown.push(picture),
            Err(error) => found.missing.push(format!("pictures of {picture}: {error:#}")),
        }
        (bytes, full, reduced) = if is_full { (bytes + size, full + 1, reduced) } else { (bytes, full, reduced + 1) };
    }
    let names = entries.first().map(|entry| beside(entry.results)).unwrap_or_default();
    let names = names.into_iter().map(|(_, column)| column.name).collect::<Vec<_>>().join(" / ");
    found.note = format!("{} Numbers: {names}.", note(rows.len(), [full, reduced, named]));
    found
}

/// How many pictures are embedded as they are, reduced, and not at all.
fn note(all: usize, [full, reduced, named]: [usize; 3]) -> String {
    let judged = if all == 1 { "picture" } else { "pictures" };
    let mut note = format!("Embedded pixel for pixel: {full} of {all} judged {judged} (at most {} MiB)", FULL >> 20);
    if reduced > 0 {
        note += &format!("; with the longer side reduced to 512 pixels: {reduced} (at most {REDUCED})");
    }
    if named > 0 {
        note += &format!("; in the tables alone: {named}");
    }
    note + ". All are under pictures/ in the run's folder."
}

fn sources(group: &Group, entries: &[Entry], picture: &str) -> Vec<Source> {
    let Some((first, _)) = group.members.first() else { return Vec::new() };
    let given = |name: &str, version: &str| Source {
        name: name.into(),
        caption: String::new(),
        path: first.folder.picture(picture, version),
    };
    let made = |entry: &Entry| Source {
        name: entry.label(),
        caption: caption(entry, picture),
        path: entry.of.folder.picture(picture, &entry.method.name),
    };
    [given("LR", "lr")].into_iter().chain(entries.iter().map(made)).chain([given("HR", "hr")]).collect()
}

/// The columns whose numbers stand beside a version: those of the first protocol, and those that follow none.
fn beside(results: &Results) -> Vec<(Rule<'_>, Column)> {
    let is_shown = |(at, rule): &(usize, Rule)| *at == 0 || *rule == Rule::Apart;
    let rules = Rule::of(results).into_iter().enumerate().filter(is_shown);
    rules.flat_map(|(_, rule)| rule.columns(results).into_iter().map(move |column| (rule, column))).collect()
}

fn caption(entry: &Entry, picture: &str) -> String {
    let number =
        |(rule, column): (Rule, Column)| Some(column.metric.format_with_unit(entry.value(picture, rule, &column)?));
    beside(entry.results).into_iter().filter_map(number).collect::<Vec<_>>().join(" / ")
}

fn embed(name: &str, sources: &[Source], is_full: bool) -> Result<Picture> {
    let open = |source: &Source| Ok(read(&source.path, Conversion::Refuse)?);
    let pixels = sources.iter().map(open).collect::<Result<Vec<Rgb8>>>()?;
    let full = pixels.last().context("no HR picture")?.size();
    let shown = Shown { factor: 1, ..Shown::of(full) };
    let version = |(source, picture): (&Source, &Rgb8)| {
        let (uri, (height, width)) = match is_full {
            true => (file_uri(&source.path)?, picture.size()),
            false => {
                let small = shown.picture(picture, (full.0 / picture.height.max(1)).max(1));
                (data_uri("image/png", &encode_png(&small)?), small.size())
            }
        };
        Ok(Version { name: source.name.clone(), caption: source.caption.clone(), uri, height, width })
    };
    let versions = sources.iter().zip(&pixels).map(version).collect::<Result<_>>()?;
    let note = if is_full { format!("{} × {} (height × width)", full.0, full.1) } else { shown.to_string() };
    Ok(Picture { name: name.to_owned(), note, versions })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_embedded_is_said() {
        assert_eq!(
            note(100, [2, 8, 90]),
            "Embedded pixel for pixel: 2 of 100 judged pictures (at most 8 MiB); with the longer side reduced to 512 pixels: \
             8 (at most 8); in the tables alone: 90. All are under pictures/ in the run's folder."
        );
        let one = note(1, [1, 0, 0]);
        assert!(one.contains("1 of 1 judged picture (") && !one.contains("reduced"), "{one}");
    }

    #[test]
    fn reduced_versions_have_one_size() {
        let folder = tempfile::tempdir().unwrap();
        let source = |name: &str, height, width| {
            let path = folder.path().join(name);
            crate::save(&Rgb8::new(height, width, vec![9; 3 * height * width]).unwrap(), &path).unwrap();
            Source { name: name.into(), caption: String::new(), path }
        };
        let sources = [source("lr.png", 16, 256), source("hr.png", 64, 1024)];
        let sizes = |is_full| {
            let picture = embed("a", &sources, is_full).unwrap();
            picture.versions.iter().map(|version| (version.height, version.width)).collect::<Vec<_>>()
        };
        assert_eq!(sizes(true), [(16, 256), (64, 1024)]);
        assert_eq!(sizes(false), [(32, 512), (32, 512)]);
    }
}
