//! Values as a pickle of protocol 2, with the opcodes and names that `torch.load(weights_only=True)` accepts.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use super::opcode::*;
use super::walk::MAX_DEPTH;
use super::{Ids, MAX_PICKLE, Unknown, run};
use crate::error::{Fault, refuse};
use crate::tensor::{Storage, contiguous_stride};
use crate::{Dtype, Tensor, Value};

/// A pickle, and the storages that it names `0`, `1`, ... in this order.
pub(crate) struct Pickled<'a> {
    pub(crate) pickle: Vec<u8>,
    pub(crate) storages: Vec<Stored<'a>>,
}

/// A storage as it goes into a file: little-endian elements of one type.
pub(crate) struct Stored<'a> {
    pub(crate) dtype: Dtype,
    pub(crate) bytes: Cow<'a, [u8]>,
}

/// Pickles `value`, with storages named as the container `ids` names them.
///
/// Tensors that share a storage go on sharing it. A tensor that has one for itself is written contiguous, without the
/// elements that it does not show. The pickle is read back, so that what our reader refuses is never written.
pub(crate) fn write<'a>(value: &'a Value, ids: Ids<'static>) -> Result<Pickled<'a>, Fault> {
    let (out, users, keys, storages) = (vec![PROTO, 2], HashMap::new(), HashMap::new(), Vec::new());
    let mut writer = Writer { ids, out, users, keys, storages };
    writer.count_users(value, 0)?;
    writer.value(value)?;
    writer.out.push(STOP);
    check(&writer.out, ids).map_err(|fault| fault.within("reading such a file would end with"))?;
    Ok(Pickled { pickle: writer.out, storages: writer.storages })
}

/// Reads a pickle as its file will be read, over storages without bytes: its size, depth and work, and its keys, of which
/// no two are equal and none can change.
fn check(pickle: &[u8], ids: Ids) -> Result<(), Fault> {
    if pickle.len() as u64 > MAX_PICKLE {
        return refuse(format!("a pickle of {} bytes, expected at most {MAX_PICKLE}", pickle.len()));
    }
    let (graph, _) = run(pickle, 0, ids, Unknown::Refuse)?;
    let empty = Arc::new(Storage { bytes: Vec::new() });
    let storages = vec![empty; graph.storages.len()];
    graph.into_value(&storages).map(drop)
}

struct Writer<'a> {
    ids: Ids<'static>,
    out: Vec<u8>,
    /// How many tensors view a storage.
    users: HashMap<*const Storage, usize>,
    /// The keys of the storages that several tensors view.
    keys: HashMap<*const Storage, usize>,
    storages: Vec<Stored<'a>>,
}

impl<'a> Writer<'a> {
    fn count_users(&mut self, value: &Value, depth: usize) -> Result<(), Fault> {
        if depth > MAX_DEPTH {
            return refuse(format!("it is nested more than {MAX_DEPTH} levels deep"));
        }
        match value {
            Value::Tensor(tensor) => *self.users.entry(Arc::as_ptr(&tensor.storage)).or_default() += 1,
            Value::List(items) | Value::Tuple(items) | Value::Set(items) => {
                items.iter().try_for_each(|item| self.count_users(item, depth + 1))?;
            }
            other => {
                let mut values = other.entries().unwrap_or_default().iter().flat_map(|(key, value)| [key, value]);
                values.try_for_each(|value| self.count_users(value, depth + 1))?;
            }
        }
        Ok(())
    }

