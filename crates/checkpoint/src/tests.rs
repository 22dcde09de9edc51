//! Whole files, made by hand.

use super::hostile::legacy_of;
use super::*;

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

/// A bool stored as 2, in a storage whose key is made to move a terminal's cursor.
#[test]
fn names_from_a_file_are_escaped_in_messages() {
    let mut zip = zip::Writer::new(Vec::new(), "net");
    zip.record(
        "data.pkl",
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nBoolStorage\nX\x02\0\0\0\x1b[\
          X\x03\0\0\0cpuK\x01tQK\x00K\x01\x85K\x01\x85\x89ccollections\nOrderedDict\n)RtR.",
    )
    .unwrap();
    zip.record("version", b"3\n").unwrap();
    zip.record("data/\x1b[", &[2]).unwrap();
    let message = read_bytes(&zip.finish().unwrap()).unwrap_err().to_string();
    assert!(message.contains(r"data/\u{1b}[") && message.contains("a bool is stored"), "{message:?}");
}

#[test]
fn values_survive_a_round_trip() {
    let tensor = Tensor::from_f32(&[2, 1], &[0.5, -3.0]);
    let integers = [0, 255, 256, -1, i64::from(i32::MAX) + 1, i64::MIN].map(Value::Int);
    let value = Value::Dict(vec![
        (text("none"), Value::None),
        (text("żółć"), Value::List(vec![Value::Bool(true), Value::Float(-0.5), Value::Bytes(vec![0, 255])])),
        (text("integers"), Value::Tuple(integers.into_iter().chain([Value::BigInt(1 << 80)]).collect())),
        (Value::Int(3), Value::OrderedDict(vec![(text("w"), Value::Tensor(tensor.clone()))])),
        (text("milestones"), Value::Counter(vec![(Value::Int(50), Value::Int(1))])),
        (text("shared"), Value::Tensor(tensor)),
        (text("empty"), Value::Tensor(Tensor::from_f32(&[0, 3], &[]))),
        (text("scalar"), Value::Tensor(Tensor::from_i64(&[], &[7]))),
    ]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.v1.pth");
    write(&path, &value, &WriteOptions::default()).unwrap();
    assert_eq!(read(&path).unwrap(), value);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_state_dict_carries_its_configuration() {
    let state = StateDict::from_iter([("body.0.weight".to_string(), Tensor::from_f32(&[1, 2], &[1.0, 2.0]))]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.pth");
    save_state_dict(&path, &state, Some(r#"{"blocks":16}"#)).unwrap();
    assert_eq!(state_dict_of(&read(&path).unwrap()).unwrap(), state);
    assert_eq!(open(&path).unwrap().card.as_deref(), Some(r#"{"blocks":16}"#));
    save_state_dict(&path, &state, None).unwrap();
    assert_eq!(open(&path).unwrap().card, None);
}

#[test]
fn tensors_of_one_storage_are_stored_once() {
    let tensor = Tensor::from_f32(&[1000], &[1.0; 1000]);
    let twice = [("a".to_string(), tensor.clone()), ("b".to_string(), tensor)];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.pth");
    save_state_dict(&path, &StateDict::from_iter(twice), None).unwrap();
    // 4000 bytes of numbers once, and less than 3000 of all else.
    assert!(std::fs::metadata(&path).unwrap().len() < 7000);
}

#[test]
fn what_users_meet_instead_of_a_checkpoint_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let cases: [(&[u8], &str); 6] = [
        (b"", "empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "Git LFS"),
        (b"\n<!DOCTYPE html>", "web page"),
        (b"PK\x05\x06", "empty zip"),
        (b"PK\x03\x04", "end of the zip file is missing"),
        (b"\x40\0\0\0\0\0\0\0{\"w\":", "cut off"),
    ];
    for (bytes, name) in cases {
        let path = folder.path().join("x.pth");
        std::fs::write(&path, bytes).unwrap();
        let message = read(&path).unwrap_err().to_string();
        assert!(message.contains(name) && message.contains("x.pth"), "{message}");
    }
    assert!(matches!(read(folder.path().join("absent.pth")), Err(Error::Read { .. })));
}

fn read_bytes(bytes: &[u8]) -> Result<Value, Error> {
    open_bytes(bytes).map(|checkpoint| checkpoint.value)
}

#[test]
fn a_hand_made_legacy_file_reads() {
    // MARK, 1, 2, TUPLE, memo 0; again from the memo; a tuple of the two.
    let value = read_bytes(&legacy_of(b"\x80\x02(K\x01K\x02tq\x00h\x00\x86.")).unwrap();
    let pair = Value::Tuple(vec![Value::Int(1), Value::Int(2)]);
    assert_eq!(value, Value::Tuple(vec![pair.clone(), pair]));
}

#[test]
fn a_checkpoint_with_numbers_of_numpy_is_read() {
    let value = read_bytes(include_bytes!("../tests/fixtures/numpy.pth")).unwrap();
    let expected = [
        ("best_psnr", Value::Float(31.5)),
        ("loss", Value::Float(0.25)),
        ("step", Value::Int(-3)),
        ("done", Value::Bool(true)),
        ("w", Value::Tensor(Tensor::from_f32(&[2], &[1.0; 2]))),
    ];
    assert_eq!(value, Value::Dict(expected.map(|(key, value)| (text(key), value)).into()));
}

#[test]
fn numbers_of_numpy_are_plain_ones() {
    let scalar = |name: &str, order: &str, bytes: &[u8]| {
        let of_type =
            [b"cnumpy.core.multiarray\nscalar\ncnumpy\ndtype\nU\x02", name.as_bytes(), b"\x89\x88\x87R"].concat();
        let state = [b"(K\x03U\x01", order.as_bytes(), b"tbC", &[bytes.len() as u8], bytes, b"\x86R."].concat();
        read_bytes(&legacy_of(&[of_type, state].concat()))
    };
    assert_eq!(scalar("f8", "<", &0.5f64.to_le_bytes()).unwrap(), Value::Float(0.5));
    assert_eq!(scalar("f4", "<", &1.5f32.to_le_bytes()).unwrap(), Value::Float(1.5));
    assert_eq!(scalar("i8", "<", &(-7i64).to_le_bytes()).unwrap(), Value::Int(-7));
    assert_eq!(scalar("b1", "|", &[1]).unwrap(), Value::Bool(true));
    let refused = |found: Result<Value, Error>, reason: &str| {
        let message = found.unwrap_err().to_string();
        assert!(message.contains(reason), "{message}");
    };
    refused(scalar("f8", "<", &[0; 4]), "has 4 bytes");
    refused(scalar("f8", ">", &[0; 8]), "not little-endian");
    refused(scalar("b1", "|", &[2]), "out of range");
    refused(scalar("O8", "|", &[0; 8]), "numpy.dtype");
}

/// One object more or less does not matter to the limits: these are far beyond them, in files of a few MiB.
#[test]
fn floods_are_refused() {
    let tuple_of = |object: &[u8], count| [b"(", object.repeat(count).as_slice(), b"t."].concat();
    let keys: Vec<u8> = (0..700_000i32).flat_map(|key| [&b"J"[..], &key.to_le_bytes(), b"N"].concat()).collect();
    let cases = [
        (tuple_of(b"(", 2_000_000), "operations"),
        (tuple_of(b"]", 1_400_000), "far more memory"),
        (tuple_of(b"}", 1_400_000), "far more memory"),
        ([b"}(", keys.as_slice(), b"u."].concat(), "far more memory"),
    ];
    for (pickle, reason) in cases {
        let message = read_bytes(&legacy_of(&pickle)).unwrap_err().to_string();
        assert!(message.contains(reason), "{:?}...: {message}", &pickle[..3]);
    }
}

/// Every file that differs from a good one in one place is read or refused, and nothing else.
#[test]
fn damaged_files_never_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.pth");
    let state = StateDict::from_iter([("w".to_string(), Tensor::from_f32(&[2], &[1.0, 2.0]))]);
    save_state_dict(&path, &state, Some("{}")).unwrap();
    let good = std::fs::read(&path).unwrap();
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0x55;
        if let Ok(value) = read_bytes(&bad) {
            assert_eq!(state_dict_of(&value).unwrap().len(), 1);
        }
    }
    for length in 0..good.len() {
        assert!(read_bytes(&good[..length]).is_err(), "cut at {length}");
    }
}

#[test]
fn records_are_laid_out_as_pytorch_lays_them_out() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/fixtures/pth/good/zip_prefix.pth");
    let Ok(bytes) = std::fs::read(path) else { return println!("skipped: {path} is not there") };
    let archive = zip::Archive::open(std::io::Cursor::new(bytes.as_slice())).unwrap();
    let storages: Vec<_> = (0..10).map(|key| format!("data/{key}")).collect();
    let before = ["data.pkl", ".format_version", ".storage_alignment", "byteorder"];
    let after = ["version", ".data/serialization_id"];
    let mut writer = zip::Writer::new(Vec::new(), "run.v1");
    for name in before.into_iter().chain(storages.iter().map(String::as_str)).chain(after) {
        writer.record(name, &archive.read(name).unwrap().unwrap()).unwrap();
    }
    assert!(writer.finish().unwrap() == bytes);
}
