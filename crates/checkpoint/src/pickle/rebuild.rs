//! Persistent ids and tensors: every number is checked against the storage before anything is read or allocated.

use super::globals::Global;
use super::machine::Machine;
use super::{Ids, Node, Ref, StorageSpec, TensorSpec, Window};
use crate::error::{Fault, refuse};

/// As many axes as PyTorch's own iterators have.
const MAX_RANK: usize = 64;

/// An expanded tensor (stride 0) may name at most this many times the elements of its storage (or of a small one).
pub(super) const MAX_EXPANSION: u128 = 16;
/// What counts as a small storage.
pub(super) const SMALL: usize = 65_536;

impl Machine<'_> {
    /// `('storage', class, key, location, numel)`, in legacy files with a sixth item: None or `(key, offset, numel)`.
    /// The location is ignored: everything is read into main memory.
    pub(super) fn storage(&mut self, id: Ref) -> Result<Node, Fault> {
        let Node::Tuple(items) = &self.nodes[id] else { return refuse(BAD_ID) };
        let (items, view) = match (self.ids, items.as_slice()) {
            (Ids::Zip, [tag, class, key, _, numel]) => ([*tag, *class, *key, *numel], None),
            (Ids::Legacy, [tag, class, key, _, numel, view]) => ([*tag, *class, *key, *numel], Some(*view)),
            _ => return refuse(BAD_ID),
        };
        let [tag, class, key, numel] = items.map(|item| &self.nodes[item]);
        let (Node::Text(tag), Node::Global(Global::StorageClass(dtype)), Some(key)) = (tag, class, key.storage_key())
        else {
            return refuse(BAD_ID);
        };
        if tag != "storage" {
            return refuse(BAD_ID);
        }
        let dtype = *dtype;
        let Some(numel) =
            count(numel).filter(|numel| numel.checked_mul(dtype.size()).is_some_and(|n| n < isize::MAX as usize))
        else {
            return refuse(format!(
                "storage {key:?} has an impossible number of elements; the file is damaged or hostile"
            ));
        };
        let spec = StorageSpec { dtype, numel };
        let entry = self.storages.entry(key);
        let storage = entry.index();
        if *entry.or_insert(spec) != spec {
            return refuse("one storage is named with two types or lengths; the file is damaged or hostile");
        }
        let (start, numel) = match view {
            Some(view) => self.window(view, numel)?,
            None => (0, numel),
        };
        Ok(Node::Storage(Window { storage, dtype, start, numel }))
    }

    fn window(&self, view: Ref, numel: usize) -> Result<(usize, usize), Fault> {
        let view = match &self.nodes[view] {
            Node::None => return Ok((0, numel)),
            Node::Tuple(view) => view.as_slice(),
            _ => return refuse(BAD_ID),
        };
        let [_, start, length] = view else { return refuse(BAD_ID) };
        match (count(&self.nodes[*start]), count(&self.nodes[*length])) {
            (Some(start), Some(length)) if start.checked_add(length).is_some_and(|end| end <= numel) => {
                Ok((start, length))
            }
            _ => refuse("a part of a storage lies outside it; the file is damaged or hostile"),
        }
    }

    pub(super) fn tensor(&mut self, storage: Ref, offset: Ref, size: Ref, stride: Ref) -> Result<Node, Fault> {
        let Node::Storage(window) = self.nodes[storage] else {
            return refuse(format!("a tensor is made from {}; the file is damaged", self.nodes[storage].kind()));
        };
        let (shape, stride) = (self.counts(size)?, self.counts(stride)?);
        let Some(offset) = count(&self.nodes[offset]) else { return refuse(BAD_VIEW) };
        check_view(&shape, &stride, offset, window.numel)?;
        let offset = if shape.contains(&0) { 0 } else { window.start + offset };
        let Window { storage, dtype, .. } = window;
        Ok(Node::Tensor(Box::new(TensorSpec { storage, dtype, offset, shape, stride })))
    }

    fn counts(&mut self, tuple: Ref) -> Result<Vec<usize>, Fault> {
        if !matches!(self.nodes[tuple], Node::Tuple(_)) {
            return refuse(BAD_VIEW);
        }
        let counts = self.items(tuple)?.iter().map(|item| count(&self.nodes[*item])).collect::<Option<Vec<_>>>();
        counts.ok_or_else(|| Fault::Content(BAD_VIEW.into()))
    }
}

const BAD_ID: &str = "a storage is described in a form that PyTorch does not write; the file is damaged, or holds whole \
                      modules: in Python, torch.save(model.state_dict(), path)";
const BAD_VIEW: &str =
    "a tensor's offset, size or stride is not made of non-negative integers; the file is damaged or hostile";

/// A number of elements. Python's bools are not integers here.
fn count(node: &Node) -> Option<usize> {
    match node {
        Node::Int(value) => i64::try_from(*value).ok().and_then(|value| usize::try_from(value).ok()),
        _ => None,
    }
}

/// Checks that every element of a tensor lies within a storage of `numel` elements. 128 bits hold every product here.
fn check_view(shape: &[usize], stride: &[usize], offset: usize, numel: usize) -> Result<(), Fault> {
    if shape.len() != stride.len() || shape.len() > MAX_RANK {
        return refuse(format!(
            "a tensor has {} sizes and {} strides, expected as many, at most {MAX_RANK}; the file is damaged or hostile",
            shape.len(),
            stride.len()
        ));
    }
    let elements = shape.iter().fold(1u128, |product, size| product.saturating_mul((*size).max(1) as u128));
    if shape.contains(&0) && elements < isize::MAX as u128 {
        return Ok(());
    }
    let reach = shape.iter().zip(stride).map(|(size, step)| (*size as u128).saturating_sub(1) * *step as u128);
    let last = reach.fold(offset as u128, u128::saturating_add);
    if last >= numel as u128 {
        return refuse(format!(
            "a tensor of shape {shape:?}, stride {stride:?} and offset {offset} reaches beyond its storage of {numel} \
             elements; the file is damaged or hostile"
        ));
    }
    if elements > MAX_EXPANSION * numel.max(SMALL) as u128 {
        return refuse(format!(
            "a tensor of shape {shape:?} expands a storage of {numel} elements too far; the file is hostile"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_may_end_with_its_storage_and_not_after() {
        // Shape (2, 3), stride (4, 1): the last element is at offset + 1 * 4 + 2 * 1 = offset + 6.
        assert!(check_view(&[2, 3], &[4, 1], 1, 8).is_ok());
        assert!(check_view(&[2, 3], &[4, 1], 2, 8).is_err());
        assert!(check_view(&[], &[], 0, 1).is_ok());
        assert!(check_view(&[], &[], 0, 0).is_err());
    }

    #[test]
    fn overflow_and_expansion_are_refused() {
        assert!(check_view(&[usize::MAX, usize::MAX], &[usize::MAX, usize::MAX], 0, usize::MAX).is_err());
        assert!(check_view(&[1 << 40], &[0], 0, 6).is_err());
        assert!(check_view(&[3, 6], &[0, 1], 0, 6).is_ok());
        assert!(check_view(&[1; 65], &[1; 65], 0, 1).is_err());
    }

    #[test]
    fn an_empty_tensor_may_be_anywhere_but_not_of_any_shape() {
        assert!(check_view(&[0, 3], &[3, 1], 7, 0).is_ok());
        assert!(check_view(&[0, usize::MAX, usize::MAX], &[1, 1, 1], 0, 0).is_err());
    }
}