    fn value(&mut self, value: &'a Value) -> Result<(), Fault> {
        match value {
            Value::None => self.out.push(NONE),
            Value::Bool(value) => self.out.push(if *value { NEWTRUE } else { NEWFALSE }),
            Value::Int(value) => self.integer((*value).into()),
            Value::BigInt(value) => self.integer(*value),
            Value::Float(value) => self.float(*value),
            Value::Text(text) => self.text(text),
            Value::Bytes(bytes) => self.bytes(bytes)?,
            Value::List(items) => self.list(items)?,
            Value::Tuple(items) => self.sequence(items, TUPLE)?,
            Value::Dict(entries) => self.dict(entries)?,
            Value::OrderedDict(entries) => {
                self.make_empty("collections", "OrderedDict");
                self.items(entries)?;
            }
            Value::Counter(entries) => self.make("collections", "Counter", |writer| writer.dict(entries))?,
            Value::Set(items) => self.make("builtins", "set", |writer| writer.list(items))?,
            Value::ByteArray(bytes) if bytes.is_empty() => self.make_empty("builtins", "bytearray"),
            Value::ByteArray(bytes) => self.make("builtins", "bytearray", |writer| writer.bytes(bytes))?,
            Value::Complex(real, imaginary) => {
                self.global("builtins", "complex");
                self.float(*real);
                self.float(*imaginary);
                self.out.extend([TUPLE2, REDUCE]);
            }
            Value::Size(sizes) => {
                self.global("torch", "Size");
                self.integers(sizes.iter().map(|size| i128::from(*size)));
                self.out.extend([TUPLE1, REDUCE]);
            }
            Value::Device(name) => {
                self.global("torch", "device");
                self.text(name);
                self.out.extend([TUPLE1, REDUCE]);
            }
            Value::Dtype(dtype) => self.global("torch", dtype.name()),
            Value::Tensor(tensor) => self.tensor(tensor)?,
            Value::Opaque(opaque) => {
                return refuse(format!("{:?} is no plain value: it was read for looking only", opaque.class));
            }
        }
        Ok(())
    }

    fn list(&mut self, items: &'a [Value]) -> Result<(), Fault> {
        self.out.push(EMPTY_LIST);
        self.sequence(items, APPENDS)
    }

    /// A mark, the items, and the opcode that takes them.
    fn sequence(&mut self, items: &'a [Value], end: u8) -> Result<(), Fault> {
        self.out.push(MARK);
        for (index, item) in items.iter().enumerate() {
            self.value(item).map_err(|fault| fault.within(index))?;
        }
        self.out.push(end);
        Ok(())
    }

    fn dict(&mut self, entries: &'a [(Value, Value)]) -> Result<(), Fault> {
        self.out.push(EMPTY_DICT);
        self.items(entries)
    }

    fn items(&mut self, entries: &'a [(Value, Value)]) -> Result<(), Fault> {
        self.out.push(MARK);
        for (key, value) in entries {
            self.value(key)?;
            self.value(value).map_err(|fault| fault.within(place(key)))?;
        }
        self.out.push(SETITEMS);
        Ok(())
    }

    /// Calls a class with one argument.
    fn make(
        &mut self,
        module: &str,
        name: &str,
        argument: impl FnOnce(&mut Self) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        self.global(module, name);
        argument(self)?;
        self.out.extend([TUPLE1, REDUCE]);
        Ok(())
    }

    /// Calls a class without arguments.
    fn make_empty(&mut self, module: &str, name: &str) {
        self.global(module, name);
        self.out.extend([EMPTY_TUPLE, REDUCE]);
    }

    /// `_rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks)`; types without a storage class have
    /// version 3, which has the type at the end.
    fn tensor(&mut self, tensor: &'a Tensor) -> Result<(), Fault> {
        let is_typed = tensor.dtype().storage_class().is_some();
        if !is_typed && matches!(self.ids, Ids::Legacy) {
            return refuse(format!(
                "a tensor of {}, which PyTorch writes into a legacy file and cannot read from it: choose zip",
                tensor.dtype()
            ));
        }
        self.global("torch._utils", if is_typed { "_rebuild_tensor_v2" } else { "_rebuild_tensor_v3" });
        self.out.push(MARK);
        let contiguous = contiguous_stride(tensor.shape());
        if self.users.get(&Arc::as_ptr(&tensor.storage)) > Some(&1) {
            let key = self.shared_storage(tensor);
            self.storage(tensor, key);
            self.integer(tensor.offset as i128);
            self.counts(tensor.shape());
            self.counts(tensor.stride());
        } else {
            self.storages.push(Stored { dtype: tensor.dtype(), bytes: tensor.to_contiguous_bytes() });
            self.storage(tensor, self.storages.len() - 1);
            self.integer(0);
            self.counts(tensor.shape());
            self.counts(&contiguous);
        }
        self.out.push(if tensor.requires_grad() { NEWTRUE } else { NEWFALSE });
        self.make_empty("collections", "OrderedDict");
        if !is_typed {
            self.global("torch", tensor.dtype().name());
        }
        self.out.extend([TUPLE, REDUCE]);
        Ok(())
    }

