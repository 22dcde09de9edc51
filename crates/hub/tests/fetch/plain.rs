//! One file from a web server.

use std::fs;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};

use abbe_hub::{Error, Event, Form, Source, fetch};

use crate::server::{Reply, Request, Server};
use crate::support::{Machine, bytes, has, part, png, read, sha256, weights, zip};

const SIZE: usize = 500_000;

/// A server of one file whose first answers break off after so many bytes.
fn cutting(cuts: &'static [usize], answer: fn(&Request, &[u8]) -> Reply) -> (Server, Vec<u8>) {
    let all = bytes(SIZE);
    let body = all.clone();
    let server = Server::start(move |request, index| {
        let reply = answer(request, &body);
        match cuts.get(index) {
            Some(&after) => reply.cut(after),
            None => reply,
        }
    });
    (server, all)
}

fn ranges(server: &Server) -> Vec<Option<String>> {
    server.requests().iter().map(|request| request.header("range").map(str::to_owned)).collect()
}

#[test]
fn a_file_without_a_known_hash_is_trusted_once_and_held_to_it() {
    let (server, all) = cutting(&[], |request, body| Reply::file(request, body, "a"));
    let machine = Machine::new();
    let part = weights(server.url("/w.pth?download=1"), None);
    assert!(!machine.fetch(&part).unwrap().was_there);
    assert_eq!(machine.files(), ["torch/w.pth", "torch/w.pth.sha256"]);
    assert_eq!(read(machine.places.torch.join("w.pth")), all);
    let hash = sha256(&all);
    has(&machine.notes.lock().unwrap().join("\n"), &[&hash, "trusted", "w.pth.sha256"]);
    assert_eq!(read(machine.places.torch.join("w.pth.sha256")), format!("{hash}  w.pth\n").as_bytes());
    // A second time nothing is asked for, and a file that changed since is noticed and left as it is.
    assert!(machine.fetch(&part).unwrap().was_there);
    assert_eq!(server.requests().len(), 1);
    fs::write(machine.places.torch.join("w.pth"), "other").unwrap();
    has(&machine.fetch(&part).unwrap_err(), &["w.pth", &hash, &sha256(b"other"), "left as it is"]);
    assert_eq!(read(machine.places.torch.join("w.pth")), b"other");
    // Without it, another file from the server is not the one that was seen first.
    fs::remove_file(machine.places.torch.join("w.pth")).unwrap();
    let other = Server::start(|request, _| Reply::file(request, b"other", "b"));
    has(&machine.fetch(&weights(other.url("/w.pth"), None)).unwrap_err(), &[&hash, &sha256(b"other"), "removed"]);
    assert_eq!(machine.files(), ["torch/w.pth.lock", "torch/w.pth.sha256"]);
}

#[test]
fn a_connection_that_breaks_is_resumed_where_it_broke() {
    let (server, all) = cutting(&[100_000, 50_000, 0], |request, body| Reply::file(request, body, "a"));
    let machine = Machine::new();
    machine.fetch(&weights(server.url("/w.pth"), Some(sha256(&all)))).unwrap();
    assert_eq!(read(machine.places.torch.join("w.pth")), all);
    assert_eq!(machine.files(), ["torch/w.pth"]);
    let from = |at: usize| Some(format!("bytes={at}-"));
    assert_eq!(ranges(&server), [None, from(100_000), from(150_000), from(150_000)]);
    assert_eq!(server.requests()[1].header("if-range"), Some("\"a\""));
}

#[test]
fn a_server_that_knows_no_ranges_begins_again() {
    fn whole(_: &Request, body: &[u8]) -> Reply {
        Reply { status: 200, body: body.into(), ..Reply::default() }.with("ETag", "\"a\"")
    }
    let (server, all) = cutting(&[400_000], whole);
    let machine = Machine::new();
    machine.fetch(&weights(server.url("/w.pth"), Some(sha256(&all)))).unwrap();
    assert_eq!((read(machine.places.torch.join("w.pth")), server.requests().len()), (all, 2));
    // One that also breaks off at the same byte each time is given up; what has arrived stays.
    let (server, _) = cutting(&[1000; 9], whole);
    let machine = Machine::new();
    let error = machine.fetch(&weights(server.url("/w.pth"), None)).unwrap_err();
    has(&error, &[&server.url("/w.pth"), "same command again", "torch/w.pth", "by hand"]);
    assert_eq!(server.requests().len(), 4); // one that brought something, three that did not
    assert_eq!(machine.files(), ["torch/w.pth.lock", "torch/w.pth.part", "torch/w.pth.part.tag"]);
}

