//! Data sets of the Hugging Face hub, whose protocol the server speaks.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use abbe_hub::{Form, Part, Source};

use crate::server::{Reply, Request, Server};
use crate::support::{Machine, bytes, files, gzip, has, hub, part, png, read, sha256, tar};
use crate::table::{Cell, table};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const MOVED: &str = "76543210fedcba9876543210fedcba9876543210";

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
    if let Some(rest) = request.path.strip_prefix("/datasets/old/name/") {
        return Reply::status(307).with("Location", format!("/datasets/owner/set/{rest}"));
    }
    let at = |revision| request.path.strip_prefix(&format!("/datasets/owner/set/resolve/{revision}/"));
    let name = at("main").or_else(|| at(COMMIT)).unwrap_or_default();
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
    assert!(offline.notes.lock().unwrap().is_empty()); // the names say how many there are
    // A part of the shards is not the table.
    fs::remove_dir_all(&offline.places.data).unwrap();
    fs::remove_file(
        offline.places.hub.join(format!("datasets--owner--set/snapshots/{COMMIT}/data/train-00001-of-00002.parquet")),
    )
    .unwrap();
    has(&offline.fetch(&part).unwrap_err(), &["train-00000-of-00002.parquet", "2 shards, found 1", "HF_HUB_OFFLINE"]);
}

/// A hub whose branch moves on from `COMMIT` to `MOVED` while the shards are fetched: its list is still that of `COMMIT`, or
/// of `MOVED` once that is set, and of the shards themselves the second is already another one.
fn moving(has_moved: Arc<AtomicBool>) -> Server {
    let shard = |row: &str| table(&[("hr", vec![Cell::Picture(png(row), None)])]);
    let (old, new, same) = (shard("old"), shard("new"), shard("same"));
    Server::start(move |request, _| {
        let now = if has_moved.load(Ordering::Relaxed) { MOVED } else { COMMIT };
        if request.path.starts_with("/api/") {
            let files = "[{\"rfilename\":\"0.parquet\"},{\"rfilename\":\"1.parquet\"}]";
            let body = format!("{{\"sha\":\"{now}\",\"siblings\":{files}}}");
            return Reply { status: 200, body: body.into(), ..Reply::default() };
        }
        let (commit, bytes) = match request.path.strip_prefix("/datasets/owner/set/resolve/").unwrap_or_default() {
            "main/0.parquet" => (now, &same),
            "main/1.parquet" => (MOVED, &new),
            path if path == format!("{COMMIT}/1.parquet") => (COMMIT, &old),
            path if path == format!("{MOVED}/1.parquet") => (MOVED, &new),
            path => (if path.starts_with(COMMIT) { COMMIT } else { MOVED }, &same),
        };
        Reply::file(request, bytes, &sha256(bytes)).with("X-Repo-Commit", commit)
    })
}

#[test]
fn all_shards_are_of_one_commit() {
    let has_moved = Arc::new(AtomicBool::new(false));
    let server = moving(has_moved.clone());
    let mut machine = Machine::new();
    machine.places.endpoint = Some(server.base.clone());
    let form = Form::Parquet([("hr".into(), "HR".into())].into());
    let shards = part(hub_shards("*.parquet"), form.clone(), None);
    let second = |machine: &Machine, part: &Part| {
        machine.fetch(part).unwrap();
        let picture = read(machine.places.data.join("HR/0001.png"));
        fs::remove_dir_all(&machine.places.data).unwrap();
        picture
    };
    assert_eq!(second(&machine, &shards), png("old"));
    // What lies in the cache from the earlier commit is not mixed in, and what is the same is not fetched again.
    has_moved.store(true, Ordering::Relaxed);
    assert_eq!(second(&machine, &shards), png("new"));
    let fetched: Vec<Request> = server.requests().into_iter().filter(|request| request.method == "GET").collect();
    assert_eq!(fetched.iter().filter(|request| request.path.ends_with("0.parquet")).count(), 1);
    // Offline it is the last commit, or the one that is named. That this is all of it, no name says.
    assert!(machine.notes.lock().unwrap().is_empty());
    machine.places.offline = true;
    assert_eq!(second(&machine, &shards), png("new"));
    has(&machine.notes.lock().unwrap().join("\n"), &["datasets/owner/set", "`*.parquet`", "the 2 in the hub's cache"]);
    let other = part(hub_shards("other*.parquet"), form.clone(), None);
    has(&machine.fetch(&other).unwrap_err(), &["other*.parquet is not in the hub's cache", "HF_HUB_OFFLINE"]);
    let source = Source::Hub { repo: "owner/set".into(), file: "*.parquet".into(), revision: COMMIT.into() };
    assert_eq!(second(&machine, &part(source, form, None)), png("old"));
}

#[test]
fn another_commit_than_the_one_asked_for_is_refused() {
    let server = Server::start(|request, _| match request.path.starts_with("/api/") {
        true => {
            let body = format!("{{\"sha\":\"{COMMIT}\",\"siblings\":[{{\"rfilename\":\"0.parquet\"}}]}}");
            Reply { status: 200, body: body.into(), ..Reply::default() }
        }
        false => Reply::file(request, b"PAR1", "0123456789").with("X-Repo-Commit", MOVED),
    });
    let mut machine = Machine::new();
    machine.places.endpoint = Some(server.base.clone());
    let shards = part(hub_shards("*.parquet"), Form::Parquet([("hr".into(), "HR".into())].into()), None);
    has(&machine.fetch(&shards).unwrap_err(), &["`0.parquet`", COMMIT, MOVED]);
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
    let shards = part(hub_shards("data/*.parquet"), Form::Parquet([("a".into(), "A".into())].into()), None);
    let mut machine = Machine::new();
    for (commit, file, said) in [
        (COMMIT, "data/../../../out.parquet", "`data/../../../out.parquet`"),
        (COMMIT, "data/\\u001b[31m.parquet", "`data/\\u{1b}[31m.parquet`"),
        ("../../../out", "data/a.parquet", "`../../../out` where a commit belongs"),
    ] {
        let listing = format!("{{\"sha\":\"{commit}\",\"siblings\":[{{\"rfilename\":\"{file}\"}}]}}");
        let server = Server::start(move |_, _| Reply { status: 200, body: listing.clone().into(), ..Reply::default() });
        machine.places.endpoint = Some(server.base.clone());
        let error = machine.fetch(&shards).unwrap_err();
        has(&error, &[said]);
        assert!(!error.contains('\u{1b}'), "{error:?}");
        assert_eq!(machine.files(), ["data/A.lock"]);
    }
    let html = Server::start(|_, _| Reply { status: 200, body: b"<html>".into(), ..Reply::default() });
    machine.places.endpoint = Some(html.base.clone());
    has(&machine.fetch(&shards).unwrap_err(), &["expected an answer of the Hugging Face hub"]);
}
