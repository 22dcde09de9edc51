//! The machine's stack, memo and containers.

use super::machine::Machine;
use super::opcode::{BINGET, BINPUT, LONG_BINPUT};
use super::{DictKind, Node, Ref, Unknown};
use crate::error::{Fault, refuse};

/// The most opcodes and copied references of one pickle, so that time and memory are bounded whatever it says.
const MAX_WORK: usize = 1_500_000;

impl Machine<'_> {
    pub(super) fn push(&mut self, node: Node) {
        self.stack.push(self.nodes.len());
        self.nodes.push(node);
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

    pub(super) fn pop_to_mark(&mut self) -> Result<Vec<Ref>, Fault> {
        match self.marks.pop() {
            Some(mark) => Ok(self.stack.split_off(mark)),
            None => refuse("an operation needs a mark, but none is set; the file is damaged"),
        }
    }

    pub(super) fn tuple_of(&mut self, length: usize) -> Result<Node, Fault> {
        let mut items = (0..length).map(|_| self.pop()).collect::<Result<Vec<_>, _>>()?;
        items.reverse();
        Ok(Node::Tuple(items))
    }

    /// Memo indices are keys of a map, never sizes: a file may choose any.
    pub(super) fn memo_put(&mut self, opcode: u8) -> Result<(), Fault> {
        let index = match opcode {
            BINPUT => self.input.u8()?.into(),
            LONG_BINPUT => self.input.u32()?,
            _ => self.memo.len() as u32,
        };
        self.memo.insert(index, self.top()?);
        Ok(())
    }

    pub(super) fn memo_get(&mut self, opcode: u8) -> Result<(), Fault> {
        let index = if opcode == BINGET { self.input.u8()?.into() } else { self.input.u32()? };
        match self.memo.get(&index) {
            Some(object) => self.stack.push(*object),
            None => return refuse(format!("object {index} is used but was never stored; the file is damaged")),
        }
        Ok(())
    }

    pub(super) fn append(&mut self, items: Vec<Ref>) -> Result<(), Fault> {
        let list = self.top()?;
        match &mut self.nodes[list] {
            Node::List(list) => list.extend(items),
            Node::Opaque(_) => return self.append_opaque(list, items),
            other => return refuse(format!("an item is appended to {}; the file is damaged or hostile", other.kind())),
        }
        Ok(())
    }

    /// An unknown kind of list: the items get their index as key.
    fn append_opaque(&mut self, list: Ref, items: Vec<Ref>) -> Result<(), Fault> {
        self.spend(items.len())?;
        for item in items {
            let key = self.nodes.len();
            let Node::Opaque(spec) = &mut self.nodes[list] else { return Ok(()) };
            let index = spec.entries.len();
            spec.entries.push((key, item));
            self.nodes.push(Node::Int(index as i128));
        }
        Ok(())
    }

    /// Fills a set, whose items must be able to be keys.
    pub(super) fn add_items(&mut self, items: &[Ref]) -> Result<(), Fault> {
        items.iter().try_for_each(|item| self.check_key(*item))?;
        let set = self.top()?;
        match &mut self.nodes[set] {
            Node::Set(set) => set.extend(items),
            other => return refuse(format!("an item is added to {}; the file is damaged or hostile", other.kind())),
        }
        Ok(())
    }

    pub(super) fn set_items(&mut self, items: &[Ref]) -> Result<(), Fault> {
        let (pairs, []) = items.as_chunks::<2>() else {
            return refuse("a key without a value; the file is damaged");
        };
        let pairs = pairs.iter().map(|[key, value]| self.entry(*key, *value)).collect::<Result<Vec<_>, _>>()?;
        let dict = self.top()?;
        match &mut self.nodes[dict] {
            Node::Dict(_, entries) => entries.extend(pairs),
            Node::Opaque(spec) => spec.entries.extend(pairs),
            other => return refuse(format!("an item is set in {}; the file is damaged or hostile", other.kind())),
        }
        Ok(())
    }

    pub(super) fn entry(&mut self, key: Ref, value: Ref) -> Result<(Ref, Ref), Fault> {
        self.check_key(key)?;
        Ok((key, value))
    }

    /// Python's keys are immutable. Whether an object of an unknown class can be one, is not known here.
    pub(super) fn check_key(&mut self, key: Ref) -> Result<(), Fault> {
        let is_one = |node: &Node| {
            node.is_plain() || self.unknown == Unknown::Keep && matches!(node, Node::Opaque(_) | Node::Global(_))
        };
        let (is_key, work) = match &self.nodes[key] {
            Node::Tuple(items) => (items.iter().all(|item| is_one(&self.nodes[*item])), items.len()),
            node => (is_one(node), 0),
        };
        self.spend(work)?;
        if !is_key {
            return refuse(format!("{} is used as a key; the file is damaged or hostile", self.nodes[key].kind()));
        }
        Ok(())
    }

    /// Sets attributes, which are left out: of the known classes only an OrderedDict has any, `_metadata` with the versions
    /// of a state dict's modules, and loading does without it.
    pub(super) fn build(&mut self) -> Result<(), Fault> {
        let state = self.pop()?;
        let object = self.top()?;
        if let Node::Opaque(spec) = &mut self.nodes[object] {
            spec.state = Some(state);
            return Ok(());
        }
        match (&self.nodes[object], &self.nodes[state]) {
            (Node::Dict(DictKind::Ordered, _), Node::Dict(DictKind::Plain, _)) => Ok(()),
            (Node::NumpyType(_), _) => self.check_order(state),
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