#[test]
fn without_tag_and_hash_nothing_is_resumed() {
    fn untagged(request: &Request, body: &[u8]) -> Reply {
        let mut reply = Reply::file(request, body, "a");
        reply.headers.retain(|(name, _)| *name != "ETag");
        reply
    }
    let (server, all) = cutting(&[1000], untagged);
    Machine::new().fetch(&weights(server.url("/w.pth"), None)).unwrap();
    assert_eq!(ranges(&server), [None, None]);
    let (server, _) = cutting(&[1000], untagged);
    Machine::new().fetch(&weights(server.url("/w.pth"), Some(sha256(&all)))).unwrap();
    assert_eq!(ranges(&server), [None, Some("bytes=1000-".into())]);
}

#[test]
fn a_file_that_changed_on_the_server_is_fetched_from_its_beginning() {
    let new = vec![7; SIZE];
    for heeds_condition in [true, false] {
        let (old, body) = (bytes(SIZE), new.clone());
        let server = Server::start(move |request, index| match index {
            0 => Reply::file(request, &old, "old").cut(1000),
            _ if heeds_condition || request.header("range").is_none() => Reply::file(request, &body, "new"),
            _ => Reply { status: 206, body: body[1000..].into(), ..Reply::default() }
                .with("ETag", "\"new\"")
                .with("Content-Range", format!("bytes 1000-{}/{SIZE}", SIZE - 1)),
        });
        let machine = Machine::new();
        machine.fetch(&weights(server.url("/w.pth"), None)).unwrap();
        assert_eq!(read(machine.places.torch.join("w.pth")), new);
    }
}

#[test]
fn a_part_that_is_already_whole_is_only_verified() {
    let (server, all) = cutting(&[], |request, body| Reply::file(request, body, "a"));
    let machine = Machine::new();
    fs::create_dir_all(&machine.places.torch).unwrap();
    fs::write(machine.places.torch.join("w.pth.part"), &all).unwrap();
    machine.fetch(&weights(server.url("/w.pth"), Some(sha256(&all)))).unwrap();
    assert_eq!(ranges(&server), [Some(format!("bytes={SIZE}-"))]);
    assert_eq!(machine.files(), ["torch/w.pth"]);
}

#[test]
fn a_wrong_hash_leaves_nothing() {
    let (server, all) = cutting(&[], |request, body| Reply::file(request, body, "a"));
    let machine = Machine::new();
    for expected in ["0123456789", &"ab".repeat(32)] {
        let error = machine.fetch(&weights(server.url("/w.pth"), Some(expected.into()))).unwrap_err();
        has(&error, &["w.pth", expected, &sha256(&all), "removed"]);
        assert_eq!(machine.files(), ["torch/w.pth.lock"]);
    }
    machine.fetch(&weights(server.url("/w.pth"), Some(sha256(&all)[..8].into()))).unwrap();
}

#[test]
fn refusals_say_what_to_do_and_redirects_are_followed() {
    let server = Server::start(|request, _| match request.path.as_str() {
        "/moved" => Reply::status(302).with("Location", "/again"),
        "/again" => Reply::status(307).with("Location", "/w.pth"),
        "/circle" => Reply::status(302).with("Location", "/circle"),
        "/w.pth" => Reply::file(request, b"weights", "a"),
        path => Reply::status(path[1..].parse().unwrap()),
    });
    let machine = Machine::new();
    let said = |path: &str| machine.fetch(&weights(server.url(path), None)).unwrap_err();
    has(&said("/404"), &[&server.url("/404"), "404", "catalogue"]);
    has(&said("/401"), &["401", "torch/w.pth"]);
    has(&said("/503"), &["503", "later"]);
    has(&said("/circle"), &["redirect", "catalogue"]);
    machine.fetch(&weights(server.url("/moved"), None)).unwrap();
    assert_eq!(read(machine.places.torch.join("w.pth")), b"weights");
}

