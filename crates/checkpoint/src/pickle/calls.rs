//! REDUCE and NEWOBJ: what the names of the fixed list make of their arguments.

use super::globals::Global;
use super::machine::Machine;
use super::opcode::NEWOBJ;
use super::{DictKind, Node, OpaqueSpec, Ref};
use crate::error::{Fault, refuse};

impl Machine<'_> {
    pub(super) fn call(&mut self, opcode: u8) -> Result<(), Fault> {
        let (arguments, function) = (self.pop()?, self.pop()?);
        let Node::Global(global) = self.nodes[function] else {
            return refuse(format!("{} is called; the file is damaged or hostile", self.nodes[function].kind()));
        };
        if opcode == NEWOBJ && !matches!(global, Global::OrderedDict | Global::Opaque(_)) {
            return refuse("an object of a class other than OrderedDict is made; the file is damaged or hostile");
        }
        let arguments = self.items(arguments)?;
        let node = self.make(global, &arguments)?;
        self.push(node);
        Ok(())
    }

    fn make(&mut self, global: Global, arguments: &[Ref]) -> Result<Node, Fault> {
        match (global, arguments) {
            (Global::OrderedDict, []) => Ok(Node::Dict(DictKind::Ordered, Vec::new())),
            (Global::OrderedDict, [pairs]) => self.ordered_dict(*pairs),
            (Global::Counter, []) => Ok(Node::Dict(DictKind::Counter, Vec::new())),
            (Global::Counter, [counts]) => self.counter(*counts),
            (Global::RebuildTensor | Global::RebuildTensorV2 | Global::RebuildTensorV3, _) => {
                self.tensor(global, arguments)
            }
            (Global::RebuildParameter, [tensor, requires_grad, _] | [tensor, requires_grad, _, _]) => {
                self.parameter(*tensor, *requires_grad)
            }
            (Global::RebuildFromType, [function, class, inner, _]) => self.tensor_of_class(*function, *class, *inner),
            (Global::Size, [sizes]) => self.size(*sizes),
            (Global::Device, [name] | [name, _]) => self.device(*name, arguments.get(1)),
            (Global::Encode, [text, codec]) => self.encode(*text, *codec),
            (Global::Bytes, []) => Ok(Node::Bytes(Vec::new())),
            (Global::ByteArray, []) => Ok(Node::ByteArray(Vec::new())),
            (Global::ByteArray, [bytes]) => self.byte_array(*bytes),
            (Global::Set, []) => Ok(Node::Set(Vec::new())),
            (Global::Set, [items]) => self.set(*items),
            (Global::Complex, [real, imaginary]) => self.complex(*real, *imaginary),
            (Global::NumpyScalar, _) => self.numpy_scalar(arguments),
            (Global::NumpyType, _) => self.numpy_type(arguments),
            (Global::Opaque(_), _) => Ok(opaque(global, arguments.to_vec())),
            _ => refuse(format!(
                "{} is given {} arguments that do not fit it; the file is damaged",
                global.name(&[]),
                arguments.len()
            )),
        }
    }

    /// `_rebuild_from_type_v2(function, class, arguments, state)`: a tensor with attributes, which are left out.
    fn tensor_of_class(&mut self, function: Ref, class: Ref, inner: Ref) -> Result<Node, Fault> {
        let inner = self.items(inner)?;
        match (&self.nodes[function], &self.nodes[class]) {
            (
                Node::Global(function @ (Global::RebuildTensor | Global::RebuildTensorV2 | Global::RebuildTensorV3)),
                Node::Global(Global::TensorClass(None)),
            ) => self.tensor(*function, &inner),
            (_, Node::Global(class @ Global::Opaque(_))) => Ok(opaque(*class, inner)),
            _ => refuse("a tensor of another class than torch.Tensor is made; in Python, save plain tensors"),
        }
    }

    /// A `Parameter` is its tensor; only the parameter says whether gradients are wanted.
    fn parameter(&mut self, tensor: Ref, requires_grad: Ref) -> Result<Node, Fault> {
        let Node::Tensor(spec) = &self.nodes[tensor] else {
            return refuse(format!("a Parameter is made of {}; the file is damaged", self.nodes[tensor].kind()));
        };
        let mut spec = spec.clone();
        spec.requires_grad = self.wants_gradient(requires_grad, spec.dtype);
        self.spend(spec.shape.len())?;
        Ok(Node::Tensor(spec))
    }

    /// A tuple's or list's items, copied, and counted as work because a few bytes can ask for many copies.
    pub(super) fn items(&mut self, sequence: Ref) -> Result<Vec<Ref>, Fault> {
        let items = match &self.nodes[sequence] {
            Node::Tuple(items) | Node::List(items) => items.clone(),
            other => return refuse(format!("expected a tuple or list, found {}; the file is damaged", other.kind())),
        };
        self.spend(items.len())?;
        Ok(items)
    }

    /// Python 2 passes the entries as a list of lists of two.
    fn ordered_dict(&mut self, pairs: Ref) -> Result<Node, Fault> {
        let mut entries = Vec::new();
        for pair in self.items(pairs)? {
            match self.items(pair)?.as_slice() {
                [key, value] => entries.push(self.entry(*key, *value)?),
                _ => return refuse("an OrderedDict is made of items that are not pairs; the file is damaged"),
            }
        }
        Ok(Node::Dict(DictKind::Ordered, entries))
    }

    fn counter(&mut self, counts: Ref) -> Result<Node, Fault> {
        let entries = match &self.nodes[counts] {
            Node::Dict(_, entries) => entries.clone(),
            other => return refuse(format!("a Counter is made of {}; the file is damaged", other.kind())),
        };
        self.spend(entries.len())?;
        Ok(Node::Dict(DictKind::Counter, entries))
    }

    fn set(&mut self, items: Ref) -> Result<Node, Fault> {
        let items = self.items(items)?;
        items.iter().try_for_each(|item| self.check_key(*item))?;
        Ok(Node::Set(items))
    }

    fn size(&mut self, sizes: Ref) -> Result<Node, Fault> {
        let sizes = self.items(sizes)?.into_iter().map(|item| match self.nodes[item] {
            Node::Int(size) => i64::try_from(size).ok(),
            _ => None,
        });
        match sizes.collect() {
            Some(sizes) => Ok(Node::Size(sizes)),
            None => refuse("a torch.Size is not made of integers; the file is damaged"),
        }
    }

    fn complex(&self, real: Ref, imaginary: Ref) -> Result<Node, Fault> {
        match (&self.nodes[real], &self.nodes[imaginary]) {
            (Node::Float(real), Node::Float(imaginary)) => Ok(Node::Complex(*real, *imaginary)),
            _ => refuse("a complex number is not made of two floats; the file is damaged"),
        }
    }

    fn byte_array(&mut self, bytes: Ref) -> Result<Node, Fault> {
        let bytes = match &self.nodes[bytes] {
            Node::Bytes(bytes) => bytes.clone(),
            other => return refuse(format!("a bytearray is made of {}; the file is damaged", other.kind())),
        };
        self.spend(bytes.len() / 64)?;
        Ok(Node::ByteArray(bytes))
    }

    fn device(&self, name: Ref, index: Option<&Ref>) -> Result<Node, Fault> {
        let device = match (&self.nodes[name], index.map(|index| &self.nodes[*index])) {
            (Node::Text(name), None) => name.split_once(':').map_or(Some((name.as_str(), None)), |(name, index)| {
                Some((name, Some(index.parse().ok().filter(|number: &i128| number.to_string() == index)?)))
            }),
            (Node::Text(name), Some(Node::Int(index))) => Some((name.as_str(), Some(*index))),
            _ => None,
        };
        match device {
            Some((name, None)) if DEVICES.contains(&name) => Ok(Node::Device(name.into())),
            Some((name, Some(index @ 0..=127))) if DEVICES.contains(&name) => {
                Ok(Node::Device(format!("{name}:{index}")))
            }
            _ => refuse("a device is not a name that PyTorch knows with an index of 0 to 127; the file is damaged"),
        }
    }

    /// Protocol 2 has no bytes: it writes them as the text whose Latin-1 encoding they are.
    fn encode(&mut self, text: Ref, codec: Ref) -> Result<Node, Fault> {
        let bytes = match (&self.nodes[text], &self.nodes[codec]) {
            (Node::Text(text), Node::Text(codec)) if codec == "latin1" => {
                text.chars().map(|letter| u8::try_from(letter).ok()).collect::<Option<Vec<_>>>()
            }
            _ => None,
        };
        let Some(bytes) = bytes else { return refuse("bytes are not written as Latin-1 text; the file is damaged") };
        self.spend(bytes.len() / 64)?;
        Ok(Node::Bytes(bytes))
    }
}

/// The types of device that PyTorch 2.11 knows.
const DEVICES: [&str; 20] = [
    "cpu",
    "cuda",
    "ipu",
    "xpu",
    "mkldnn",
    "opengl",
    "opencl",
    "ideep",
    "hip",
    "ve",
    "fpga",
    "maia",
    "xla",
    "lazy",
    "vulkan",
    "mps",
    "meta",
    "hpu",
    "mtia",
    "privateuseone",
];

pub(super) fn opaque(class: Global, arguments: Vec<Ref>) -> Node {
    Node::Opaque(Box::new(OpaqueSpec { class, arguments, entries: Vec::new(), state: None }))
}
