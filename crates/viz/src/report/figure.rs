//! Figures inside the page: a run's files, and what is drawn from several runs.

use anyhow::{Context, Result};

use super::embed::{data_uri, file_uri};
use super::group::{Entry, Group};
use super::rule::{Column, Rule};
use super::run::Run;
use crate::curves::overlay;
use crate::figures::training_curves;
use crate::{Chart, Judged, plane};

/// Figures of a run are embedded while their files have no more bytes than this.
const BYTES: u64 = 6 << 20;
/// The charts of a whole run: their files, and what they show.
const CHARTS: [(&str, &str); 2] = [("metrics.svg", "Metrics"), ("plane.svg", "Perception-distortion plane")];
/// The figures of each picture, the most telling first: how their files begin and end, and what they show.
const KINDS: [(&str, &str, &str); 3] = [
    ("zoom", "png", "Enlarged patches"),
    ("spectrum", "svg", "Restored frequencies"),
    ("difference", "png", "Maps of differences"),
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

/// The figures in a run's folder, of the run and of its pictures, and what of them is not embedded.
pub(super) fn files(run: &Run) -> Figures {
    let method = run.results.iter().flat_map(|results| results.methods.first());
    let pictures: Vec<&String> = method.flat_map(|method| &method.rows).map(|row| &row.picture).collect();
    let charts = CHARTS.map(|(file, what)| (file.to_owned(), what.to_owned()));
    let of_pictures = KINDS.iter().flat_map(|(kind, ending, what)| {
        pictures.iter().map(move |picture| (format!("{kind}_{picture}.{ending}"), format!("{what}: {picture}")))
    });
    let mut figures = Figures::default();
    let mut bytes = 0;
    for (file, title) in charts.into_iter().chain(of_pictures) {
        let path = run.folder.figure(&file);
        let Ok(size) = path.metadata().map(|file| file.len()) else { continue };
        bytes += size;
        if bytes <= BYTES {
            figures.add(&title, file_uri(&path));
        } else {
            figures.left_out.push(file);
        }
    }
    figures
}

/// The methods of several runs in the perception-distortion plane, where LPIPS was measured.
pub(super) fn compared(group: &Group) -> Figures {
    let mut figures = Figures::default();
    let entries = group.entries();
    let (Some(psnr), Some(lpips)) = (first(group, "psnr"), first(group, "lpips")) else { return figures };
    let judged = |entry: &Entry| {
        let [psnr, lpips] = [&psnr, &lpips].map(|(rule, column)| entry.mean(*rule, column));
        Some(Judged { name: entry.label(), psnr: psnr?, lpips: lpips? })
    };
    let judged: Vec<Judged> = entries.iter().filter_map(judged).collect();
    if !judged.is_empty() {
        let chart = plane(&judged, [&psnr.1.name, &lpips.1.name], &group.about());
        figures.add("Perception-distortion plane", chart.and_then(|chart| svg(&chart)));
    }
    figures
}

/// The first column of a metric whose name begins so.
fn first<'a>(group: &Group<'a>, metric: &str) -> Option<(Rule<'a>, Column)> {
    let of_rules = group.rules().into_iter().flat_map(|rule| {
        let columns = group.members.iter().flat_map(move |(_, results)| rule.columns(results));
        columns.map(move |column| (rule, column))
    });
    of_rules.into_iter().find(|(_, column)| column.metric.name.starts_with(metric))
}

fn svg(chart: &Chart) -> Result<String> {
    let svg = chart.svg().context("cannot draw")?;
    Ok(data_uri("image/svg+xml", svg.as_bytes()))
}
