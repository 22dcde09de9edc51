//! Files made by hand, each with one thing that a safe reader refuses: the message must name it.

use crate::error::Fault;
use crate::{Value, inspect_bytes, legacy, open_bytes, zip};

fn refused(file: &[u8], reason: &str) {
    let message = open_bytes(file).err().unwrap_or_else(|| panic!("read, expected {reason:?}")).to_string();
    assert!(message.contains(reason), "expected {reason:?}: {message}");
    let _ = inspect_bytes(file); // a value or an error
}

/// A pickle in a legacy container without storages.
pub(crate) fn legacy_of(pickle: &[u8]) -> Vec<u8> {
    [legacy::START, b"\x80\x02M\xE9\x03.", b"\x80\x02}.", pickle, b"\x80\x02]."].concat()
}

/// The records of a zip container: a pickle, a storage of six float32 with the key `0`, and others.
fn zip_of(pickle: &[u8], others: &[(&str, &[u8])]) -> Vec<u8> {
    let write = || -> Result<Vec<u8>, Fault> {
        let mut zip = zip::Writer::new(Vec::new(), "net");
        for (name, data) in [("data.pkl", pickle), ("data/0", &[0; 24]), ("version", b"3\n")].iter().chain(others) {
            zip.record(name, data)?;
        }
        zip.finish()
    };
    write().unwrap()
}

/// Six float32 under the key `0`.
const ID: &[u8] = b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuK\x06tQ";
/// Offset 0, size (2, 3), stride (3, 1).
const VIEW: &[u8] = b"K\x00K\x02K\x03\x86K\x03K\x01\x86";

fn tensor(id: &[u8], view: &[u8]) -> Vec<u8> {
    [b"ctorch._utils\n_rebuild_tensor_v2\n(", id, view, b"\x89ccollections\nOrderedDict\n)RtR"].concat()
}

/// `bytes` with each `from` replaced.
fn with(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let found = bytes[at..].starts_with(from);
        out.extend(if found { to } else { &bytes[at..=at] });
        at += if found { from.len() } else { 1 };
    }
    assert!(out != bytes, "{from:?} is not there");
    out
}

#[test]
fn names_and_opcodes_outside_the_fixed_lists() {
    let cases: [(&[u8], &str); 14] = [
        (b"cos\nsystem\n(X\x02\0\0\0lst\x85R.", "os.system"),
        (b"c__builtin__\neval\n.", "builtins.eval"),
        (b"ctorch.storage\n_load_from_bytes\n.", "_load_from_bytes"),
        (b"X\x02\0\0\0osX\x06\0\0\0system\x93.", "os.system"),
        (b"ctorch\nFloatStorage\n.", "stands where a value is expected"),
        (b"ccollections\nOrderedDict\n.", "stands where a value is expected"),
        (b"ccollections\nCounter\n)\x81.", "a class other than OrderedDict"),
        (b"K\x01)R.", "an int is called"),
        (b"}}b.", "attributes are set on a dict"),
        (b"(ios\nsystem\n.", "opcode 0x69"),
        (b"(o.", "opcode 0x6F"),
        (b"Pos\n.", "opcode 0x50"),
        (b"\x82\x01.", "opcode 0x82"),
        (b"ctorch\ndevice\nX\x04\0\0\0evil\x85R.", "a device is not"),
    ];
    for (pickle, reason) in cases {
        refused(&legacy_of(pickle), reason);
        refused(&zip_of(pickle, &[]), reason);
    }
}

