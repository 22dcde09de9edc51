//! The page as its template sees it.

use anyhow::{Context, Result};
use askama::Template;

use super::facts::differing;
use super::figure::{self, Figures};
use super::group::{Group, groups};
use super::pictures::{Pictures, pictures};
use super::run::Run;
use super::section::Section;
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
    results: Vec<Outcome>,
    /// Why not all runs stand in one table.
    apart: String,
    figures: Figures,
    curves: Figures,
    /// Settings that are not the same in all runs, by name.
    differing: Vec<(String, Vec<String>)>,
}

/// What runs on the same pictures reached.
struct Outcome {
    about: String,
    tables: Vec<Tables>,
    pictures: Pictures,
}

/// The tables of one rule.
struct Tables {
    means: Table,
    differences: Option<Table>,
    pictures: Table,
}

impl<'a> Page<'a> {
    pub(super) fn new(runs: &'a [Run]) -> Self {
        let groups = groups(runs);
        let results: Vec<Outcome> = groups.iter().map(outcome).collect();
        let curves = figure::curves(runs);
        let figures = match runs {
            [run] => figure::files(run),
            _ => groups.iter().map(figure::compared).fold(Figures::default(), together),
        };
        let of_runs = runs.iter().flat_map(|run| run.missing.iter().map(|missing| labelled(runs, run, missing)));
        let of_pictures = results.iter().flat_map(|outcome| outcome.pictures.missing.clone());
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

fn outcome(group: &Group) -> Outcome {
    let entries = group.entries();
    let pairs = group.pairs(&entries);
    let tables = |rule| Tables {
        means: table::means(&entries, rule),
        differences: table::differences(&pairs, rule),
        pictures: table::pictures(&entries, rule),
    };
    Outcome { about: group.about(), tables: group.rules().into_iter().map(tables).collect(), pictures: pictures(group) }
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
