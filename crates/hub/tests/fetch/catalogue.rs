//! Every row of the built-in catalogue, fetched from a server that has small files of the same form.

use std::collections::BTreeMap;
use std::sync::Arc;

use abbe_hub::{Catalogue, Form, Part, Source, dataset};

use crate::server::{Reply, Request, Server};
use crate::support::{Machine, gzip, png, sha256, tar, zip};
use crate::table::{Cell, table};

/// A small file of the part's form, with the folders that real archives have around their pictures.
fn small(part: &Part, promised: &[&String]) -> Vec<u8> {
    match &part.form {
        Form::Zip(folder) => zip(&borrowed(&pictures(folder, promised))),
        Form::Tar(folder) => tar(&borrowed(&pictures(folder, promised))),
        Form::Tgz(folder) => gzip(&tar(&borrowed(&pictures(folder, promised)))),
        Form::Parquet(columns) => {
            let cells = |column: &str| ["first", column].map(|text| Cell::Picture(png(text), None)).to_vec();
            table(&columns.keys().map(|column| (column.as_str(), cells(column))).collect::<Vec<_>>())
        }
        Form::Weights(file) => file.clone().into_bytes(),
    }
}

/// A picture for each folder that the row promises inside this one, or for this one.
fn pictures(folder: &str, promised: &[&String]) -> Vec<(String, Vec<u8>)> {
    let inside: Vec<&str> =
        promised.iter().map(|path| path.as_str()).filter(|path| path.starts_with(&format!("{folder}/"))).collect();
    let folders = if inside.is_empty() { vec![folder] } else { inside };
    folders.into_iter().map(|folder| (format!("{folder}/0001.png"), png(folder))).collect()
}

fn borrowed(entries: &[(String, Vec<u8>)]) -> Vec<(&str, &[u8])> {
    entries.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect()
}

/// Answers as the hub where the path is the hub's, else as a web server.
fn answer(request: &Request, files: &BTreeMap<String, Vec<u8>>) -> Reply {
    if let Some(repo) = request.path.strip_prefix("/api/datasets/").and_then(|rest| rest.strip_suffix("/revision/main"))
    {
        let begin = format!("/datasets/{repo}/resolve/main/");
        let names: Vec<String> = files
            .keys()
            .filter_map(|path| path.strip_prefix(&begin))
            .map(|name| format!("{{\"rfilename\":\"{name}\"}}"))
            .collect();
        let body = format!("{{\"sha\":\"0123456789\",\"siblings\":[{}]}}", names.join(","));
        return Reply { status: 200, body: body.into(), ..Reply::default() };
    }
    match files.get(&request.path.replace("/resolve/0123456789/", "/resolve/main/")) {
        Some(bytes) => Reply::file(request, bytes, &sha256(bytes)).with("X-Repo-Commit", "0123456789"),
        None => Reply::status(404),
    }
}

#[test]
fn every_row_is_fetched_and_its_folders_are_found() {
    let mut catalogue = Catalogue::built_in().unwrap();
    let mut files = BTreeMap::new();
    for dataset in &mut catalogue.datasets {
        let promised: Vec<&String> = dataset.hr.iter().chain(dataset.lr.values()).collect();
        for part in &mut dataset.parts {
            let bytes = small(part, &promised);
            part.sha256 = part.sha256.as_ref().map(|known| sha256(&bytes)[..known.len()].to_owned());
            let path = match &part.source {
                Source::Url(url) => url.splitn(4, '/').last().map(|path| format!("/{path}")).unwrap(),
                Source::Hub { repo, file, revision } => {
                    format!("/datasets/{repo}/resolve/{revision}/{}", file.replace('*', "00000-of-00001"))
                }
            };
            assert_eq!(
                files.insert(path, bytes),
                None,
                "{}/{}: its address is another part's too",
                dataset.name,
                part.name
            );
        }
    }
    let files = Arc::new(files);
    let server = Server::start({
        let files = files.clone();
        move |request, _| answer(request, &files)
    });
    let mut machine = Machine::new();
    machine.places.endpoint = Some(server.base.clone());
    for row in &mut catalogue.datasets {
        for part in &mut row.parts {
            if let Source::Url(url) = &mut part.source {
                *url = format!("{}/{}", server.base, url.splitn(4, '/').last().unwrap());
            }
            let fetched = machine.fetch(part).unwrap_or_else(|error| panic!("{}/{}: {error}", row.name, part.name));
            assert!(!fetched.was_there && fetched.paths.iter().all(|path| path.exists()), "{}/{}", row.name, part.name);
            let again = machine.fetch(part).unwrap();
            assert!(again.was_there && again.paths == fetched.paths);
        }
    }
    for row in catalogue.datasets.iter().filter(|row| row.hr.is_some()) {
        let scales = row.lr.keys().map(|scale| scale[1..].parse().unwrap());
        for scale in scales.collect::<Vec<usize>>() {
            let folders = dataset(&catalogue, &machine.places, &row.name, scale).unwrap();
            assert!(folders.lr.unwrap().join("0001.png").is_file(), "{} x{scale}", row.name);
        }
        let hr = dataset(&catalogue, &machine.places, &row.name, 7).unwrap().hr;
        assert!(std::fs::read_dir(hr).unwrap().count() > 0, "{}", row.name);
    }
}
