//! Data sets of the Hugging Face hub, whose protocol the server speaks.

use std::fs;

use abbe_hub::{Form, Part};

use crate::server::{Reply, Request, Server};
use crate::support::{Machine, bytes, files, gzip, has, hub, part, png, read, sha256, tar};
use crate::table::{Cell, table};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// A hub of one data set, `owner/set`, whose large files lie on another server.
struct Hub {
    hub: Server,
    cdn: Server,
}

impl Hub {
    fn of(files: Vec<(&'static str, Vec<u8>)>) -> Self {
        let stored = files.clone();
        let cdn = Server::start(move |request, index| {
            let file = stored.iter().find(|(name, _)| request.path == format!("/cdn/{name}"));
            let reply = file.map_or(Reply::status(404), |(_, bytes)| Reply::file(request, bytes, "of the CDN"));
            if index == 0 { reply.cut(10) } else { reply } // a connection that breaks is nothing special
        });
        let base = cdn.base.clone();
        let hub = Server::start(move |request, _| answer(request, &files, &base));
        Hub { hub, cdn }
    }

    fn machine(&self) -> Machine {
        let mut machine = Machine::new();
        machine.places.endpoint = Some(self.hub.base.clone());
        machine.places.token = Some("hf_secret".into());
        machine
    }
}

fn answer(request: &Request, files: &[(&str, Vec<u8>)], cdn: &str) -> Reply {
    if request.path == "/api/datasets/owner/set/revision/main" {
        let names: Vec<String> = files.iter().map(|(name, _)| format!("{{\"rfilename\":\"{name}\"}}")).collect();
        let body =
            format!("{{\"sha\":\"{COMMIT}\",\"siblings\":[{{\"rfilename\":\"README.md\"}},{}]}}", names.join(","));
        return Reply { status: 200, body: body.into(), ..Reply::default() };
    }
    if let Some(name) = request.path.strip_prefix("/datasets/old/name/resolve/main/") {
        return Reply::status(307).with("Location", format!("/datasets/owner/set/resolve/main/{name}"));
    }
    let name = request.path.strip_prefix("/datasets/owner/set/resolve/main/").unwrap_or_default();
    let Some((name, bytes)) = files.iter().find(|(known, _)| *known == name) else { return Reply::status(404) };
    let described = Reply::status(302).with("X-Repo-Commit", COMMIT).with("X-Linked-Size", bytes.len().to_string());
    described.with("X-Linked-ETag", format!("\"{}\"", sha256(bytes))).with("Location", format!("{cdn}/cdn/{name}"))
}

fn set5() -> Vec<u8> {
    gzip(&tar(&[("Set5_HR/baby.png", &png("baby")), ("Set5_HR/bird.png", &png("bird"))]))
}

fn archive(repo: &str) -> Part {
    part(hub(repo, "data/Set5_HR.tar.gz"), Form::Tgz("Set5/HR".into()), None)
}

#[test]
fn a_file_goes_into_the_cache_that_other_tools_use() {
    let hub = Hub::of(vec![("data/Set5_HR.tar.gz", set5())]);
    let machine = hub.machine();
    machine.fetch(&archive("owner/set")).unwrap();
    assert_eq!(files(&machine.places.data), ["Set5/HR/baby.png", "Set5/HR/bird.png"]);
    let blob = sha256(&set5());
    let cache = machine.places.hub.join("datasets--owner--set");
    let pointer = format!("snapshots/{COMMIT}/data/Set5_HR.tar.gz");
    assert_eq!(files(&cache), [format!("blobs/{blob}"), "refs/main".into(), pointer.clone()]);
    assert_eq!(read(cache.join("refs/main")), COMMIT.as_bytes());
    assert_eq!(read(cache.join(&pointer)), set5());
    #[cfg(unix)]
    assert_eq!(fs::read_link(cache.join(&pointer)).unwrap().to_str().unwrap(), format!("../../../blobs/{blob}"));
    // The token is for the hub alone.
    assert!(hub.hub.requests().iter().all(|request| request.header("authorization") == Some("Bearer hf_secret")));
    assert!(hub.cdn.requests().iter().all(|request| request.header("authorization").is_none()));
    assert_eq!(hub.cdn.requests()[1].header("range"), Some("bytes=10-"));
    // Unpacked again, it needs no net.
    fs::remove_dir_all(&machine.places.data).unwrap();
    let before = hub.hub.requests().len();
    machine.fetch(&archive("owner/set")).unwrap();
    assert_eq!((hub.hub.requests().len(), hub.cdn.requests().len()), (before, 2));
}

#[test]
fn a_renamed_data_set_is_found_and_keeps_the_token() {
    let hub = Hub::of(vec![("data/Set5_HR.tar.gz", set5())]);
    hub.machine().fetch(&archive("old/name")).unwrap();
    assert!(hub.hub.requests().iter().all(|request| request.header("authorization").is_some()));
}

#[test]
fn shards_are_listed_and_their_pictures_written() {
    let rows = |range: std::ops::Range<usize>| {
        let cell =
            |row: usize, kind: &str| Cell::Picture(png(&format!("{kind}{row}")), Some(format!("{row:04}{kind}.png")));
        let columns = ["hr", "lr"].map(|kind| (kind, range.clone().map(|row| cell(row, kind)).collect()));
        table(&columns)
    };
    let hub = Hub::of(vec![
        ("data/train-00001-of-00002.parquet", rows(20..25)),
        ("data/train-00000-of-00002.parquet", rows(0..20)),
        ("data/test-00000-of-00001.parquet", rows(90..91)),
    ]);
    let machine = hub.machine();
    let columns = [("hr", "P/HR"), ("lr", "P/LR")].map(|(column, folder)| (column.into(), folder.into()));
    let part = part(hub_shards("data/train-*.parquet"), Form::Parquet(columns.into()), None);
    machine.fetch(&part).unwrap();
    let expected = |folder| (0..25).map(move |row| format!("{folder}/{row:04}hr.png"));
    assert_eq!(files(&machine.places.data), expected("P/HR").chain(expected("P/LR")).collect::<Vec<_>>());
    assert_eq!(read(machine.places.data.join("P/LR/0024hr.png")), png("lr24"));
    assert!(machine.fetch(&part).unwrap().was_there);
    // Offline the list is that of the cache.
    fs::remove_dir_all(machine.places.data.join("P/LR")).unwrap();
    let mut offline = machine;
    offline.places.offline = true;
    let before = hub.hub.requests().len();
    offline.fetch(&part).unwrap();
    assert_eq!((files(&offline.places.data).len(), hub.hub.requests().len()), (50, before));
    // A part of the shards is not the table.
    fs::remove_dir_all(&offline.places.data).unwrap();
    fs::remove_file(
        offline.places.hub.join(format!("datasets--owner--set/snapshots/{COMMIT}/data/train-00001-of-00002.parquet")),
    )
    .unwrap();
    has(&offline.fetch(&part).unwrap_err(), &["train-00000-of-00002.parquet", "2 shards, found 1", "HF_HUB_OFFLINE"]);
}

fn hub_shards(file: &str) -> abbe_hub::Source {
    hub("owner/set", file)
}

#[test]
fn offline_nothing_is_asked_for() {
    let hub = Hub::of(vec![("data/Set5_HR.tar.gz", set5())]);
    let mut machine = hub.machine();
    machine.places.offline = true;
    has(&machine.fetch(&archive("owner/set")).unwrap_err(), &["owner/set", "Set5_HR.tar.gz", "HF_HUB_OFFLINE"]);
    let shards = part(hub_shards("data/*.parquet"), Form::Parquet([("a".into(), "A".into())].into()), None);
    has(&machine.fetch(&shards).unwrap_err(), &["HF_HUB_OFFLINE"]);
    assert_eq!(hub.hub.requests().len(), 0);
}

#[test]
fn what_the_hub_refuses_or_has_not_is_told_with_the_remedy() {
    for (status, remedy) in [(401, "HF_TOKEN"), (403, "terms"), (404, "catalogue"), (500, "later")] {
        let server = Server::start(move |_, _| Reply::status(status));
        let mut machine = Machine::new();
        machine.places.endpoint = Some(server.base.clone());
        has(&machine.fetch(&archive("owner/set")).unwrap_err(), &[&status.to_string(), &server.base, remedy]);
        assert!(machine.files().iter().all(|file| file.ends_with(".lock")));
    }
    let mut machine = Machine::new();
    machine.places.endpoint = Some("http://127.0.0.1:9".into()); // nobody listens there
    let command = "hf download --repo-type dataset owner/set data/Set5_HR.tar.gz";
    has(&machine.fetch(&archive("owner/set")).unwrap_err(), &["not fetched", command, "hf/hub"]);
    let hub = Hub::of(vec![("data/train.parquet", bytes(9))]);
    let shards = part(hub_shards("data/test-*.parquet"), Form::Parquet([("a".into(), "A".into())].into()), None);
    has(&hub.machine().fetch(&shards).unwrap_err(), &["data/test-*.parquet", "main", "README.md, data/train.parquet"]);
}

#[test]
fn bytes_that_are_not_those_the_hub_promised_are_removed() {
    let lying = Server::start(|request, _| match request.method.as_str() {
        "HEAD" => {
            Reply::status(200).with("X-Repo-Commit", COMMIT).with("X-Linked-ETag", format!("\"{}\"", sha256(b"a")))
        }
        _ => Reply::file(request, b"b", "x"),
    });
    let mut machine = Machine::new();
    machine.places.endpoint = Some(lying.base.clone());
    has(&machine.fetch(&archive("owner/set")).unwrap_err(), &[&sha256(b"a"), &sha256(b"b"), "removed"]);
    assert!(machine.files().iter().all(|file| file.ends_with(".lock")));
}

#[test]
fn a_hostile_hub_writes_nowhere() {
    for (commit, tag) in
        [("../../../out", "\"aaaaaaaaaa\""), (COMMIT, "\"../../../../out\""), (COMMIT, "\"\""), ("", "\"aaaaaaaaaa\"")]
    {
        let server = Server::start(move |_, _| Reply::status(200).with("X-Repo-Commit", commit).with("ETag", tag));
        let mut machine = Machine::new();
        machine.places.endpoint = Some(server.base.clone());
        has(&machine.fetch(&archive("owner/set")).unwrap_err(), &["X-Repo-Commit", "HF_ENDPOINT"]);
        assert_eq!(machine.files(), ["data/Set5/HR.lock"]);
    }
    let listing = "{\"sha\":\"x\",\"siblings\":[{\"rfilename\":\"data/../../../out.parquet\"}]}";
    let server = Server::start(move |_, _| Reply { status: 200, body: listing.into(), ..Reply::default() });
    let mut machine = Machine::new();
    machine.places.endpoint = Some(server.base.clone());
    let shards = part(hub_shards("data/*.parquet"), Form::Parquet([("a".into(), "A".into())].into()), None);
    has(&machine.fetch(&shards).unwrap_err(), &["data/../../../out.parquet"]);
    let html = Server::start(|_, _| Reply { status: 200, body: b"<html>".into(), ..Reply::default() });
    machine.places.endpoint = Some(html.base.clone());
    has(&machine.fetch(&shards).unwrap_err(), &["expected an answer of the Hugging Face hub"]);
}
