//! Python's pickle format, as inert data: a machine that builds a graph of plain nodes from a fixed list of constructors.
//!
//! Nothing is looked up by name and nothing is called: a name outside the list ends the reading, or stays a mere name.

mod calls;
mod globals;
mod machine;
mod numpy;
pub(crate) mod opcode;
mod rebuild;
mod stack;
mod view;
mod walk;
pub(crate) mod write;

use std::collections::HashMap;

use indexmap::{IndexMap, IndexSet};

use crate::Dtype;
use crate::tensor::Flips;
use globals::Global;

pub(crate) use machine::{MAX_PICKLE, run};
pub(crate) use view::check_shape;

/// Which persistent ids a pickle may hold: the zip container's, the legacy container's with its sixth item, the keys of
/// a tar container's tensors, or none.
#[derive(Clone, Copy)]
pub(crate) enum Ids<'a> {
    None,
    Zip,
    Legacy,
    Tar(&'a HashMap<String, TensorSpec>),
}

/// What happens at the name of a class or function that weights do not need.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Unknown {
    /// The file is refused.
    Refuse,
    /// It becomes [`Value::Opaque`](crate::Value::Opaque).
    Keep,
}

/// The objects of one pickle. Objects refer to each other by index, so that sharing costs nothing, a cycle can be
/// represented, and dropping never recurses.
pub(crate) struct Graph {
    nodes: Vec<Node>,
    root: Ref,
    /// The storages that the pickle names, by key, in the order of first use.
    pub(crate) storages: IndexMap<String, StorageSpec>,
    /// The unknown names, in the order of first use.
    pub(crate) opaque: IndexSet<String>,
    unknown: Unknown,
}

/// The index of a node.
type Ref = usize;

/// The longest storage key, in bytes; PyTorch writes at most twenty digits.
const MAX_KEY: usize = 64;

/// What a pickle says about a storage.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct StorageSpec {
    /// None for bytes whose type the tensors say.
    pub(crate) dtype: Option<Dtype>,
    /// Elements, not bytes.
    pub(crate) numel: usize,
}

impl StorageSpec {
    /// Never overflows: a specification beyond the address space is refused where it is read.
    pub(crate) fn byte_length(&self) -> usize {
        self.numel * self.element_size()
    }

    fn element_size(&self) -> usize {
        self.dtype.map_or(1, Dtype::size)
    }
}

enum Node {
    None,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
    List(Vec<Ref>),
    Tuple(Vec<Ref>),
    Dict(DictKind, Vec<(Ref, Ref)>),
    Global(Global),
    Storage(Window),
    Tensor(Box<TensorSpec>),
    Set(Vec<Ref>),
    ByteArray(Vec<u8>),
    Complex(f64, f64),
    Size(Vec<i64>),
    Device(String),
    /// The type of a NumPy scalar.
    NumpyType(Dtype),
    Opaque(Box<OpaqueSpec>),
}

/// An object of an unknown class: what it is called with, filled with and built from.
struct OpaqueSpec {
    class: Global,
    arguments: Vec<Ref>,
    entries: Vec<(Ref, Ref)>,
    state: Option<Ref>,
}

#[derive(Clone, Copy, PartialEq)]
enum DictKind {
    Plain,
    Ordered,
    Counter,
}

/// A run of elements of a storage; legacy files may name a part of one.
#[derive(Clone, Copy)]
struct Window {
    /// The storage's index in [`Graph::storages`].
    storage: usize,
    dtype: Option<Dtype>,
    start: usize,
    numel: usize,
}

/// A tensor that is known to lie within its storage.
#[derive(Clone)]
pub(crate) struct TensorSpec {
    storage: usize,
    dtype: Dtype,
    offset: usize,
    shape: Vec<usize>,
    stride: Vec<usize>,
    requires_grad: bool,
    flips: Flips,
}

impl Graph {
    /// The integer that the whole pickle is, if it is one.
    pub(crate) fn integer(&self) -> Option<i128> {
        match self.nodes[self.root] {
            Node::Int(value) => Some(value),
            _ => None,
        }
    }

    /// The storage keys that the whole pickle is a list of, if it is one.
    pub(crate) fn keys(&self) -> Option<Vec<String>> {
        match &self.nodes[self.root] {
            Node::List(keys) => keys.iter().map(|key| self.nodes[*key].storage_key()).collect(),
            _ => None,
        }
    }

    /// The key, the second item and the type that the whole pickle is, if it is a tar container's note on a storage
    /// (key, location, class) or on a tensor (key, the storage's key, class).
    pub(crate) fn note(&self) -> Option<(String, String, Dtype)> {
        let Node::Tuple(items) = &self.nodes[self.root] else { return None };
        let [key, second, class] = items.as_slice() else { return None };
        match self.nodes[*class] {
            Node::Global(Global::StorageClass(Some(dtype)) | Global::TensorClass(Some(dtype))) => {
                Some((self.nodes[*key].storage_key()?, self.nodes[*second].storage_key()?, dtype))
            }
            _ => None,
        }
    }
}

impl Node {
    /// Storage keys are text; integers, which PyTorch also accepts, stand for their decimal text.
    fn storage_key(&self) -> Option<String> {
        match self {
            Node::Text(key) if key.len() <= MAX_KEY => Some(key.clone()),
            Node::Int(key) => Some(key.to_string()),
            _ => None,
        }
    }

    /// Whether it is immutable and holds no other object.
    fn is_plain(&self) -> bool {
        use Node::{Bool, Bytes, Complex, Device, Float, Int, None, Size, Text};
        matches!(self, None | Bool(_) | Int(_) | Float(_) | Text(_) | Bytes(_) | Complex(..) | Size(_) | Device(_))
            || matches!(self, Node::Global(Global::Dtype(_)))
    }

    fn kind(&self) -> &'static str {
        match self {
            Node::None => "None",
            Node::Bool(_) => "a bool",
            Node::Int(_) => "an int",
            Node::Float(_) => "a float",
            Node::Text(_) => "a text",
            Node::Bytes(_) => "bytes",
            Node::List(_) => "a list",
            Node::Tuple(_) => "a tuple",
            Node::Dict(..) => "a dict",
            Node::Global(_) => "a class or function",
            Node::Storage(_) => "a storage",
            Node::Tensor(_) => "a tensor",
            Node::Set(_) => "a set",
            Node::ByteArray(_) => "a bytearray",
            Node::Complex(..) => "a complex number",
            Node::Size(_) => "a torch.Size",
            Node::Device(_) => "a torch.device",
            Node::NumpyType(_) => "a numpy.dtype",
            Node::Opaque(_) => "an object of an unknown class",
        }
    }
}
