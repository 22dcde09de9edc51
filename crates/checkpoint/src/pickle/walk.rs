//! From the graph to a tree of values, within bounds that hold whatever the graph shares or repeats.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::globals::Global;
use super::view::{MAX_EXPANSION, SMALL};
use super::{DictKind, Graph, Node, OpaqueSpec, Ref, TensorSpec, Unknown};
use crate::error::{Fault, refuse};
use crate::tensor::{Flips, Storage};
use crate::value::Opaque;
use crate::{Dtype, Tensor, Value};

/// Real checkpoints nest fewer than ten levels.
pub(super) const MAX_DEPTH: usize = 100;

/// The most bytes that the tree may take, tensors' elements aside: a shared object is copied wherever it is used.
const MAX_BYTES: usize = 64 << 20;

impl Graph {
    /// The object as a value, with `storages` in the order of [`Graph::storages`].
    pub(crate) fn into_value(self, storages: &[Arc<Storage>]) -> Result<Value, Fault> {
        let named = self.storages.values().map(|spec| spec.numel.max(SMALL) as u128).sum::<u128>();
        let names = self.opaque.iter().cloned().collect();
        let most = MAX_EXPANSION * named;
        let mut walk = Walk { graph: &self, names, storages, flipped: HashMap::new(), bytes: 0, elements: 0, most };
        walk.value(self.root, 0)
    }
}

struct Walk<'a> {
    graph: &'a Graph,
    /// The unknown names.
    names: Vec<String>,
    storages: &'a [Arc<Storage>],
    /// Conjugated and negated storages, each made once.
    flipped: HashMap<(usize, Dtype, Flips), Arc<Storage>>,
    bytes: usize,
    elements: u128,
    most: u128,
}

