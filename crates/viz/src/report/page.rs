//! The page as its template sees it.

use anyhow::{Context, Result};
use askama::Template;
use serde_json::Value;

use super::embed::data_uri;
use super::facts::{Fact, differing, facts};
use super::figure::{self, Figures};
use super::group::{Group, groups};
use super::pictures::{Pictures, pictures};
use super::run::{Checkpoint, Run};
use super::table::{self, Table};

/// Tables with more rows are folded until they are opened.
const LONG: usize = 60;

/// Everything on the page.
#[derive(Template)]
#[template(path = "report.html")]
pub(super) struct Page<'a> {
    title: String,
    subtitle: String,
    runs: Vec<Section<'a>>,
    /// What every reader must know, each with the runs that it is said of.
    notices: Vec<String>,
    pub(super) missing: Vec<String>,
    results: Vec<Judged>,
    /// Why not all runs stand in one table.
    apart: String,
    figures: Figures,
    curves: Figures,
    /// Settings that are not the same in all runs, by name.
    differing: Vec<(String, Vec<String>)>,
}

/// What runs on the same pictures reached.
struct Judged {
    about: String,
    tables: Vec<[Option<Table>; 3]>,
    pictures: Pictures,
}

/// What belongs to one run.
struct Section<'a> {
    name: &'a str,
    status: String,
    is_finished: bool,
    phases: Vec<[String; 5]>,
    networks: Vec<[String; 3]>,
    experiment: &'a str,
    experiment_uri: String,
    environment: Vec<Fact>,
    checkpoints: Vec<(&'a Checkpoint, String)>,
    commands: String,
}

impl<'a> Page<'a> {
    pub(super) fn new(runs: &'a [Run]) -> Self {
        let groups = groups(runs);
        let results: Vec<Judged> = groups.iter().map(judged).collect();
        let curves = figure::curves(runs);
        let figures = match runs {
            [run] => figure::files(run),
            _ => groups.iter().map(figure::compared).fold(Figures::default(), together),
        };
        let of_runs = runs.iter().flat_map(|run| run.missing.iter().map(|missing| labelled(runs, run, missing)));
        let of_pictures = results.iter().flat_map(|judged| judged.pictures.missing.clone());
        let of_figures = figures.missing.iter().chain(&curves.missing).cloned();
        Self {
            title: title(runs),
            subtitle: subtitle(runs),
            notices: notices(runs),
            missing: of_runs.chain(of_pictures).chain(of_figures).collect(),
            apart: apart(&groups),
            differing: [differing(runs, |run| &run.settings), differing(runs, |run| &run.manifest)].concat(),
            runs: runs.iter().map(Section::new).collect(),
            results,
            figures,
            curves,
        }
    }

    pub(super) fn html(&self) -> Result<String> {
        self.render().context("cannot write the page")
    }

    fn is_long(&self, table: &Table) -> bool {
        table.rows.len() > LONG
    }
}

fn judged(group: &Group) -> Judged {
    let entries = group.entries();
    let pairs = group.pairs(&entries);
    let tables = |protocol| {
        let [means, pictures] = [table::means(&entries, protocol), table::pictures(&entries, protocol)];
        [Some(means), table::differences(&pairs, protocol), Some(pictures)]
    };
    Judged {
        about: group.about(),
        tables: group.protocols().into_iter().map(tables).collect(),
        pictures: pictures(group),
    }
}

fn together(mut all: Figures, more: Figures) -> Figures {
    all.shown.extend(more.shown);
    all.left_out.extend(more.left_out);
    all.missing.extend(more.missing);
    all
}

fn labelled(runs: &[Run], run: &Run, text: &str) -> String {
    if runs.len() > 1 { format!("{}: {text}", run.name) } else { text.to_owned() }
}

fn title(runs: &[Run]) -> String {
    match runs {
        [run] => run.settings["name"].as_str().unwrap_or(&run.name).to_owned(),
        _ => runs.iter().map(|run| run.name.as_str()).collect::<Vec<_>>().join(", "),
    }
}

fn subtitle(runs: &[Run]) -> String {
    let [run] = runs else { return format!("A comparison of {} super-resolution runs", runs.len()) };
    let scale = run.settings["scale"].as_i64().map_or(String::new(), |scale| format!(" ×{scale}"));
    let when = run.started().map_or(String::new(), |when| format!(", begun {when}"));
    format!("A super-resolution run{scale}{when}")
}

/// Each notice once, with the runs that it is said of where that is not all of them.
fn notices(runs: &[Run]) -> Vec<String> {
    let mut found: Vec<(String, Vec<&str>)> = Vec::new();
    for run in runs {
        for notice in run.notices() {
            match found.iter_mut().find(|(known, _)| *known == notice) {
                Some((_, names)) => names.push(&run.name),
                None => found.push((notice, vec![&run.name])),
            }
        }
    }
    let text = |(notice, names): (String, Vec<&str>)| {
        if names.len() == runs.len() { notice } else { format!("{}: {notice}", names.join(", ")) }
    };
    found.into_iter().map(text).collect()
}

fn apart(groups: &[Group]) -> String {
    if groups.len() < 2 {
        return String::new();
    }
    format!(
        "These runs were judged on {} different sets of test pictures, as the hashes in their manifests and their scales \
         say. Numbers of different sets do not compare; each set has its own tables.",
        groups.len()
    )
}

impl<'a> Section<'a> {
    fn new(run: &'a Run) -> Self {
        let size = |checkpoint: &'a Checkpoint| (checkpoint, size(checkpoint.bytes));
        Self {
            name: &run.name,
            status: run.status(),
            is_finished: run.is_finished(),
            phases: list(&run.settings["phase"]).map(phase).collect(),
            networks: list(&run.manifest["networks"]).map(network).collect(),
            experiment: &run.experiment,
            experiment_uri: data_uri("text/plain;charset=utf-8", run.experiment.as_bytes()),
            environment: facts(&run.manifest),
            checkpoints: run.checkpoints.iter().map(size).collect(),
            commands: commands(run),
        }
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// Name, network, length, learning rate and losses.
fn phase(phase: &Value) -> [String; 5] {
    let terms = phase["loss"].as_object().into_iter().flatten();
    let term = |(name, term): (&String, &Value)| format!("{} × {name}", text(&term["weight"]));
    let length =
        phase["length"].as_object().into_iter().flatten().map(|(unit, count)| format!("{} {unit}", text(count)));
    [
        text(&phase["name"]),
        text(&phase["network"]),
        length.collect(),
        text(&phase["optimizer"]["lr"]),
        terms.map(term).collect::<Vec<_>>().join(" + "),
    ]
}

/// Name, parameters, where its weights began.
fn network(network: &Value) -> [String; 3] {
    ["name", "parameters", "weights"].map(|key| text(&network[key]))
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| if value.is_null() { "–".into() } else { value.to_string() }, str::to_owned)
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        _ => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    }
}

/// What to type for the same again.
fn commands(run: &Run) -> String {
    let device = run.manifest["device"].as_str().filter(|device| *device != "cpu");
    let device = device.map_or(String::new(), |device| format!(" --device {device}"));
    let mut commands = format!("abbe train experiment.toml --out runs/again{device}\nabbe report runs/again\n");
    let last = run.results.as_ref().and_then(|results| results.methods.last());
    if let Some(file) = last.map(|method| format!("{}_final.pth", method.name)) {
        if run.checkpoints.iter().any(|checkpoint| checkpoint.file == file) {
            commands += &format!("abbe eval --model checkpoints/{file} --hr DIR\n");
        }
    }
    commands
}
