//! NumPy's scalars, which training scripts put beside the weights (`best_psnr`), as plain numbers. Its arrays stay unknown.

use super::calls::opaque;
use super::machine::Machine;
use super::{Node, Ref};
use crate::error::{Fault, refuse};
use crate::{Dtype, Tensor};

/// NumPy's names of the types whose scalars are read.
const TYPES: [(&str, Dtype); 12] = [
    ("f8", Dtype::F64),
    ("f4", Dtype::F32),
    ("f2", Dtype::F16),
    ("i8", Dtype::I64),
    ("i4", Dtype::I32),
    ("i2", Dtype::I16),
    ("i1", Dtype::I8),
    ("u8", Dtype::U64),
    ("u4", Dtype::U32),
    ("u2", Dtype::U16),
    ("u1", Dtype::U8),
    ("b1", Dtype::Bool),
];

impl Machine<'_> {
    /// `numpy.dtype(name, align, copy)`; its byte order follows with BUILD.
    pub(super) fn numpy_type(&mut self, arguments: &[Ref]) -> Result<Node, Fault> {
        let named = |name: &Ref| match &self.nodes[*name] {
            Node::Text(name) => TYPES.iter().find(|row| row.0 == name),
            _ => None,
        };
        match arguments.first().and_then(named) {
            Some((_, dtype)) => Ok(Node::NumpyType(*dtype)),
            None => Ok(opaque(self.unknown("numpy", "dtype")?, arguments.to_vec())),
        }
    }

    /// `scalar(dtype, bytes)`, the bytes little-endian.
    pub(super) fn numpy_scalar(&mut self, arguments: &[Ref]) -> Result<Node, Fault> {
        if let [dtype, bytes] = arguments
            && let (Node::NumpyType(dtype), Node::Bytes(bytes)) = (&self.nodes[*dtype], &self.nodes[*bytes])
        {
            return number(*dtype, bytes);
        }
        Ok(opaque(self.unknown("numpy.core.multiarray", "scalar")?, arguments.to_vec()))
    }

    /// The state of a type: `(version, byte order, ...)`; `|` is that of single bytes.
    pub(super) fn check_order(&self, state: Ref) -> Result<(), Fault> {
        let Node::Tuple(items) = &self.nodes[state] else { return refuse(BAD_ORDER) };
        match items.get(1).map(|order| &self.nodes[*order]) {
            Some(Node::Text(order)) if matches!(order.as_str(), "<" | "|" | "=") => Ok(()),
            _ => refuse(BAD_ORDER),
        }
    }
}

fn number(dtype: Dtype, bytes: &[u8]) -> Result<Node, Fault> {
    if bytes.len() != dtype.size() {
        return refuse(format!("a NumPy {dtype} has {} bytes; the file is damaged", bytes.len()));
    }
    let tensor = Tensor::contiguous(dtype, &[], bytes.to_vec());
    let integer = || tensor.to_i64().ok()?.first().copied();
    let number = match dtype {
        Dtype::Bool => integer().filter(|number| *number <= 1).map(|number| Node::Bool(number == 1)),
        dtype if dtype.is_float() => tensor.numbers().first().copied().map(Node::Float),
        _ => integer().map(|number| Node::Int(number.into())),
    };
    number.ok_or_else(|| Fault::Content(format!("a NumPy {dtype} is out of range; in Python, save a plain number")))
}

const BAD_ORDER: &str = "a NumPy type is not little-endian; in Python, save plain numbers";
