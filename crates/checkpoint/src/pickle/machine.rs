//! The stack machine: opcodes in, graph out.

use std::collections::HashMap;

use indexmap::{IndexMap, IndexSet};

use super::opcode::*;
use super::{DictKind, Graph, Ids, Node, Ref, StorageSpec, Unknown};
use crate::cursor::Cursor;
use crate::error::{Fault, refuse};

/// The most bytes that a pickle may have; the pickle of 700 tensors has about 100 KB.
pub(crate) const MAX_PICKLE: u64 = 32 << 20;

pub(super) struct Machine<'a> {
    pub(super) input: Cursor<'a>,
    pub(super) ids: Ids<'a>,
    pub(super) unknown: Unknown,
    pub(super) nodes: Vec<Node>,
    pub(super) stack: Vec<Ref>,
    pub(super) marks: Vec<usize>,
    pub(super) memo: HashMap<u32, Ref>,
    pub(super) storages: IndexMap<String, StorageSpec>,
    pub(super) opaque: IndexSet<String>,
    pub(super) work: usize,
}

/// Reads the pickle that starts at byte `start`; also gives the position after it.
pub(crate) fn run(bytes: &[u8], start: usize, ids: Ids, unknown: Unknown) -> Result<(Graph, usize), Fault> {
    let mut machine = Machine {
        input: Cursor::starting_at(bytes, start),
        ids,
        unknown,
        nodes: Vec::new(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
        storages: IndexMap::new(),
        opaque: IndexSet::new(),
        work: 0,
    };
    loop {
        let at = machine.input.position();
        match machine.step() {
            Ok(None) => {}
            Ok(Some(root)) => {
                let Machine { nodes, storages, opaque, input, .. } = machine;
                return Ok((Graph { nodes, root, storages, opaque, unknown }, input.position()));
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
            ADDITEMS => {
                let items = self.pop_to_mark()?;
                self.add_items(&items)?;
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
            SHORT_BINUNICODE | SHORT_BINSTRING => text(input.u8()?.into(), input)?,
            BINUNICODE | BINSTRING => text(input.u32()?.into(), input)?,
            BINUNICODE8 => text(input.u64()?, input)?,
            SHORT_BINBYTES => bytes(input.u8()?.into(), input)?,
            BINBYTES => bytes(input.u32()?.into(), input)?,
            BINBYTES8 => bytes(input.u64()?, input)?,
            BYTEARRAY8 => Node::ByteArray(input.u64().and_then(|length| input.take(length))?.into()),
            EMPTY_SET => Node::Set(Vec::new()),
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
            TUPLE1 => self.tuple_of(1),
            TUPLE2 => self.tuple_of(2),
            TUPLE3 => self.tuple_of(3),
            GLOBAL => {
                let (module, name) = (self.input.line()?, self.input.line()?);
                let (module, name) = (String::from_utf8_lossy(module), String::from_utf8_lossy(name));
                self.global(&module, &name).map(Node::Global)
            }
            STACK_GLOBAL => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (module, name) = (self.name_part(module)?, self.name_part(name)?);
                self.global(&module, &name).map(Node::Global)
            }
            BINPERSID => {
                let id = self.pop()?;
                self.persistent(id)
            }
            _ => refuse(format!(
                "opcode 0x{opcode:02X} does not occur in weights: the file is damaged or holds Python objects. \
                 In Python: torch.save(model.state_dict(), path)"
            )),
        }
    }

    /// Half of a name on the stack; a longer text than any name has is not copied.
    fn name_part(&self, part: Ref) -> Result<String, Fault> {
        match &self.nodes[part] {
            Node::Text(text) if text.len() <= 1024 => Ok(text.clone()),
            _ => refuse("a class is named by something that is not a short text; the file is damaged or hostile"),
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

fn text(length: u64, input: &mut Cursor) -> Result<Node, Fault> {
    match str::from_utf8(input.take(length)?) {
        Ok(text) => Ok(Node::Text(text.into())),
        Err(_) => refuse("a text is not UTF-8; the file is damaged"),
    }
}

fn bytes(length: u64, input: &mut Cursor) -> Result<Node, Fault> {
    input.take(length).map(|bytes| Node::Bytes(bytes.into()))
}