#[test]
fn pickles_that_no_writer_makes() {
    let deep = [&b"]".repeat(200)[..], &b"a".repeat(199), b"."].concat();
    let work = [&b"N".repeat(1_500_001)[..], b"."].concat();
    let cases: [(&[u8], &str); 20] = [
        (b"]q\x00h\x00a.", "contain themselves"),
        (&deep, "levels deep"),
        (&work, "1500000 operations"),
        (b"(K\x01.", "other than one object"),
        (b"K\x01K\x01.", "other than one object"),
        (b"X\xFF\xFF\xFF\x7Fab.", "cut off"),
        (b"\x8D\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFFab.", "cut off"),
        (b"\x95\xFF\xFF\0\0\0\0\0\0N.", "a frame of 65535 bytes"),
        (b"X\x01\0\0\0\xFF.", "not UTF-8"),
        (b"\x8A\x11aaaaaaaaaaaaaaaaa.", "an integer of 17 bytes"),
        (b"K\x01s.", "empty"),
        (b"K\x01t.", "none is set"),
        (b"}(K\x01u.", "a key without a value"),
        (b"]K\x01K\x01s.", "an item is set in a list"),
        (b"}K\x01a.", "an item is appended to a dict"),
        (b"}]K\x01s.", "a list is used as a key"),
        (b"}(K\x01K\x02K\x01K\x03u.", "the key 1 twice"),
        (b"}(K\x01K\x02\x88K\x03u.", "the key 1 twice"),
        (b"h\x05.", "never stored"),
        (b"Nr\xFF\xFF\xFF\xFFj\xFE\xFF\xFF\xFF.", "never stored"),
    ];
    for (pickle, reason) in cases {
        refused(&zip_of(pickle, &[]), reason);
    }
    refused(&zip_of(&vec![b'N'; 33 << 20], &[]), "data.pkl is far larger");
}

#[test]
fn a_memo_bomb_is_refused() {
    // Sixty times a pair of the object before, which is what is left on the stack: 2^60 leaves.
    let pair = |level| [b'h', level, 0x86, b'q', level + 1];
    let pickle = [&b"]q\x00"[..], &(0..60).flat_map(pair).collect::<Vec<_>>(), b"."].concat();
    refused(&legacy_of(&pickle), "far more memory");
}

#[test]
fn storages_that_are_described_otherwise_than_by_pytorch() {
    let numel = |numel: &[u8]| with(ID, b"K\x06", numel);
    let cases: [(Vec<u8>, &str); 13] = [
        (numel(b"K\x07"), "it has 24 bytes, expected 28"),
        (numel(b"J\xFF\xFF\xFF\xFF"), "impossible number"),
        (numel(b"G@\x18\0\0\0\0\0\0"), "impossible number"),
        (numel(b"\x88"), "impossible number"),
        (numel(b"\x8A\x08\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F"), "impossible number"),
        (with(ID, b"X\x01\0\0\x000", b"X\x01\0\0\x001"), "entry \"data/1\": it is missing"),
        (with(ID, b"X\x01\0\0\x000", b"X\x09\0\0\0../../../"), "it is missing"),
        (with(ID, b"FloatStorage", b"EvilStorage"), "torch.EvilStorage"),
        (with(ID, b"storage", b"storagf"), "in a form that PyTorch does not write"),
        (with(ID, b"K\x06t", b"t"), "in a form that PyTorch does not write"),
        (with(ID, b"K\x06t", b"K\x06Nt"), "in a form that PyTorch does not write"),
        (b"X\x01\0\0\x000Q".into(), "in a form that PyTorch does not write"),
        (b"X\x01\0\0\x000".into(), "a tensor is made from a text"),
    ];
    for (id, reason) in cases {
        refused(&zip_of(&[&tensor(&id, VIEW)[..], b"."].concat(), &[]), reason);
    }
    for (from, to) in [(&b"FloatStorage"[..], &b"IntStorage"[..]), (b"K\x06", b"K\x05")] {
        let pickle = [tensor(ID, VIEW), tensor(&with(ID, from, to), VIEW), b"\x86.".into()].concat();
        refused(&zip_of(&pickle, &[]), "two types or lengths");
    }
}

