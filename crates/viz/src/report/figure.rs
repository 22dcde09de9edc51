//! Figures inside the page: a run's files, and what is drawn from several runs.

use std::path::PathBuf;

use anyhow::{Context, Result};

use super::embed::{data_uri, file_uri};
use super::group::Group;
use super::run::Run;
use super::table::column;
use crate::curves::overlay;
use crate::figures::training_curves;
use crate::{Chart, Judged, plane};

/// Figures of a run are embedded while they have no more bytes than this.
const BYTES: u64 = 6 << 20;
/// The kinds of a run's files that are embedded, most telling first: how a name begins, what it ends with, what it shows.
const KINDS: [(&str, &str, &str); 6] = [
    ("metrics", "svg", "Metrics"),
    ("plane", "svg", "Perception-distortion plane"),
    ("zoom_", "png", "Where the methods differ most"),
    ("spectrum_", "svg", "Restored frequencies"),
    ("difference_", "png", "Maps of differences"),
    ("grid_", "png", "Versions side by side"),
];

/// A figure.
pub(super) struct Figure {
    pub title: String,
    pub uri: String,
}

/// Figures, and those that are left out or missing, in words.
#[derive(Default)]
pub(super) struct Figures {
    pub shown: Vec<Figure>,
    pub left_out: Vec<String>,
    pub missing: Vec<String>,
}

impl Figures {
    fn add(&mut self, title: &str, drawn: Result<String>) {
        match drawn {
            Ok(uri) => self.shown.push(Figure { title: title.to_owned(), uri }),
            Err(error) => self.missing.push(format!("figure `{title}`: {error:#}")),
        }
    }
}

/// The curves of each run that has a log, on one chart where there are several.
pub(super) fn curves(runs: &[Run]) -> Figures {
    let mut figures = Figures::default();
    let with_log: Vec<&Run> = runs.iter().filter(|run| !run.log.is_empty()).collect();
    if let [_, _, ..] = with_log[..] {
        let logs: Vec<_> = with_log.iter().map(|run| (run.name.as_str(), run.log.as_slice())).collect();
        let heading = "Training of every run, each loss term times its weight";
        figures.add("Every run", overlay(&logs, heading).and_then(|chart| svg(&chart)));
    }
    for run in with_log {
        let title = if runs.len() > 1 { run.name.as_str() } else { "Training" };
        figures.add(title, training_curves(&run.log, &run.notices()).and_then(|chart| svg(&chart)));
    }
    figures
}

/// The figures in a run's folder, and what of them is not embedded.
pub(super) fn files(run: &Run) -> Figures {
    let mut figures = Figures::default();
    let mut bytes = 0;
    for (begin, ending, what) in KINDS {
        for path in matching(run, begin, ending) {
            let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
            let of = stem.strip_prefix(begin).unwrap_or_default().replace('_', " ");
            let title = if of.is_empty() { what.to_owned() } else { format!("{what}: {of}") };
            bytes += path.metadata().map_or(0, |file| file.len());
            if bytes <= BYTES {
                figures.add(&title, file_uri(&path));
            } else {
                figures.left_out.push(format!("{stem}.{ending}"));
            }
        }
    }
    figures
}

/// The run's figures that begin and end so, by name.
fn matching(run: &Run, begin: &str, ending: &str) -> Vec<PathBuf> {
    let folder = run.folder.figure("");
    let Ok(entries) = folder.read_dir() else { return Vec::new() };
    let is_one = |name: &str| name.starts_with(begin) && name.ends_with(&format!(".{ending}"));
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|name| is_one(name)).collect();
    names.sort();
    names.iter().map(|name| run.folder.figure(name)).collect()
}

/// The methods of several runs in the perception-distortion plane, where LPIPS was measured.
pub(super) fn compared(group: &Group) -> Figures {
    let mut figures = Figures::default();
    for protocol in group.protocols() {
        let entries = group.entries();
        let metrics = entries.iter().flat_map(|entry| &entry.results.metrics);
        let Some(lpips) = metrics.clone().find(|metric| metric.name.starts_with("lpips")) else { continue };
        let Some(psnr) = metrics.clone().find(|metric| metric.name == "psnr") else { continue };
        let mean = |entry: &super::group::Entry, metric| {
            let at = column(entry.results, protocol, metric)?;
            entry.method.mean(at + 1).pop().filter(|mean| mean.is_finite())
        };
        let judged = |entry| Some(Judged { name: label(entry), psnr: mean(entry, psnr)?, lpips: mean(entry, lpips)? });
        let judged: Vec<Judged> = entries.iter().filter_map(judged).collect();
        if !judged.is_empty() {
            let names = [protocol.column(psnr.name), protocol.column(lpips.name)];
            let chart = plane(&judged, [&names[0], &names[1]], &group.about());
            figures
                .add(&format!("Perception-distortion plane, {}", protocol.name), chart.and_then(|chart| svg(&chart)));
        }
    }
    figures
}

fn label(entry: &super::group::Entry) -> String {
    entry.label()
}

fn svg(chart: &Chart) -> Result<String> {
    let svg = chart.svg().context("cannot draw")?;
    Ok(data_uri("image/svg+xml", svg.as_bytes()))
}
