//! From the graph to a tree of values, within bounds that hold whatever the graph shares or repeats.

use std::collections::HashSet;
use std::sync::Arc;

use super::globals::Global;
use super::rebuild::{MAX_EXPANSION, SMALL};
use super::{DictKind, Graph, Node, Ref, TensorSpec};
use crate::error::{Fault, refuse};
use crate::tensor::Storage;
use crate::{Tensor, Value};

/// Real checkpoints nest fewer than ten levels.
const MAX_DEPTH: usize = 100;

/// The most bytes that the tree may take, tensors' elements aside: a shared object is copied wherever it is used.
const MAX_BYTES: usize = 64 << 20;

impl Graph {
    /// The object as a value, with `storages` in the order of [`Graph::storages`].
    pub(crate) fn into_value(self, storages: &[Arc<Storage>]) -> Result<Value, Fault> {
        let named = self.storages.values().map(|spec| spec.numel.max(SMALL) as u128).sum::<u128>();
        let mut walk = Walk { graph: &self, storages, bytes: 0, elements: 0, most: MAX_EXPANSION * named };
        walk.value(self.root, 0)
    }
}

struct Walk<'a> {
    graph: &'a Graph,
    storages: &'a [Arc<Storage>],
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
            Node::List(items) => Value::List(self.values(items, depth)?),
            Node::Tuple(items) => Value::Tuple(self.values(items, depth)?),
            Node::Dict(kind, entries) => self.dict(*kind, entries, depth)?,
            Node::Global(Global::Dtype(dtype)) => Value::Text(format!("torch.{dtype}")),
            Node::Tensor(tensor) => Value::Tensor(self.tensor(tensor)?),
            Node::Global(_) | Node::Storage(_) => {
                return refuse(
                    "a class, function or bare storage stands where a value is expected; save plain values only",
                );
            }
        })
    }

    fn values(&mut self, items: &[Ref], depth: usize) -> Result<Vec<Value>, Fault> {
        items.iter().map(|item| self.value(*item, depth + 1)).collect()
    }

    fn dict(&mut self, kind: DictKind, entries: &[(Ref, Ref)], depth: usize) -> Result<Value, Fault> {
        let mut keys = HashSet::new();
        for (key, _) in entries {
            let key = match &self.graph.nodes[*key] {
                Node::Text(text) => format!("{text:?}"),
                Node::Int(value) => value.to_string(),
                _ => continue,
            };
            if let Some(twice) = keys.replace(key) {
                return refuse(format!("a dict has the key {twice} twice; the file is damaged or hostile"));
            }
        }
        let pair = |(key, value): &(Ref, Ref)| Ok((self.value(*key, depth + 1)?, self.value(*value, depth + 1)?));
        let entries = entries.iter().map(pair).collect::<Result<_, Fault>>()?;
        Ok(match kind {
            DictKind::Plain => Value::Dict(entries),
            DictKind::Ordered => Value::OrderedDict(entries),
            DictKind::Counter => Value::Counter(entries),
        })
    }

    fn tensor(&mut self, spec: &TensorSpec) -> Result<Tensor, Fault> {
        self.spend(2 * size_of_val(spec.shape.as_slice()))?;
        let storage = match self.storages.get(spec.storage) {
            Some(storage) => Arc::clone(storage),
            None => return refuse("a tensor's storage was not read"),
        };
        let TensorSpec { dtype, offset, .. } = *spec;
        let tensor = Tensor { dtype, offset, shape: spec.shape.clone(), stride: spec.stride.clone(), storage };
        self.elements += tensor.numel() as u128;
        if self.elements > self.most {
            return refuse("the tensors together name far more elements than the file holds; the file is hostile");
        }
        Ok(tensor)
    }

    fn spend(&mut self, bytes: usize) -> Result<(), Fault> {
        self.bytes += bytes;
        if self.bytes > MAX_BYTES {
            return refuse("its objects would take far more memory than a checkpoint needs; the file is hostile");
        }
        Ok(())
    }
}
