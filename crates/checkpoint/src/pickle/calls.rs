//! REDUCE and NEWOBJ: what the names of the fixed list make of their arguments.

use super::globals::Global;
use super::machine::Machine;
use super::opcode::NEWOBJ;
use super::{DictKind, Node, Ref};
use crate::error::{Fault, refuse};

impl Machine<'_> {
    pub(super) fn call(&mut self, opcode: u8) -> Result<(), Fault> {
        let (arguments, function) = (self.pop()?, self.pop()?);
        let Node::Global(global) = self.nodes[function] else {
            return refuse(format!("{} is called; the file is damaged or hostile", self.nodes[function].kind()));
        };
        if opcode == NEWOBJ && global != Global::OrderedDict {
            return refuse("an object of a class other than OrderedDict is made; the file is damaged or hostile");
        }
        let arguments = self.items(arguments)?;
        match (global, arguments.as_slice()) {
            // These give an object that exists: the tensor without its requires_grad flag, the tuple, the list.
            (Global::RebuildParameter, [tensor, _, _] | [tensor, _, _, _])
                if matches!(self.nodes[*tensor], Node::Tensor(_)) =>
            {
                self.push_again(*tensor);
            }
            (Global::Size, [sizes]) if matches!(self.nodes[*sizes], Node::Tuple(_)) => self.push_again(*sizes),
            (Global::Set, [items]) if matches!(self.nodes[*items], Node::List(_)) => self.push_again(*items),
            (Global::ByteArray, [bytes]) if matches!(self.nodes[*bytes], Node::Bytes(_)) => self.push_again(*bytes),
            _ => {
                let node = self.make(global, &arguments)?;
                self.push(node);
            }
        }
        Ok(())
    }

    fn make(&mut self, global: Global, arguments: &[Ref]) -> Result<Node, Fault> {
        match (global, arguments) {
            (Global::OrderedDict, []) => Ok(Node::Dict(DictKind::Ordered, Vec::new())),
            (Global::OrderedDict, [pairs]) => self.ordered_dict(*pairs),
            (Global::Counter, []) => Ok(Node::Dict(DictKind::Counter, Vec::new())),
            (Global::Counter, [counts]) => self.counter(*counts),
            (Global::RebuildTensor, [storage, offset, size, stride])
            | (Global::RebuildTensorV2, [storage, offset, size, stride, _, _]) => {
                self.tensor(*storage, *offset, *size, *stride)
            }
            (Global::RebuildTensorV2, [storage, offset, size, stride, _, _, metadata]) => {
                match &self.nodes[*metadata] {
                    Node::None => self.tensor(*storage, *offset, *size, *stride),
                    Node::Dict(_, flags) if flags.is_empty() => self.tensor(*storage, *offset, *size, *stride),
                    _ => {
                        refuse("lazily conjugated or negated tensors are not supported; in Python, save tensor.clone()")
                    }
                }
            }
            (Global::Device, [name] | [name, _]) => self.device(*name, arguments.get(1)),
            (Global::Encode, [text, codec]) => self.encode(*text, *codec),
            (Global::Bytes | Global::ByteArray, []) => Ok(Node::Bytes(Vec::new())),
            _ => refuse(format!(
                "a constructor is given {} arguments that do not fit it; the file is damaged",
                arguments.len()
            )),
        }
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

    fn device(&self, name: Ref, index: Option<&Ref>) -> Result<Node, Fault> {
        /// `cuda`, `cpu`, `privateuseone`: a longer name is no device, and copying it may be costly.
        const MAX_NAME: usize = 32;
        match (&self.nodes[name], index.map(|index| &self.nodes[*index])) {
            (Node::Text(name), None) if name.len() <= MAX_NAME => Ok(Node::Text(name.clone())),
            (Node::Text(name), Some(Node::Int(index))) if name.len() <= MAX_NAME => {
                Ok(Node::Text(format!("{name}:{index}")))
            }
            _ => refuse("a device is not a name and an index; the file is damaged"),
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