#[test]
fn views_that_leave_their_storage() {
    let rank_65 = [b"K\x00(", &b"K\x01".repeat(65)[..], b"t(", &b"K\x01".repeat(65), b"t"].concat();
    let cases: [(&[u8], &str); 10] = [
        (b"K\x01K\x02K\x03\x86K\x03K\x01\x86", "reaches beyond"),
        (b"K\x00K\x02K\x03\x86K\x04K\x01\x86", "reaches beyond"),
        (b"J\xFF\xFF\xFF\xFFK\x02K\x03\x86K\x03K\x01\x86", "non-negative integers"),
        (b"K\x00J\xFF\xFF\xFF\xFFK\x03\x86K\x03K\x01\x86", "non-negative integers"),
        (b"K\x00K\x02K\x03\x86J\xFF\xFF\xFF\xFFK\x01\x86", "non-negative integers"),
        (b"K\x00\x88K\x03\x86K\x03K\x01\x86", "non-negative integers"),
        (b"K\x00K\x02K\x03\x86K\x03\x85", "2 sizes and 1 strides"),
        (&rank_65, "65 axes"),
        (b"K\x00\x8A\x06\0\0\0\0\0\x01\x85K\x00\x85", "too far"),
        (b"K\x00\x8A\x08\0\0\0\0\0\0\0\x40K\x08\x86K\x01K\x01\x86", "any machine's memory"),
    ];
    for (view, reason) in cases {
        refused(&zip_of(&[&tensor(ID, view)[..], b"."].concat(), &[]), reason);
    }
    // 2^20 elements of one, the most that a storage may be expanded to; two of them are too many together.
    let expanded = tensor(ID, b"K\x00J\0\0\x10\0\x85K\x00\x85");
    assert!(open_bytes(&zip_of(&[&expanded[..], b"."].concat(), &[])).is_ok());
    refused(&zip_of(&[&expanded[..], &expanded, b"\x86."].concat(), &[]), "far more elements");
}

/// A legacy file with one tensor of two float32 under the key `0`.
fn legacy_file(key_list: &[u8], view: &[u8], numel: i64) -> Vec<u8> {
    let id = with(ID, b"K\x06t", &[b"K\x02", view, b"t"].concat());
    let object = [&tensor(&id, b"K\x00K\x02\x85K\x01\x85")[..], b"."].concat();
    let head = legacy_of(&object);
    [&head[..head.len() - 2], key_list, b".", &numel.to_le_bytes(), &[0; 8]].concat()
}

#[test]
fn legacy_files_whose_storages_do_not_match() {
    let one: &[u8] = b"](X\x01\0\0\x000e";
    let good = legacy_file(one, b"N", 2);
    assert!(open_bytes(&good).is_ok());
    let with_view = |view: &[u8]| legacy_file(one, &[b"(X\x01\0\0\0v", view, b"t"].concat(), 2);
    let cases = [
        (legacy_file(b"]", b"N", 2), "differs from those that the tensors name"),
        (legacy_file(b"](X\x01\0\0\x000X\x01\0\0\x001e", b"N", 2), "differs from those"),
        (legacy_file(b"](X\x01\0\0\x000X\x01\0\0\x000e", b"N", 2), "differs from those"),
        (legacy_file(b"K\x01", b"N", 2), "not a list of keys"),
        (legacy_file(one, b"", 2), "in a form that PyTorch does not write"),
        (legacy_file(one, b"N", 3), "it has 3 elements, expected 2"),
        (legacy_file(one, b"N", -1), "it has -1 elements"),
        (with_view(b"K\x01K\x02"), "a part of a storage lies outside it"),
        (with_view(b"J\xFF\xFF\xFF\xFFK\x02"), "a part of a storage lies outside it"),
        ([&good[..], b"\0"].concat(), "1 bytes follow the last storage"),
        (with(&good, b"M\xE9\x03.", b"M\xEA\x03."), "the protocol version is not 1001"),
        (with(&good, b"M\xE9\x03.", b"cos\nsystem\n."), "os.system"),
    ];
    for (file, reason) in cases {
        refused(&file, reason);
    }
    for length in 15..good.len() {
        refused(&good[..length], "byte ");
    }
}

