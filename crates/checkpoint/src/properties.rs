//! Property tests: whatever is written is read back, and whatever is read is a value or an error.

use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::tensor::{Storage, contiguous_stride};
use crate::{Dtype, Tensor, Value, WriteOptions, inspect_bytes, open_bytes, write};

/// Every element type once.
const TYPES: [Dtype; 20] = [
    Dtype::F64,
    Dtype::F32,
    Dtype::F16,
    Dtype::Bf16,
    Dtype::I64,
    Dtype::I32,
    Dtype::I16,
    Dtype::I8,
    Dtype::U8,
    Dtype::Bool,
    Dtype::C64,
    Dtype::C128,
    Dtype::C32,
    Dtype::U16,
    Dtype::U32,
    Dtype::U64,
    Dtype::F8E4m3fn,
    Dtype::F8E5m2,
    Dtype::F8E4m3fnuz,
    Dtype::F8E5m2fnuz,
];

prop_compose! {
    /// A tensor of up to three axes (scalars and empty ones too) with random bits. In its storage an axis may be stepped
    /// over, expanded or swapped, elements may come before and after, and none may be there when the tensor is empty.
    fn tensor()(
        dtype in select(&TYPES[..]),
        shape in prop::collection::vec(0usize..4, 0..4),
        step in 0usize..3,
        (offset, after) in (0usize..3, 0usize..3),
        is_transposed: bool,
        requires_grad: bool,
        seed in prop::collection::vec(any::<u8>(), 1..32),
    ) -> Tensor {
        let mut stride: Vec<_> = contiguous_stride(&shape).iter().map(|wide| wide * step).collect();
        if is_transposed {
            stride.reverse();
        }
        let is_empty = shape.contains(&0);
        let reach: usize = shape.iter().zip(&stride).map(|(size, step)| size.saturating_sub(1) * step).sum();
        let numel = if is_empty { after } else { offset + reach + 1 + after };
        let byte = |byte: &u8| if dtype == Dtype::Bool { byte & 1 } else { *byte };
        let bytes = seed.iter().cycle().take(numel * dtype.size()).map(byte).collect();
        let requires_grad = requires_grad && (dtype.is_float() || dtype.is_complex());
        let offset = if is_empty { 0 } else { offset };
        Tensor { dtype, shape, stride, offset, requires_grad, storage: Arc::new(Storage { bytes }) }
    }
}

/// What can be a key, other than tuples.
fn key() -> impl Strategy<Value = Value> {
    prop_oneof![any::<i64>().prop_map(Value::Int), ".{0,8}".prop_map(Value::Text)]
}

fn leaf() -> impl Strategy<Value = Value> {
    let bytes = || prop::collection::vec(any::<u8>(), 1..9);
    // A NaN is not equal to itself; the others are compared by value, and Python's floats are the same ones.
    let float = || any::<f64>().prop_filter("a number", |value| !value.is_nan());
    prop_oneof![
        Just(Value::None),
        any::<bool>().prop_map(Value::Bool),
        key(),
        any::<i128>().prop_map(|value| i64::try_from(value).map_or(Value::BigInt(value), Value::Int)),
        float().prop_map(Value::Float),
        (float(), float()).prop_map(|(real, imaginary)| Value::Complex(real, imaginary)),
        bytes().prop_map(Value::Bytes),
        bytes().prop_map(Value::ByteArray),
        Just(Value::ByteArray(Vec::new())),
        prop::collection::vec(any::<i64>(), 0..4).prop_map(Value::Size),
        select(&["cpu", "cuda:1", "mps"][..]).prop_map(|name| Value::Device(name.into())),
        select(&TYPES[..]).prop_map(Value::Dtype),
        prop::collection::hash_set(any::<i64>(), 0..4)
            .prop_map(|items| items.into_iter().map(Value::Int).collect())
            .prop_map(Value::Set),
        tensor().prop_map(Value::Tensor),
    ]
}