    fn shared_storage(&mut self, tensor: &'a Tensor) -> usize {
        *self.keys.entry(Arc::as_ptr(&tensor.storage)).or_insert_with(|| {
            self.storages.push(Stored { dtype: tensor.dtype(), bytes: Cow::Borrowed(&tensor.storage.bytes) });
            self.storages.len() - 1
        })
    }

    /// The persistent id `('storage', class, key, 'cpu', numel)`, with a sixth item in the legacy container: no view.
    fn storage(&mut self, tensor: &Tensor, key: usize) {
        let bytes = self.storages[key].bytes.len();
        let class = tensor.dtype().storage_class();
        self.out.push(MARK);
        self.text("storage");
        match class {
            Some(class) => self.global("torch", class),
            None => self.global("torch.storage", "UntypedStorage"),
        }
        self.text(&key.to_string());
        self.text("cpu");
        self.integer(class.map_or(bytes, |_| bytes / tensor.dtype().size()) as i128);
        if matches!(self.ids, Ids::Legacy) {
            self.out.push(NONE);
        }
        self.out.extend([TUPLE, BINPERSID]);
    }

    fn global(&mut self, module: &str, name: &str) {
        self.out.push(GLOBAL);
        self.out.extend(format!("{module}\n{name}\n").as_bytes());
    }

    fn counts(&mut self, values: &[usize]) {
        self.integers(values.iter().map(|value| *value as i128));
    }

    fn integers(&mut self, values: impl Iterator<Item = i128>) {
        self.out.push(MARK);
        values.for_each(|value| self.integer(value));
        self.out.push(TUPLE);
    }

    fn float(&mut self, value: f64) {
        self.out.push(BINFLOAT);
        self.out.extend(value.to_be_bytes());
    }

    fn integer(&mut self, value: i128) {
        if let Ok(value) = u8::try_from(value) {
            self.out.extend([BININT1, value]);
        } else if let Ok(value) = i32::try_from(value) {
            self.out.push(BININT);
            self.out.extend(value.to_le_bytes());
        } else {
            // 64 bits hold most; a shorter form would be allowed, not needed.
            let bytes = value.to_le_bytes();
            let length = if i64::try_from(value).is_ok() { 8 } else { 16 };
            self.out.extend([LONG1, length as u8]);
            self.out.extend(&bytes[..length]);
        }
    }

    /// Texts of 4 GiB and more, whose length would not fit, are refused with the whole pickle.
    fn text(&mut self, text: &str) {
        self.out.push(BINUNICODE);
        self.out.extend((text.len() as u32).to_le_bytes());
        self.out.extend(text.as_bytes());
    }

    /// `_codecs.encode(text, 'latin1')`, the only form of bytes that protocol 2 has.
    fn bytes(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        if bytes.is_empty() {
            return refuse("PyTorch's safe loader refuses empty bytes; use None instead");
        }
        self.global("_codecs", "encode");
        self.out.push(MARK);
        self.text(&bytes.iter().map(|byte| char::from(*byte)).collect::<String>());
        self.text("latin1");
        self.out.extend([TUPLE, REDUCE]);
        Ok(())
    }
}

/// What an error says of the entry it is in.
fn place(key: &Value) -> String {
    match key {
        Value::Text(text) => format!("{text:?}"),
        Value::Int(number) => number.to_string(),
        other => format!("the entry under {}", other.kind()),
    }
}
