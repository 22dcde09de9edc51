//! Whole files, read back here.

use super::*;
use crate::{Tensor, Value, open, read, wrapped};

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

fn options(container: Container) -> WriteOptions<'static> {
    WriteOptions { container, card: Some(r#"{"blocks":16}"#) }
}

fn state() -> StateDict {
    let tensors = [Tensor::from_f32(&[1, 2], &[1.0, 2.0]), Tensor::from_i64(&[], &[7]), Tensor::from_f32(&[0, 3], &[])];
    ["weight", "steps", "empty"].map(String::from).into_iter().zip(tensors).collect()
}

#[test]
fn a_legacy_file_comes_back_without_its_card() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.pth");
    let checkpoint = wrapped("params", &state());
    write(&path, &checkpoint, &options(Container::Legacy)).unwrap();
    assert_eq!(read(&path).unwrap(), checkpoint);
    assert_eq!(open(&path).unwrap().card, None);
}

/// More than ten storages, so that their order as text (0, 1, 10, 2) differs from that of numbers.
#[test]
fn legacy_storages_follow_in_the_order_of_their_keys_as_text() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.pth");
    let tensors = (0..12).map(|index| (format!("w{index}"), Tensor::from_i64(&[1], &[index])));
    let state = Value::from(&tensors.collect::<StateDict>());
    write(&path, &state, &options(Container::Legacy)).unwrap();
    assert_eq!(read(&path).unwrap(), state);
    // 12 storages of a count and an int64 each: the third is that of key 10.
    let bytes = std::fs::read(&path).unwrap();
    let storages = &bytes[bytes.len() - 12 * 16..];
    assert_eq!((&storages[32..40], &storages[40..48]), (&1i64.to_le_bytes()[..], &10i64.to_le_bytes()[..]));
}