fn entries(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Vec<(Value, Value)>> {
    prop::collection::vec((key(), value), 0..5).prop_map(|mut entries| {
        let mut seen = std::collections::HashSet::new();
        entries.retain(|(key, _)| seen.insert(format!("{key:?}")));
        entries
    })
}

fn value() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::List),
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Tuple),
            entries(inner.clone()).prop_map(Value::Dict),
            entries(inner.clone()).prop_map(Value::Counter),
            entries(inner.clone()).prop_map(Value::OrderedDict),
            // The same object twice: a tensor then shares its storage.
            inner.prop_map(|twice| Value::List(vec![twice.clone(), twice])),
        ]
    })
}

fn tensors<'a>(value: &'a Value, found: &mut Vec<&'a Tensor>) {
    match value {
        Value::Tensor(tensor) => found.push(tensor),
        Value::List(items) | Value::Tuple(items) => items.iter().for_each(|item| tensors(item, found)),
        other => other.entries().unwrap_or_default().iter().for_each(|(_, value)| tensors(value, found)),
    }
}

/// For each pair of tensors whether they share a storage.
fn sharing(value: &Value) -> Vec<bool> {
    let mut found = Vec::new();
    tensors(value, &mut found);
    let pairs = found.iter().flat_map(|one| found.iter().map(|other| one.shares_storage(other)));
    pairs.collect()
}

/// The crate's own fixtures; each is read as it is.
fn fixtures() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// One change of a file: bits flipped, a piece cut out, bytes put in, or a piece of it copied elsewhere.
#[derive(Clone, Debug)]
enum Change {
    Flip(Index, u8),
    Cut(Index, usize),
    Insert(Index, Vec<u8>),
    Splice(Index, Index, usize),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (any::<Index>(), 1u8..).prop_map(|(at, bits)| Change::Flip(at, bits)),
        (any::<Index>(), 1usize..200).prop_map(|(at, length)| Change::Cut(at, length)),
        (any::<Index>(), prop::collection::vec(any::<u8>(), 1..20)).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        (any::<Index>(), any::<Index>(), 1usize..200).prop_map(|(from, to, length)| Change::Splice(from, to, length)),
    ]
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    if bytes.is_empty() {
        return;
    }
    let end = |at: usize, length: usize| (at + length).min(bytes.len());
    match change {
        Change::Flip(at, bits) => {
            let at = at.index(bytes.len());
            bytes[at] ^= bits;
        }
        Change::Cut(at, length) => {
            let at = at.index(bytes.len());
            bytes.drain(at..end(at, *length));
        }
        Change::Insert(at, new) => {
            let at = at.index(bytes.len());
            bytes.splice(at..at, new.iter().copied());
        }
        Change::Splice(from, to, length) => {
            let (from, to) = (from.index(bytes.len()), to.index(bytes.len()));
            let piece = bytes[from..end(from, *length)].to_vec();
            bytes.splice(to..end(to, *length), piece);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn any_tree_of_values_survives_a_round_trip(value in value()) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("value.pth");
        write(&path, &value, &WriteOptions::default()).unwrap();
        let found = crate::read(&path).unwrap();
        prop_assert_eq!(&found, &value);
        prop_assert_eq!(sharing(&found), sharing(&value));
    }

    #[test]
    fn any_change_of_a_good_file_gives_a_value_or_an_error(
        which in any::<Index>(),
        changes in prop::collection::vec(change(), 1..4),
    ) {
        let mut files = fixtures();
        let mut bytes = files.swap_remove(which.index(files.len()));
        changes.iter().for_each(|change| apply(&mut bytes, change));
        let strict = open_bytes(&bytes);
        let lenient = inspect_bytes(&bytes);
        prop_assert!(strict.is_err() || lenient.is_ok());
    }
}

#[test]
fn the_crate_s_own_fixtures_are_read() {
    assert_eq!(fixtures().iter().filter(|bytes| open_bytes(bytes).is_ok()).count(), 7);
    assert!(fixtures().iter().all(|bytes| inspect_bytes(bytes).is_ok()));
}