impl Walk<'_> {
    /// Recursion ends at [`MAX_DEPTH`]; an object that contains itself ends there too.
    fn value(&mut self, object: Ref, depth: usize) -> Result<Value, Fault> {
        if depth > MAX_DEPTH {
            return refuse(format!(
                "objects are nested more than {MAX_DEPTH} levels deep or contain themselves; the file is hostile"
            ));
        }
        self.spend(size_of::<Value>())?;
        let graph = self.graph;
        Ok(match &graph.nodes[object] {
            Node::None => Value::None,
            Node::Bool(value) => Value::Bool(*value),
            Node::Int(value) => i64::try_from(*value).map_or(Value::BigInt(*value), Value::Int),
            Node::Float(value) => Value::Float(*value),
            Node::Text(text) => {
                self.spend(text.len())?;
                Value::Text(text.clone())
            }
            Node::Bytes(bytes) => {
                self.spend(bytes.len())?;
                Value::Bytes(bytes.clone())
            }
            Node::ByteArray(bytes) => {
                self.spend(bytes.len())?;
                Value::ByteArray(bytes.clone())
            }
            Node::Size(sizes) => {
                self.spend(size_of_val(sizes.as_slice()))?;
                Value::Size(sizes.clone())
            }
            Node::Complex(real, imaginary) => Value::Complex(*real, *imaginary),
            Node::Device(name) => Value::Device(name.clone()),
            Node::List(items) => Value::List(self.values(items, depth)?),
            Node::Tuple(items) => Value::Tuple(self.values(items, depth)?),
            Node::Set(items) => Value::Set(self.values(items, depth)?),
            Node::Dict(kind, entries) => self.dict(*kind, entries, depth)?,
            Node::Global(Global::Dtype(dtype)) => Value::Dtype(*dtype),
            Node::Tensor(tensor) => Value::Tensor(self.tensor(tensor)?),
            Node::Opaque(spec) => self.opaque(spec, depth)?,
            Node::Global(global) => self.bare(*global)?,
            Node::NumpyType(_) => self.bare(Global::NumpyType)?,
            Node::Storage(window) => self.bare(Global::StorageClass(window.dtype))?,
        })
    }

    /// A class, a function or a storage by itself, which is no plain value.
    fn bare(&mut self, global: Global) -> Result<Value, Fault> {
        let class = global.name(&self.names);
        if self.graph.unknown == Unknown::Refuse {
            return refuse(format!("{class:?} stands where a value is expected; in Python, save plain values only"));
        }
        self.opaque(&OpaqueSpec { class: global, arguments: Vec::new(), entries: Vec::new(), state: None }, 0)
    }

    fn opaque(&mut self, spec: &OpaqueSpec, depth: usize) -> Result<Value, Fault> {
        let class = spec.class.name(&self.names);
        self.spend(size_of::<Opaque>() + class.len())?;
        let arguments = self.values(&spec.arguments, depth)?;
        let entries = self.entries(&spec.entries, depth)?;
        let state = spec.state.map(|state| self.value(state, depth + 1)).transpose()?;
        Ok(Value::Opaque(Box::new(Opaque { class, arguments, entries, state })))
    }

    fn values(&mut self, items: &[Ref], depth: usize) -> Result<Vec<Value>, Fault> {
        items.iter().map(|item| self.value(*item, depth + 1)).collect()
    }

    fn dict(&mut self, kind: DictKind, entries: &[(Ref, Ref)], depth: usize) -> Result<Value, Fault> {
        let mut keys = HashSet::new();
        for (key, _) in entries {
            // In Python 1, True and 1.0 are one key.
            let key = match &self.graph.nodes[*key] {
                Node::Text(text) => format!("{text:?}"),
                Node::Bool(value) => u8::from(*value).to_string(),
                Node::Int(value) => value.to_string(),
                Node::Float(value) => value.to_string(),
                _ => continue,
            };
            if let Some(twice) = keys.replace(key) {
                return refuse(format!("a dict has the key {twice} twice; the file is damaged or hostile"));
            }
        }
        let entries = self.entries(entries, depth)?;
        Ok(match kind {
            DictKind::Plain => Value::Dict(entries),
            DictKind::Ordered => Value::OrderedDict(entries),
            DictKind::Counter => Value::Counter(entries),
        })
    }

    fn entries(&mut self, entries: &[(Ref, Ref)], depth: usize) -> Result<Vec<(Value, Value)>, Fault> {
        let pair = |(key, value): &(Ref, Ref)| Ok((self.value(*key, depth + 1)?, self.value(*value, depth + 1)?));
        entries.iter().map(pair).collect()
    }

    fn tensor(&mut self, spec: &TensorSpec) -> Result<Tensor, Fault> {
        self.spend(2 * size_of_val(spec.shape.as_slice()))?;
        let storage = self.storage(spec)?;
        let TensorSpec { dtype, offset, requires_grad, .. } = *spec;
        let (shape, stride) = (spec.shape.clone(), spec.stride.clone());
        let tensor = Tensor { dtype, shape, stride, offset, requires_grad, storage };
        self.elements += tensor.numel() as u128;
        if self.elements > self.most {
            return refuse("the tensors together name far more elements than the file holds; the file is hostile");
        }
        Ok(tensor)
    }

    fn storage(&mut self, spec: &TensorSpec) -> Result<Arc<Storage>, Fault> {
        let Some(storage) = self.storages.get(spec.storage) else { return refuse("a tensor's storage was not read") };
        if spec.flips == Flips::default() {
            return Ok(Arc::clone(storage));
        }
        let flipped = self.flipped.entry((spec.storage, spec.dtype, spec.flips));
        Ok(Arc::clone(flipped.or_insert_with(|| Arc::new(storage.flipped(spec.dtype, spec.flips)))))
    }

    fn spend(&mut self, bytes: usize) -> Result<(), Fault> {
        self.bytes += bytes;
        if self.bytes > MAX_BYTES {
            return refuse("its objects would take far more memory than a checkpoint needs; the file is hostile");
        }
        Ok(())
    }
}
