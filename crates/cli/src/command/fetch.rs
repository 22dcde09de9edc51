//! `abbe fetch`

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use abbe_hub::{Catalogue, Dataset, Event, Fetched, Folders, Form, Part, Places, dataset};
use anyhow::{Context, Result, ensure};
use indicatif::{HumanBytes, ProgressBar};
use serde_json::json;

use crate::{progress, stop};

/// Bring data sets and weights here by name: fetched, verified, unpacked, ready for an experiment
///
/// Example: abbe fetch div2k/hr div2k/x4 vgg19
#[derive(clap::Args)]
pub struct Arguments {
    /// What to fetch; NAME/PART takes one part of it alone
    #[arg(value_name = "NAME", required_unless_present = "list")]
    names: Vec<String>,
    /// List what there is, without fetching anything
    #[arg(long)]
    list: bool,
    /// Where data sets go [default: $ABBE_DATA, else data]. Weights go where PyTorch looks for them
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
    /// A catalogue of your own, added to the built-in one [default: ~/.config/abbe/catalogue.toml, if it is there]
    #[arg(long, value_name = "FILE")]
    catalogue: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Fetches, or lists.
///
/// # Errors
/// A name that is not in the catalogue, before anything is fetched; what went wrong on the way.
pub fn run(arguments: &Arguments) -> Result<()> {
    let mut places = Places::from_env();
    places.data = arguments.to.clone().unwrap_or(places.data);
    let catalogue = Catalogue::with(arguments.catalogue.as_ref().or(places.catalogue.as_ref()).as_slice())?;
    if arguments.list {
        return list(&catalogue, &arguments.names, &places, arguments.json);
    }
    let wanted = arguments.names.iter().map(|name| catalogue.find(name)).collect::<Result<Vec<_>, _>>()?;
    let mut fetched = Vec::new();
    for (row, parts) in wanted {
        eprintln!("{}: {}; licence: {}", row.name, row.what, row.licence);
        for part in parts {
            let found = fetch(part, &places).with_context(|| format!("{}/{}", row.name, part.name))?;
            if !arguments.json {
                say(row, part, &found);
            }
            fetched.push(
                json!({ "name": row.name, "part": part.name, "paths": found.paths, "was_there": found.was_there }),
            );
        }
        if !arguments.json {
            advise(&catalogue, row, &places, arguments.to.is_none());
        }
    }
    if arguments.json {
        println!("{:#}", json!(fetched));
    }
    Ok(())
}

/// Fetches with a bar, and until Ctrl-C.
fn fetch(part: &Part, places: &Places) -> Result<Fetched> {
    let bar: RefCell<Option<ProgressBar>> = RefCell::default();
    let observer = |event: Event| {
        match event {
            Event::Begin { what, total, done } => {
                let new = match total {
                    _ if what.starts_with("fetching") => progress::bytes(what, total),
                    Some(total) => progress::bar(what, total),
                    None => ProgressBar::new_spinner().with_message(what.to_owned()),
                };
                new.set_position(done);
                bar.replace(Some(new));
            }
            Event::Advance(by) => bar.borrow().iter().for_each(|bar| bar.inc(by)),
            Event::End => bar.take().iter().for_each(ProgressBar::finish_and_clear),
            Event::Note(note) => eprintln!("notice: {note}"),
        }
        if stop::requested() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let fetched = abbe_hub::fetch(part, places, &observer);
    bar.take().iter().for_each(ProgressBar::finish_and_clear);
    Ok(fetched?)
}

fn say(row: &Dataset, part: &Part, fetched: &Fetched) {
    let there = if fetched.was_there { " (was there)" } else { "" };
    for path in &fetched.paths {
        println!("{}/{}: {}{there}", row.name, part.name, path.display());
    }
}

/// What to write in an experiment: the data set's name where that is enough, else its folders.
fn advise(catalogue: &Catalogue, row: &Dataset, places: &Places, by_name: bool) {
    if let Some(Part { form: Form::Weights(file), .. }) = row.parts.first() {
        if file.starts_with("vgg") {
            println!("under [vgg]: weights = \"cache\"");
        }
        return;
    }
    let scales = row.lr.keys().filter_map(|scale| scale[1..].parse().ok()).chain([0]);
    let found = scales.filter_map(|scale| dataset(catalogue, places, &row.name, scale).ok());
    let Some(Folders { hr, lr }) = found.max_by_key(|folders| folders.lr.is_some()) else { return };
    let hr = if by_name { format!("source = \"{}\"", row.name) } else { format!("hr = {hr:?}") };
    let lr = match lr {
        Some(_) if by_name => String::new(),
        Some(lr) => format!(", lr = {{ folder = {lr:?} }}"),
        None => ", lr = { bicubic = { border = \"replicate\" } }".into(),
    };
    println!("under [data]: train = {{ {hr}{lr}, conversion = \"refuse\" }}");
}

/// Prints the table of the rows with these names, or of all.
fn list(catalogue: &Catalogue, names: &[String], places: &Places, as_json: bool) -> Result<()> {
    for name in names {
        catalogue.find(name)?;
    }
    let rows: Vec<&Dataset> =
        catalogue.datasets.iter().filter(|row| names.is_empty() || names.contains(&row.name)).collect();
    ensure!(!rows.is_empty(), "--list takes names without /PART");
    if as_json {
        println!("{:#}", json!(rows.iter().map(|row| to_json(row, places)).collect::<Vec<_>>()));
        return Ok(());
    }
    let width = |text: fn(&Dataset) -> String| rows.iter().map(|row| text(row).chars().count()).max().unwrap_or(0);
    let [name, parts, pictures] = [width(|row| row.name.clone()), width(parts), width(pictures).max(8)];
    println!(
        "{:name$}  {:parts$}  {:>pictures$}  {:>11}  {:4}  what; licence",
        "name", "parts", "pictures", "size", "here"
    );
    for row in rows {
        let here = if row.parts.iter().all(|part| is_here(part, places)) { "yes" } else { "" };
        println!(
            "{:name$}  {:parts$}  {:>pictures$}  {:>11}  {here:4}  {}; {}",
            row.name,
            self::parts(row),
            self::pictures(row),
            size(row),
            row.what,
            row.licence
        );
    }
    Ok(())
}

fn parts(row: &Dataset) -> String {
    row.parts.iter().map(|part| part.name.as_str()).collect::<Vec<_>>().join(" ")
}

fn pictures(row: &Dataset) -> String {
    row.pictures.map(|pictures| pictures.to_string()).unwrap_or_default()
}

/// Of all parts together; `?` where that of one is not known.
fn size(row: &Dataset) -> String {
    row.parts.iter().map(|part| part.size).sum::<Option<u64>>().map_or("?".into(), |size| HumanBytes(size).to_string())
}

fn is_here(part: &Part, places: &Places) -> bool {
    let folder = |folder: &String| places.data.join(folder).is_dir();
    match &part.form {
        Form::Zip(path) | Form::Tar(path) | Form::Tgz(path) => folder(path),
        Form::Parquet(columns) => columns.values().all(folder),
        Form::Weights(file) => Path::is_file(&places.torch.join(file)),
    }
}

fn to_json(row: &Dataset, places: &Places) -> serde_json::Value {
    let parts = row.parts.iter().map(
        |part| json!({ "name": part.name, "size": part.size, "sha256": part.sha256, "here": is_here(part, places) }),
    );
    json!({
        "name": row.name, "what": row.what, "pictures": row.pictures, "licence": row.licence,
        "parts": parts.collect::<Vec<_>>(),
    })
}
