//! One state dict in PyTorch's containers and in safetensors: files of theirs read here, files of ours written and read back.

use abbe_checkpoint::{Container, Dtype, Tensor, Value, WriteOptions, open_bytes, read, state_dict_of, write};
use anyhow::Result;
use tempfile::TempDir;

use crate::check::{Check, Skip, Unit};

const PART: &str = "checkpoint";
const ZIP: &[u8] = include_bytes!("../golden/torch_zip.pth");
const LEGACY: &[u8] = include_bytes!("../golden/torch_legacy.pth");
const SAFETENSORS: &[u8] = include_bytes!("../golden/tensors.safetensors");

pub fn checks() -> Vec<Check> {
    let files = [
        ("read-zip", "torch.save of PyTorch 2.11.0", ZIP),
        ("read-legacy", "torch.save of PyTorch 2.11.0, legacy container", LEGACY),
        ("read-safetensors", "save_file of safetensors 0.8.0", SAFETENSORS),
    ];
    let reading = files.map(|(name, reference, bytes)| {
        Check::new(PART, name, reference, Unit::Count, || differing(&open_bytes(bytes)?.value))
    });
    let containers = [
        ("write-zip", Container::Zip),
        ("write-legacy", Container::Legacy),
        ("write-safetensors", Container::Safetensors),
    ];
    let writing = containers.map(|(name, container)| {
        Check::new(PART, name, "the same, written here and read back", Unit::Count, move || written(container))
    });
    reading.into_iter().chain(writing).collect()
}

/// A folder that is gone once it is dropped.
///
/// # Errors
/// [`Skip`], where there is no place for one.
pub fn folder() -> Result<TempDir> {
    let skip = |error| Skip(format!("no temporary folder ({error}): name a folder that can be written by TMPDIR"));
    Ok(tempfile::tempdir().map_err(skip)?)
}

/// What differs once PyTorch's tensors have been written and read here.
fn written(container: Container) -> Result<f64> {
    let folder = folder()?;
    let path = folder.path().join("selfcheck.pth");
    write(&path, &open_bytes(ZIP)?.value, &WriteOptions { container, ..WriteOptions::default() })?;
    differing(&read(&path)?)
}

/// How many tensors are not as `state_dict` in make.py has them, in name, type, shape or numbers.
fn differing(value: &Value) -> Result<f64> {
    let (found, expected) = (state_dict_of(value)?, expected());
    let is_there = |(name, dtype, shape, numbers): &(&str, Dtype, Vec<usize>, Vec<f64>)| {
        let is_it = |tensor: &Tensor| (tensor.dtype(), tensor.shape()) == (*dtype, shape) && values(tensor) == *numbers;
        found.get(*name).is_some_and(is_it)
    };
    let same = expected.iter().filter(|tensor| is_there(tensor)).count();
    Ok((found.len().max(expected.len()) - same) as f64)
}

/// All numbers; none where they cannot be converted.
fn values(tensor: &Tensor) -> Vec<f64> {
    let floats = tensor.to_f32().map(|numbers| numbers.into_iter().map(f64::from).collect());
    floats
        .or_else(|_| tensor.to_i64().map(|numbers| numbers.into_iter().map(|number| number as f64).collect()))
        .unwrap_or_default()
}

/// The tensors of make.py. Every type holds its numbers exactly.
fn expected() -> Vec<(&'static str, Dtype, Vec<usize>, Vec<f64>)> {
    let integers = Vec::from_iter((0..24).map(|k| f64::from(5 * k % 17 - 8)));
    let floats = Vec::from_iter(integers.iter().map(|number| number / 4.0));
    let turned = (0..4).flat_map(|c| (0..6).map(move |ab| 4 * ab + c)).map(|place| floats[place]).collect();
    let types = [("f32", Dtype::F32), ("f64", Dtype::F64), ("f16", Dtype::F16), ("bf16", Dtype::Bf16)];
    let mut tensors = Vec::from_iter(types.map(|(name, dtype)| (name, dtype, vec![2, 3, 4], floats.clone())));
    tensors.push(("turned", Dtype::F32, vec![4, 2, 3], turned));
    tensors.push(("part", Dtype::F32, vec![7], floats[5..12].to_vec()));
    tensors.push(("u8", Dtype::U8, vec![24], integers.iter().map(|number| number + 8.0).collect()));
    tensors.push(("i64", Dtype::I64, vec![24], integers));
    tensors.push(("steps", Dtype::I64, vec![], vec![7.0]));
    tensors
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_a_missing_and_a_further_tensor_are_counted() {
        let mut state = state_dict_of(&open_bytes(ZIP).unwrap().value).unwrap();
        assert_eq!(differing(&Value::from(&state)).unwrap(), 0.0);
        state.insert("f32".into(), Tensor::from_f32(&[2, 3, 4], &[0.5; 24]));
        assert_eq!(differing(&Value::from(&state)).unwrap(), 1.0);
        state.swap_remove("u8");
        assert_eq!(differing(&Value::from(&state)).unwrap(), 2.0);
        state.extend([("a", 1), ("b", 2)].map(|(name, number)| (name.into(), Tensor::from_i64(&[], &[number]))));
        assert_eq!(differing(&Value::from(&state)).unwrap(), 3.0);
    }
}
