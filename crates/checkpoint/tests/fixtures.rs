//! The fixtures that PyTorch wrote, when they are at hand: all good ones as PyTorch reads them, all hostile ones refused.

use std::path::{Path, PathBuf};

use abbe_checkpoint::{Checkpoint, Tensor, Value, inspect, module_state_dict, open, read};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

/// The folder of fixtures with its manifest, or None with a message.
fn fixtures() -> Option<(PathBuf, Json)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/fixtures/pth");
    let Ok(manifest) = std::fs::read(folder.join("manifest.json")) else {
        println!("skipped: {} is not there", folder.display());
        return None;
    };
    Some((folder, serde_json::from_slice(&manifest).unwrap()))
}

/// What the manifest says of an object: every tensor and every plain value, in the order of iteration.
#[derive(Default)]
struct Listing {
    tensors: Vec<Json>,
    values: Vec<Json>,
    storages: Vec<Tensor>,
}

impl Listing {
    fn of(value: &Value) -> Self {
        let mut listing = Self::default();
        listing.add(value, &mut Vec::new());
        listing
    }

    fn add(&mut self, value: &Value, path: &mut Vec<Json>) {
        if let Value::Tensor(tensor) = value {
            return self.add_tensor(tensor, path);
        }
        let kind = kind(value);
        match children(value) {
            Some(children) => {
                self.values.push(json!({ "path": path, "type": kind, "len": children.len() }));
                for (key, child) in children {
                    path.push(key);
                    self.add(&child, path);
                    path.pop();
                }
            }
            None => self.values.push(json!({ "path": path, "type": kind, "value": plain(value) })),
        }
    }

    fn add_tensor(&mut self, tensor: &Tensor, path: &[Json]) {
        let known = self.storages.iter().position(|known| tensor.numel() > 0 && known.shares_storage(tensor));
        let storage = known.unwrap_or_else(|| {
            self.storages.push(tensor.clone());
            self.storages.len() - 1
        });
        self.tensors.push(json!({
            "path": path, "dtype": tensor.dtype().name(), "shape": tensor.shape(), "stride": tensor.stride(),
            "offset": tensor.offset(), "storage": storage, "requires_grad": tensor.requires_grad(),
            "sha256": format!("{:x}", Sha256::digest(tensor.to_contiguous_bytes())),
        }));
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::None => "NoneType",
        Value::Bool(_) => "bool",
        Value::Int(_) | Value::BigInt(_) => "int",
        Value::Float(_) => "float",
        Value::Text(_) => "str",
        Value::Bytes(_) => "bytes",
        Value::List(_) => "list",
        Value::Tuple(_) => "tuple",
        Value::Dict(_) => "dict",
        Value::OrderedDict(_) => "OrderedDict",
        Value::Counter(_) => "Counter",
        Value::Set(_) => "set",
        Value::ByteArray(_) => "bytearray",
        Value::Complex(..) => "complex",
        Value::Size(_) => "Size",
        Value::Device(_) => "device",
        Value::Dtype(_) => "dtype",
        Value::Tensor(_) | Value::Opaque(_) => panic!("{value:?} is no plain value"),
    }
}

fn children(value: &Value) -> Option<Vec<(Json, Value)>> {
    let indexed =
        |items: &[Value]| items.iter().cloned().enumerate().map(|(index, item)| (index.into(), item)).collect();
    match value {
        Value::List(items) | Value::Tuple(items) => Some(indexed(items)),
        Value::Size(sizes) => Some(indexed(&sizes.iter().copied().map(Value::Int).collect::<Vec<_>>())),
        other => Some(other.entries()?.iter().map(|(key, value)| (path_of(key), value.clone())).collect()),
    }
}

fn path_of(key: &Value) -> Json {
    match key {
        Value::Text(text) => text.clone().into(),
        Value::Int(number) => (*number).into(),
        Value::Tuple(items) => format!("({})", items.iter().map(integer).collect::<Vec<_>>().join(", ")).into(),
        other => panic!("no fixture has the key {other:?}"),
    }
}

fn integer(value: &Value) -> String {
    match value {
        Value::Int(number) => number.to_string(),
        Value::BigInt(number) => number.to_string(),
        other => panic!("{other:?} is no integer"),
    }
}

fn plain(value: &Value) -> Json {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    match value {
        Value::None => Json::Null,
        Value::Bool(value) => (*value).into(),
        Value::Text(text) | Value::Device(text) => text.clone().into(),
        Value::Float(value) => float_hex(*value).into(),
        Value::Bytes(bytes) | Value::ByteArray(bytes) => hex(bytes).into(),
        Value::Set(items) => format!("[{}]", items.iter().map(integer).collect::<Vec<_>>().join(", ")).into(),
        Value::Complex(real, imaginary) => format!("({real}{imaginary:+}j)").into(),
        Value::Dtype(dtype) => format!("torch.{dtype}").into(),
        other => integer(other).into(),
    }
}