#[test]
fn without_a_network_it_says_how_to_do_it_by_hand() {
    let machine = Machine::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/w.pth", listener.local_addr().unwrap());
    drop(listener); // nobody listens there now
    has(&machine.fetch(&weights(url.clone(), None)).unwrap_err(), &[&url, "network", "by hand", "torch/w.pth"]);
    // And by hand it works: a file that is put there is used, and the data set's archive is not removed after it.
    let archive = zip(&[("D/1.png", &png("1"))]);
    fs::create_dir_all(&machine.places.data).unwrap();
    fs::write(machine.places.data.join("d.zip"), &archive).unwrap();
    let part = part(Source::Url(url.replace("w.pth", "d.zip")), Form::Zip("D".into()), Some(sha256(&archive)));
    machine.fetch(&part).unwrap();
    assert_eq!(crate::support::files(&machine.places.data), ["D/1.png", "d.zip"]);
}

#[test]
fn an_archive_is_unpacked_and_removed_and_not_fetched_again() {
    let archive = zip(&[("D/X4/1.png", &png("1")), ("D/X4/2.png", &png("2"))]);
    let hash = sha256(&archive);
    let server = Server::start(move |request, _| Reply::file(request, &archive, "a"));
    let machine = Machine::new();
    let part = part(Source::Url(server.url("/d.zip")), Form::Zip("D/X4".into()), Some(hash));
    assert_eq!(machine.fetch(&part).unwrap().paths, [machine.places.data.join("D/X4")]);
    assert_eq!(machine.files(), ["data/D/X4/1.png", "data/D/X4/2.png"]);
    assert!(machine.fetch(&part).unwrap().was_there);
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_file_where_the_folder_is_to_be_is_told_and_kept() {
    let machine = Machine::new();
    fs::create_dir_all(&machine.places.data).unwrap();
    fs::write(machine.places.data.join("D"), "mine").unwrap();
    let part = part(Source::Url("http://127.0.0.1:9/d.zip".into()), Form::Zip("D".into()), None);
    has(&machine.fetch(&part).unwrap_err(), &["data/D", "cannot make the folder", "a file is in the way"]);
    assert_eq!(machine.files(), ["data/D"]);
}

#[test]
fn an_archive_that_is_none_leaves_no_folder() {
    let server = Server::start(|request, _| Reply::file(request, b"<html>sorry</html>", "a"));
    let machine = Machine::new();
    let part = part(Source::Url(server.url("/d.zip")), Form::Zip("D".into()), None);
    has(&machine.fetch(&part).unwrap_err(), &["d.zip", "expected a zip archive", "remove the archive"]);
    assert!(!machine.places.data.join("D").exists());
    // What it hashed to is not trusted: the archive itself may come another day.
    let archive = zip(&[("1.png", &png("1"))]);
    fs::write(machine.places.data.join("d.zip"), archive).unwrap();
    machine.fetch(&part).unwrap();
}

#[test]
fn two_at_once_fetch_once() {
    let (server, all) = cutting(&[], |request, body| Reply::file(request, body, "a"));
    let machine = Machine::new();
    let part = weights(server.url("/w.pth"), Some(sha256(&all)));
    std::thread::scope(|scope| {
        let both = [scope.spawn(|| machine.fetch(&part)), scope.spawn(|| machine.fetch(&part))];
        both.into_iter().for_each(|one| assert!(one.join().unwrap().is_ok()));
    });
    assert_eq!(read(machine.places.torch.join("w.pth")), all);
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_stop_keeps_what_has_arrived() {
    let (server, all) = cutting(&[], |request, body| Reply::file(request, body, "a"));
    let machine = Machine::new();
    let part = weights(server.url("/w.pth"), Some(sha256(&all)));
    let arrived = AtomicU64::new(0);
    let observer = |event: Event| match event {
        Event::Advance(bytes) if arrived.fetch_add(bytes, Ordering::Relaxed) + bytes > 100_000 => {
            ControlFlow::Break(())
        }
        _ => ControlFlow::Continue(()),
    };
    assert!(matches!(fetch(&part, &machine.places, &observer), Err(Error::Stopped)));
    let kept = arrived.load(Ordering::Relaxed);
    machine.fetch(&part).unwrap();
    assert_eq!(ranges(&server), [None, Some(format!("bytes={kept}-"))]);
    assert_eq!(read(machine.places.torch.join("w.pth")), all);
}
