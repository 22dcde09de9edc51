//! The stack machine: opcodes in, graph out.

use std::collections::HashMap;

use indexmap::IndexMap;

use super::globals::Global;
use super::opcode::*;
use super::{DictKind, Graph, Ids, Node, Ref, StorageSpec};
use crate::cursor::Cursor;
use crate::error::{Fault, refuse};

/// The most bytes that a pickle may have; the pickle of 700 tensors has about 100 KB.
pub(crate) const MAX_PICKLE: u64 = 64 << 20;

/// The most opcodes and copied references of one pickle, so that time and memory are bounded whatever it says.
const MAX_WORK: usize = 4_000_000;

pub(super) struct Machine<'a> {
    input: Cursor<'a>,
    pub(super) ids: Ids,
    pub(super) nodes: Vec<Node>,
    stack: Vec<Ref>,
    marks: Vec<usize>,
    memo: HashMap<u32, Ref>,
    pub(super) storages: IndexMap<String, StorageSpec>,
    work: usize,
}

/// Reads one pickle from the start of `bytes`; also gives the position after it.
pub(crate) fn run(bytes: &[u8], ids: Ids) -> Result<(Graph, usize), Fault> {
    let mut machine = Machine {
        input: Cursor::new(bytes),
        ids,
        nodes: Vec::new(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
        storages: IndexMap::new(),
        work: 0,
    };
    loop {
        let at = machine.input.position();
        match machine.step() {
            Ok(None) => {}
            Ok(Some(root)) => {
                let graph = Graph { nodes: machine.nodes, root, storages: machine.storages };
                return Ok((graph, machine.input.position()));
            }
            Err(fault) => return Err(fault.within(format!("byte {at}"))),
        }
    }
}

impl Machine<'_> {
    /// Executes one opcode; gives the finished object at STOP.
    fn step(&mut self) -> Result<Option<Ref>, Fault> {
        self.spend(1)?;
        let opcode = self.input.u8()?;
        if opcode == STOP {
            return self.stop().map(Some);
        }
        if !self.shuffle(opcode)? {
            let node = match self.literal(opcode)? {
                Some(node) => node,
                None => self.construct(opcode)?,
            };
            self.push(node);
        }
        Ok(None)
    }

    /// Opcodes that change the stack, the memo or a container and make no object.
    fn shuffle(&mut self, opcode: u8) -> Result<bool, Fault> {
        match opcode {
            PROTO => drop(self.input.u8()?),
            FRAME => self.frame()?,
            MARK => self.marks.push(self.stack.len()),
            BINPUT | LONG_BINPUT | MEMOIZE => self.memo_put(opcode)?,
            BINGET | LONG_BINGET => self.memo_get(opcode)?,
            APPEND => {
                let item = self.pop()?;
                self.append(vec![item])?;
            }
            APPENDS => {
                let items = self.pop_to_mark()?;
                self.append(items)?;
            }
            SETITEM => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.set_items(&[key, value])?;
            }
            SETITEMS => {
                let items = self.pop_to_mark()?;
                self.set_items(&items)?;
            }
            BUILD => self.build()?,
            REDUCE | NEWOBJ => self.call(opcode)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Opcodes that carry a whole value.
    fn literal(&mut self, opcode: u8) -> Result<Option<Node>, Fault> {
        let input = &mut self.input;
        Ok(Some(match opcode {
            NONE => Node::None,
            NEWTRUE => Node::Bool(true),
            NEWFALSE => Node::Bool(false),
            BININT => Node::Int(i32::from_le_bytes(input.array()?).into()),
            BININT1 => Node::Int(input.u8()?.into()),
            BININT2 => Node::Int(input.u16()?.into()),
            LONG1 => Node::Int(long(input)?),
            BINFLOAT => Node::Float(f64::from_be_bytes(input.array()?)),
            SHORT_BINUNICODE | SHORT_BINSTRING => text(input.u8().map(u64::from), input)?,
            BINUNICODE | BINSTRING => text(input.u32().map(u64::from), input)?,
            BINUNICODE8 => text(input.u64(), input)?,
            SHORT_BINBYTES => bytes(input.u8().map(u64::from), input)?,
            BINBYTES => bytes(input.u32().map(u64::from), input)?,
            BINBYTES8 => bytes(input.u64(), input)?,
            EMPTY_LIST => Node::List(Vec::new()),
            EMPTY_TUPLE => Node::Tuple(Vec::new()),
            EMPTY_DICT => Node::Dict(DictKind::Plain, Vec::new()),
            _ => return Ok(None),
        }))
    }

    /// Opcodes that make an object from those on the stack, or from a name.
    fn construct(&mut self, opcode: u8) -> Result<Node, Fault> {
        match opcode {
            TUPLE => Ok(Node::Tuple(self.pop_to_mark()?)),
            TUPLE1 => self.tuple(1),
            TUPLE2 => self.tuple(2),
            TUPLE3 => self.tuple(3),
            GLOBAL => {
                let (module, name) = (self.input.line()?, self.input.line()?);
                let (module, name) = (String::from_utf8_lossy(module), String::from_utf8_lossy(name));
                Global::named(&module, &name).map(Node::Global)
            }
            STACK_GLOBAL => {
                let (name, module) = (self.pop()?, self.pop()?);
                match (&self.nodes[module], &self.nodes[name]) {
                    (Node::Text(module), Node::Text(name)) => Global::named(module, name).map(Node::Global),
                    _ => refuse("a class is named by something that is not text; the file is damaged or hostile"),
                }
            }
            BINPERSID => {
                let id = self.pop()?;
                self.storage(id)
            }
            _ => refuse(format!(
                "opcode 0x{opcode:02X} does not occur in weights: the file is damaged or holds Python objects. \
                 In Python: torch.save(model.state_dict(), path)"
            )),
        }
    }

    fn stop(&mut self) -> Result<Ref, Fault> {
        match (self.stack.as_slice(), self.marks.as_slice()) {
            ([root], []) => Ok(*root),
            _ => refuse("the pickle ends with other than one object; the file is damaged"),
        }
    }

    fn frame(&mut self) -> Result<(), Fault> {
        let length = self.input.u64()?;
        if length > self.input.left() as u64 {
            return refuse(format!(
                "a frame of {length} bytes, but {} are left; the file is damaged",
                self.input.left()
            ));
        }
        Ok(())
    }

    pub(super) fn push(&mut self, node: Node) {
        self.stack.push(self.nodes.len());
        self.nodes.push(node);
    }

    pub(super) fn push_again(&mut self, object: Ref) {
        self.stack.push(object);
    }

    /// Objects below the last mark are out of reach, as in Python.
    fn top(&self) -> Result<Ref, Fault> {
        match self.stack.last() {
            Some(top) if self.stack.len() > self.marks.last().copied().unwrap_or(0) => Ok(*top),
            _ => refuse("an operation needs an object, but the stack is empty; the file is damaged"),
        }
    }

    pub(super) fn pop(&mut self) -> Result<Ref, Fault> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Ref>, Fault> {
        match self.marks.pop() {
            Some(mark) => Ok(self.stack.split_off(mark)),
            None => refuse("an operation needs a mark, but none is set; the file is damaged"),
        }
    }

    fn tuple(&mut self, length: usize) -> Result<Node, Fault> {
        let mut items = (0..length).map(|_| self.pop()).collect::<Result<Vec<_>, _>>()?;
        items.reverse();
        Ok(Node::Tuple(items))
    }

    /// Memo indices are keys of a map, never sizes: a file may choose any.
    fn memo_put(&mut self, opcode: u8) -> Result<(), Fault> {
        let index = match opcode {
            BINPUT => self.input.u8()?.into(),
            LONG_BINPUT => self.input.u32()?,
            _ => self.memo.len() as u32,
        };
        self.memo.insert(index, self.top()?);
        Ok(())
    }

    fn memo_get(&mut self, opcode: u8) -> Result<(), Fault> {
        let index = if opcode == BINGET { self.input.u8()?.into() } else { self.input.u32()? };
        match self.memo.get(&index) {
            Some(object) => self.stack.push(*object),
            None => return refuse(format!("object {index} is used but was never stored; the file is damaged")),
        }
        Ok(())
    }

    fn append(&mut self, items: Vec<Ref>) -> Result<(), Fault> {
        let list = self.top()?;
        match &mut self.nodes[list] {
            Node::List(list) => list.extend(items),
            other => return refuse(format!("an item is appended to {}; the file is damaged or hostile", other.kind())),
        }
        Ok(())
    }

    fn set_items(&mut self, items: &[Ref]) -> Result<(), Fault> {
        let (pairs, []) = items.as_chunks::<2>() else {
            return refuse("a key without a value; the file is damaged");
        };
        let pairs = pairs.iter().map(|[key, value]| self.entry(*key, *value)).collect::<Result<Vec<_>, _>>()?;
        let dict = self.top()?;
        match &mut self.nodes[dict] {
            Node::Dict(_, entries) => entries.extend(pairs),
            other => return refuse(format!("an item is set in {}; the file is damaged or hostile", other.kind())),
        }
        Ok(())
    }

    /// A dict's entry, if the key can be one: Python's keys are immutable.
    pub(super) fn entry(&self, key: Ref, value: Ref) -> Result<(Ref, Ref), Fault> {
        let is_plain = |key: &Ref| {
            use Node::{Bool, Bytes, Float, Int, None, Text};
            matches!(self.nodes[*key], None | Bool(_) | Int(_) | Float(_) | Text(_) | Bytes(_))
        };
        let is_key = match &self.nodes[key] {
            Node::Tuple(items) => items.iter().all(is_plain),
            _ => is_plain(&key),
        };
        if !is_key {
            return refuse(format!("{} is used as a key; the file is damaged or hostile", self.nodes[key].kind()));
        }
        Ok((key, value))
    }

    /// Sets attributes. Only an OrderedDict has any: the module versions of a state dict, which loading does without.
    fn build(&mut self) -> Result<(), Fault> {
        let state = self.pop()?;
        let object = self.top()?;
        match (&self.nodes[object], &self.nodes[state]) {
            (Node::Dict(DictKind::Ordered, _), Node::Dict(DictKind::Plain, _)) => Ok(()),
            (object, _) => refuse(format!("attributes are set on {}; the file is damaged or hostile", object.kind())),
        }
    }

    /// Counts work that a few bytes of the file can ask for.
    pub(super) fn spend(&mut self, work: usize) -> Result<(), Fault> {
        self.work += work;
        if self.work > MAX_WORK {
            return refuse(format!(
                "more than {MAX_WORK} operations, far more than a checkpoint needs; the file is hostile"
            ));
        }
        Ok(())
    }
}

/// A signed little-endian integer of as many bytes as its length says; no bytes are 0.
fn long(input: &mut Cursor) -> Result<i128, Fault> {
    let length = input.u8()?;
    let bytes = input.take(length.into())?;
    let sign = bytes.last().is_some_and(|last| last & 0x80 != 0);
    let mut wide = [if sign { 0xFF } else { 0 }; 16];
    match wide.get_mut(..bytes.len()) {
        Some(low) => low.copy_from_slice(bytes),
        None => return refuse(format!("an integer of {length} bytes; at most 16 are supported")),
    }
    Ok(i128::from_le_bytes(wide))
}

fn text(length: Result<u64, Fault>, input: &mut Cursor) -> Result<Node, Fault> {
    match str::from_utf8(input.take(length?)?) {
        Ok(text) => Ok(Node::Text(text.into())),
        Err(_) => refuse("a text is not UTF-8; the file is damaged"),
    }
}

fn bytes(length: Result<u64, Fault>, input: &mut Cursor) -> Result<Node, Fault> {
    input.take(length?).map(|bytes| Node::Bytes(bytes.into()))
}