/// Python's `float.hex`.
fn float_hex(value: f64) -> String {
    let sign = if value.is_sign_negative() { "-" } else { "" };
    let (exponent, fraction) = ((value.to_bits() >> 52 & 0x7FF) as i64, value.to_bits() & ((1 << 52) - 1));
    match (exponent, fraction) {
        (0, 0) => format!("{sign}0x0.0p+0"),
        (0x7FF, 0) => format!("{sign}inf"),
        (0, _) => format!("{sign}0x0.{fraction:013x}p-1022"),
        _ => format!("{sign}0x1.{fraction:013x}p{:+}", exponent - 1023),
    }
}

#[test]
fn every_good_fixture_reads_as_pytorch_reads_it() {
    let Some((folder, manifest)) = fixtures() else { return };
    let good = manifest["good"].as_array().unwrap();
    assert_eq!(good.len(), 55);
    for entry in good {
        let file = entry["file"].as_str().unwrap();
        let mut found = Listing::of(&read(folder.join(file)).unwrap());
        if file == "good/legacy_view.pth" {
            // PyTorch makes two storages over the same memory, one of which starts at element 2; here they are one.
            let view = &mut found.tensors[0];
            assert_eq!((&view["offset"], &found.storages.len()), (&json!(3), &1));
            view["offset"] = json!(1);
            found.tensors[1]["storage"] = json!(1);
        }
        assert_eq!(json!(found.tensors), entry["tensors"], "{file}");
        assert_eq!(json!(found.values), entry["values"], "{file}");
    }
}

/// A message names the entry or the byte, or what the whole file is instead of a checkpoint.
fn names_the_place(message: &str) -> bool {
    let number = |text: &str| text.starts_with(|letter: char| letter.is_ascii_digit());
    message.contains("entry ")
        || message.split("byte ").skip(1).any(number)
        || ["the file is empty", "an empty zip", "Git LFS", "a web page"].iter().any(|whole| message.contains(whole))
}

#[test]
fn every_hostile_fixture_is_refused_at_its_place() {
    let Some((folder, manifest)) = fixtures() else { return };
    let bad = manifest["bad"].as_array().unwrap();
    assert_eq!(bad.len(), 176);
    for entry in bad {
        let file = entry["file"].as_str().unwrap();
        match read(folder.join(file)) {
            Ok(_) => assert_eq!(entry["expect"], "either", "{file} was not refused"),
            Err(error) => assert!(names_the_place(&error.to_string()), "{file}: {error}"),
        }
        // Looking at it is harmless too, whether it is refused or listed.
        let _ = inspect(folder.join(file));
    }
}

#[test]
fn opaque_fixtures_are_refused_by_name_and_can_be_looked_at() {
    let Some((folder, manifest)) = fixtures() else { return };
    let opaque = manifest["opaque"].as_array().unwrap();
    assert_eq!(opaque.len(), 9);
    for entry in opaque {
        let file = entry["file"].as_str().unwrap();
        let path = folder.join(file);
        let Checkpoint { value, opaque, .. } = inspect(&path).unwrap();
        let message = open(&path).unwrap_err().to_string();
        assert!(opaque.iter().any(|name| message.contains(name)), "{file}: {opaque:?} {message}");
        let expected: Vec<_> = entry["tensors_if_read"].as_array().unwrap().iter().collect();
        let found = module_state_dict(&value).unwrap_or_else(|| tensors_of(&value));
        let found: Vec<_> = found.iter().map(|(name, tensor)| json!([[name], sha256(tensor)])).collect();
        let expected: Vec<_> = expected.iter().map(|tensor| json!([tensor["path"], tensor["sha256"]])).collect();
        assert_eq!(found, expected, "{file}");
    }
}

fn sha256(tensor: &Tensor) -> String {
    format!("{:x}", Sha256::digest(tensor.to_contiguous_bytes()))
}

/// The tensors directly in a dict.
fn tensors_of(value: &Value) -> abbe_checkpoint::StateDict {
    let tensor = |(key, value): &(Value, Value)| match (key, value) {
        (Value::Text(name), Value::Tensor(tensor)) => Some((name.clone(), tensor.clone())),
        _ => None,
    };
    value.entries().unwrap_or_default().iter().filter_map(tensor).collect()
}