#[test]
fn a_safetensors_file_holds_the_tensors_and_the_card() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.safetensors");
    let mut state = state();
    state.insert("mask".into(), Tensor::from_f32(&[2], &[0.5, -0.5]));
    write(&path, &Value::from(&state), &options(Container::Safetensors)).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let (length, header) = ::safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    let note = |key: &str| header.metadata().as_ref().unwrap()[key].clone();
    assert_eq!((length % 8, note("format"), note("abbe")), (0, "pt".into(), r#"{"blocks":16}"#.into()));
    assert!(note("abbe.provenance").contains(env!("CARGO_PKG_VERSION")));
    let file = ::safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(file.len(), state.len());
    for (name, tensor) in &state {
        let found = file.tensor(name).unwrap();
        assert_eq!((found.shape(), found.data()), (tensor.shape(), tensor.to_contiguous_bytes().as_ref()), "{name}");
    }
}

#[test]
fn safetensors_refuses_by_name_what_it_cannot_hold() {
    let w = || Value::Tensor(Tensor::from_f32(&[1], &[1.0]));
    let cases = [
        (Value::List(vec![w()]), "a list"),
        (Value::Dict(vec![(Value::Int(3), w())]), "a key is an int"),
        (wrapped("params", &state()), "\"params\" is a dict"),
        (Value::Dict(vec![(text("__metadata__"), w())]), "__metadata__"),
        (Value::Dict(vec![(text("w"), w()), (text("w"), w())]), "\"w\" is there twice"),
    ];
    for (value, reason) in cases {
        refused(&value, Container::Safetensors, reason);
    }
}

/// Each of these would be a file that Python or we refuse.
#[test]
fn what_could_not_be_read_back_is_refused_with_its_place() {
    let under = |key: &str, value| Value::Dict(vec![(text(key), value)]);
    let keys = |keys: [Value; 2]| Value::Dict(keys.map(|key| (key, Value::None)).into());
    let deep = (0..101).fold(Value::None, |inner, _| Value::List(vec![inner]));
    let names = (0..60_000).map(|index| (text(&index.to_string()), Value::Tensor(Tensor::from_i64(&[], &[7]))));
    let late = Tensor::contiguous(crate::Dtype::U16, &[1], vec![0; 2]);
    let cases = [
        (under("meta", under("note", Value::Bytes(vec![]))), "\"meta\": \"note\": PyTorch's safe loader refuses empty"),
        (under("where", Value::Device("gpu".into())), "a device is not a name"),
        (under("where", Value::Device("cuda:01".into())), "a device is not a name"),
        (deep, "nested more than 100 levels"),
        (keys([Value::Int(1), Value::Bool(true)]), "the key 1 twice"),
        (keys([Value::List(vec![]), Value::None]), "a list is used as a key"),
        (Value::Set(vec![Value::Dict(vec![])]), "a dict is used as a key"),
        (Value::Text("x".repeat(33 << 20)), "expected at most 33554432"),
        (Value::Dict(names.collect()), "more than 1500000 operations"),
    ];
    for (value, reason) in cases {
        refused(&value, Container::Zip, reason);
        refused(&value, Container::Legacy, reason);
    }
    let late = under("net", Value::List(vec![Value::Tensor(late)]));
    refused(&late, Container::Legacy, "\"net\": 0: a tensor of uint16");
    let long = Value::Dict(vec![(text(&"x".repeat(5 << 20)), Value::Tensor(Tensor::from_i64(&[], &[7])))]);
    refused(&long, Container::Safetensors, "expected at most 4194304: choose zip");
    let folder = tempfile::tempdir().unwrap();
    let card = "x".repeat(2 << 20);
    let error = save_state_dict(folder.path().join("net.pth"), &state(), Some(&card)).unwrap_err();
    assert!(error.to_string().contains("a card of 2097152 bytes"), "{error}");
}

#[test]
fn tar_files_are_not_written() {
    refused(&Value::None, Container::Tar, "choose zip");
}

/// Nothing is left behind, and the file that was there is unchanged.
fn refused(value: &Value, container: Container, reason: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.pth");
    std::fs::write(&path, b"kept").unwrap();
    let error = write(&path, value, &options(container)).unwrap_err();
    let message = error.to_string();
    assert!(matches!(error, Error::Unwritable { .. }), "{error:?}");
    assert!(message.contains(reason) && message.contains("net.pth"), "{message}");
    assert_eq!(std::fs::read(&path).unwrap(), b"kept");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_failed_write_leaves_what_was_there() {
    refused(&Value::Bytes(vec![]), Container::Zip, "empty bytes");
    let folder = tempfile::tempdir().unwrap();
    let absent = save_state_dict(folder.path().join("absent/net.pth"), &state(), None).unwrap_err();
    assert!(matches!(absent, Error::Write { .. }), "{absent}");
    // A folder stands where the file is to be.
    let taken = folder.path().join("net.pth");
    std::fs::create_dir(&taken).unwrap();
    assert!(matches!(save_state_dict(&taken, &state(), None), Err(Error::Unwritable { .. })));
    assert!(taken.is_dir());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn the_same_value_gives_the_same_file_with_its_provenance() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.pth");
    for container in [Container::Zip, Container::Legacy, Container::Safetensors] {
        let bytes = || {
            write(&path, &Value::from(&state()), &options(container)).unwrap();
            std::fs::read(&path).unwrap()
        };
        assert!(bytes() == bytes(), "{container}");
    }
    save_state_dict(&path, &state(), None).unwrap();
    assert_eq!(open(&path).unwrap().provenance.as_deref(), Some(PROVENANCE));
}

/// A socket stands for everything that is there and is no file: pipes, devices.
#[cfg(unix)]
#[test]
fn links_are_followed_and_what_is_no_file_is_neither_replaced_nor_read() {
    let folder = tempfile::tempdir().unwrap();
    let [real, link, socket] = ["real.pth", "link.pth", "socket.pth"].map(|name| folder.path().join(name));
    let value = Value::from(&state());
    write(&real, &Value::None, &WriteOptions::default()).unwrap();
    std::os::unix::fs::symlink(&real, &link).unwrap();
    write(&link, &value, &WriteOptions::default()).unwrap();
    assert!(link.is_symlink() && crate::read(&real).unwrap() == value);

    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let error = write(&socket, &value, &WriteOptions::default()).unwrap_err().to_string();
    assert!(error.contains("no file"), "{error}");
    for error in [crate::open(&socket).err(), crate::sha256(&socket).err(), crate::container_of(&socket).err()] {
        assert!(error.unwrap().to_string().contains("a pipe or a device"));
    }
    assert!(crate::read(folder.path()).unwrap_err().to_string().contains("a folder"));
}
