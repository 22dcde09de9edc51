//! Persistent ids and tensors: every number is checked against the storage before anything is read or allocated.

use super::calls::opaque;
use super::globals::Global;
use super::machine::Machine;
use super::view::check_view;
use super::{Ids, Node, Ref, StorageSpec, TensorSpec, Window};
use crate::Dtype;
use crate::error::{Fault, refuse};
use crate::tensor::Flips;

impl Machine<'_> {
    /// A storage, in tar containers a tensor. In files with whole modules it may also be a class with its source, which
    /// is never looked at.
    pub(super) fn persistent(&mut self, id: Ref) -> Result<Node, Fault> {
        if let Ids::Tar(tensors) = self.ids {
            let tensor = self.nodes[id].storage_key().and_then(|key| tensors.get(&key));
            return match tensor {
                Some(tensor) => Ok(Node::Tensor(Box::new(tensor.clone()))),
                None => refuse("a tensor is named that the member \"tensors\" does not have; the file is damaged"),
            };
        }
        let Node::Tuple(items) = &self.nodes[id] else { return refuse(BAD_ID) };
        match (self.ids, items.as_slice()) {
            (Ids::Zip, &[tag, class, key, _, numel]) => self.storage([tag, class, key, numel], None),
            (Ids::Legacy, &[tag, class, key, _, numel, view]) => self.storage([tag, class, key, numel], Some(view)),
            (Ids::Legacy, &[_, class, _, _]) => match self.nodes[class] {
                Node::Global(class @ Global::Opaque(_)) => Ok(Node::Global(class)),
                _ => refuse(BAD_ID),
            },
            _ => refuse(BAD_ID),
        }
    }

    /// `('storage', class, key, location, numel)`, in legacy files with a sixth item: None or `(key, offset, numel)`.
    /// The location is ignored: everything is read into main memory.
    fn storage(&mut self, id: [Ref; 4], view: Option<Ref>) -> Result<Node, Fault> {
        let [tag, class, key, numel] = id.map(|item| &self.nodes[item]);
        let dtype = match class {
            Node::Global(Global::StorageClass(dtype)) => *dtype,
            Node::Global(class @ Global::Opaque(_)) => return Ok(opaque(*class, id.to_vec())),
            _ => return refuse(BAD_ID),
        };
        let (Node::Text(tag), Some(key)) = (tag, key.storage_key()) else { return refuse(BAD_ID) };
        if tag != "storage" {
            return refuse(BAD_ID);
        }
        let Some(spec) = count(numel).and_then(|numel| StorageSpec::new(dtype, numel)) else {
            return refuse(format!(
                "storage {key:?} has an impossible number of elements; the file is damaged or hostile"
            ));
        };
        let entry = self.storages.entry(key);
        let storage = entry.index();
        if *entry.or_insert(spec) != spec {
            return refuse("one storage is named with two types or lengths; the file is damaged or hostile");
        }
        let (start, numel) = match view {
            Some(view) => self.window(view, spec.numel)?,
            None => (0, spec.numel),
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

    /// `(storage, offset, size, stride)`, and from version 2 on `requires_grad, hooks`; then version 3 has the type; the
    /// last of either may be metadata. Hooks are ignored.
    pub(super) fn tensor(&mut self, version: Global, arguments: &[Ref]) -> Result<Node, Fault> {
        let (view, rest) = match (version, arguments) {
            (Global::RebuildTensor, [_, _, _, _]) => (arguments, &[][..]),
            (Global::RebuildTensorV2, [_, _, _, _, _, _] | [_, _, _, _, _, _, _]) => arguments.split_at(4),
            (Global::RebuildTensorV3, [_, _, _, _, _, _, _] | [_, _, _, _, _, _, _, _]) => arguments.split_at(4),
            _ => return refuse(format!("a tensor is made of {} arguments; the file is damaged", arguments.len())),
        };
        let &[storage, offset, size, stride] = view else { return refuse(BAD_VIEW) };
        let (dtype, metadata) = match version {
            Global::RebuildTensorV3 => (rest.get(2), rest.get(3)),
            _ => (None, rest.get(2)),
        };
        let window = self.typed(storage, dtype.copied())?;
        let (shape, stride) = (self.counts(size)?, self.counts(stride)?);
        let Some(offset) = count(&self.nodes[offset]) else { return refuse(BAD_VIEW) };
        let mut spec = TensorSpec::within(window, offset, shape, stride)?;
        if let Some(requires_grad) = rest.first() {
            spec.requires_grad = self.wants_gradient(*requires_grad, spec.dtype);
        }
        if let Some(metadata) = metadata {
            spec.flips = self.flips(*metadata, spec.dtype)?;
        }
        Ok(Node::Tensor(Box::new(spec)))
    }

    /// The storage as elements of a type: its own, or for bytes the one that the tensor has.
    fn typed(&self, storage: Ref, dtype: Option<Ref>) -> Result<(Window, Dtype), Fault> {
        let Node::Storage(window) = self.nodes[storage] else {
            return refuse(format!("a tensor is made from {}; the file is damaged", self.nodes[storage].kind()));
        };
        let dtype = dtype.map(|dtype| &self.nodes[dtype]);
        match (window.dtype, dtype) {
            (Some(dtype), None) => Ok((window, dtype)),
            (None, Some(Node::Global(Global::Dtype(dtype)))) if dtype.storage_class().is_none() => {
                let size = dtype.size();
                if window.start % size != 0 {
                    return refuse("a part of a storage starts within an element; the file is damaged");
                }
                Ok((Window { start: window.start / size, numel: window.numel / size, ..window }, *dtype))
            }
            _ => refuse("a tensor's type does not fit its storage's; the file is damaged or hostile"),
        }
    }

    /// PyTorch knows gradients of floats only, and refuses the flag elsewhere; ignoring it there is harmless.
    pub(super) fn wants_gradient(&self, flag: Ref, dtype: Dtype) -> bool {
        matches!(self.nodes[flag], Node::Bool(true)) && (dtype.is_float() || dtype.is_complex())
    }

    /// `{'conj': True}`, `{'neg': True}`: the stored numbers are still to be conjugated or negated.
    fn flips(&self, metadata: Ref, dtype: Dtype) -> Result<Flips, Fault> {
        let entries = match &self.nodes[metadata] {
            Node::None => return Ok(Flips::default()),
            Node::Dict(_, entries) => entries,
            other => return refuse(format!("a tensor's metadata is {}; the file is damaged", other.kind())),
        };
        let mut flips = Flips::default();
        for (key, value) in entries {
            match (&self.nodes[*key], &self.nodes[*value]) {
                (Node::Text(key), Node::Bool(value)) if key == "conj" && dtype.is_complex() => flips.conj = *value,
                (Node::Text(key), Node::Bool(value)) if key == "neg" && dtype.is_signed_by_bit() => flips.neg = *value,
                _ => return refuse("a tensor's metadata has other entries than 'conj' and 'neg'; save tensor.clone()"),
            }
        }
        Ok(flips)
    }

    fn counts(&mut self, tuple: Ref) -> Result<Vec<usize>, Fault> {
        if !matches!(self.nodes[tuple], Node::Tuple(_)) {
            return refuse(BAD_VIEW);
        }
        let counts = self.items(tuple)?.iter().map(|item| count(&self.nodes[*item])).collect::<Option<Vec<_>>>();
        counts.ok_or_else(|| Fault::Content(BAD_VIEW.into()))
    }
}

impl StorageSpec {
    /// None if its bytes would not fit into the address space.
    pub(crate) fn new(dtype: Option<Dtype>, numel: usize) -> Option<Self> {
        let spec = Self { dtype, numel };
        numel.checked_mul(spec.element_size()).is_some_and(|bytes| bytes < isize::MAX as usize).then_some(spec)
    }
}

impl TensorSpec {
    /// A tensor over the whole of a storage, the `storage`-th of its file.
    pub(crate) fn over(
        storage: usize,
        spec: StorageSpec,
        offset: usize,
        shape: Vec<usize>,
        stride: Vec<usize>,
    ) -> Result<Self, Fault> {
        let Some(dtype) = spec.dtype else { return refuse(BAD_VIEW) };
        let window = Window { storage, dtype: spec.dtype, start: 0, numel: spec.numel };
        Self::within((window, dtype), offset, shape, stride)
    }

    fn within(
        (window, dtype): (Window, Dtype),
        offset: usize,
        shape: Vec<usize>,
        stride: Vec<usize>,
    ) -> Result<Self, Fault> {
        check_view(&shape, &stride, offset, window.numel)?;
        let offset = if shape.contains(&0) { 0 } else { window.start + offset };
        let (requires_grad, flips) = (false, Flips::default());
        Ok(Self { storage: window.storage, dtype, offset, shape, stride, requires_grad, flips })
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