/// `file` with the two bytes at `at` of the central directory's first entry replaced.
fn central(file: &[u8], at: usize, new: u16) -> Vec<u8> {
    let mut file = file.to_vec();
    let entry = file.windows(4).position(|bytes| bytes == b"PK\x01\x02").unwrap();
    file[entry + at..entry + at + 2].copy_from_slice(&new.to_le_bytes());
    file
}

#[test]
fn zip_archives_that_two_readers_could_read_differently() {
    let file = zip_of(b"N.", &[("extra", b"x")]);
    assert_eq!(open_bytes(&file).unwrap().value, Value::None);
    let first = |from: &[u8], to: &[u8]| {
        let mut file = file.clone();
        let at = file.windows(from.len()).position(|bytes| bytes == from).unwrap();
        file[at..at + from.len()].copy_from_slice(to);
        file
    };
    let end = file.len() - 22;
    let counted = |count: u8| [&file[..end + 8], &[count, 0, count, 0], &file[end + 12..]].concat();
    let cases = [
        (with(&file, b"net/extra", b"net/../ab"), "the unsafe name"),
        (with(&file, b"net/extra", b"net/a\\bcd"), "the unsafe name"),
        (with(&file, b"net/extra", b"nut/extra"), "not in one folder"),
        (first(b"net/extra", b"net/other"), "not where the zip directory says"),
        (zip_of(b"N.", &[("version", b"3\n")]), "\"net/version\" is there twice"),
        (zip_of(b"N.", &[("Version", b"3\n")]), "\"net/Version\" is there twice"),
        (central(&file, 8, 0x0809), "encrypted"),
        (central(&file, 10, 99), "compression is not supported"),
        (central(&file, 16, 1), "the checksum does not match"),
        (central(&file, 24, 3), "two different sizes"),
        (central(&central(&file, 20, 200), 24, 200), "overlap"),
        (central(&central(&file, 20, 60_000), 24, 60_000), "not where the zip directory says"),
        (central(&file, 34, 1), "in several parts"),
        (central(&file, 42, 1), "not where the zip directory says"),
        (counted(5), "the two end records of the zip file differ"),
        (file[..end].into(), "the end of the zip file is missing"),
        (zip_of(b"N.", &[("constants.pkl", b"")]), "TorchScript"),
        (with(&file, b"net/version", b"net/verzion"), "expected a format of 1 to 10"),
        (zip_of(b"N.", &[("byteorder", b"middle")]), "unknown order"),
    ];
    for (file, reason) in cases {
        refused(&file, reason);
    }
    // A checksum of 0 is none: torch writes it when told to compute none.
    assert!(open_bytes(&central(&central(&file, 16, 0), 18, 0)).is_ok());
}

#[test]
fn safetensors_headers_that_lie() {
    let file = |header: &str, data: &[u8]| [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), data].concat();
    let of = |dtype: &str, shape: &str, end: usize, data: &[u8]| {
        file(&format!(r#"{{"w":{{"dtype":"{dtype}","shape":{shape},"data_offsets":[0,{end}]}}}}"#), data)
    };
    assert!(open_bytes(&of("F32", "[1]", 4, &[0; 4])).is_ok());
    let long = [&u64::MAX.to_le_bytes()[..], b"{"].concat();
    let cases = [
        (long, "byte 0: a header of 18446744073709551615 bytes"),
        (file("{", b""), "byte 8: the header is damaged"),
        (of("F32", "[1]", 4, &[0; 5]), "5 bytes of tensors follow, expected 4"),
        (of("F32", "[1]", 4, &[0; 3]), "3 bytes of tensors follow, expected 4"),
        (of("F32", "[2]", 4, &[0; 4]), "byte 8: the header is damaged"),
        (of("F32", "[0,18446744073709551615,18446744073709551615]", 0, &[]), "any machine's memory"),
        (of("F8_E8M0", "[1]", 1, &[0]), "not supported"),
        (of("BOOL", "[1]", 1, &[2]), "a bool is stored as a byte other than 0 and 1"),
    ];
    for (file, reason) in cases {
        refused(&file, reason);
    }
}
