//! The classes and functions that a checkpoint may name. Everything else is refused at the name, or kept as a name only.

use super::Unknown;
use super::machine::Machine;
use crate::Dtype;
use crate::error::{Fault, refuse};

/// A name that a checkpoint may use; what it does is in [`super::calls`].
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Global {
    OrderedDict,
    Counter,
    RebuildTensor,
    RebuildTensorV2,
    RebuildTensorV3,
    RebuildParameter,
    RebuildFromType,
    /// A storage's class; None for the untyped one.
    StorageClass(Option<Dtype>),
    /// The class `torch.Tensor`, or the class of a type's tensors in the oldest files.
    TensorClass(Option<Dtype>),
    Dtype(Dtype),
    Size,
    Device,
    Encode,
    Bytes,
    ByteArray,
    Set,
    Complex,
    NumpyScalar,
    NumpyType,
    /// An unknown name, by its index in [`Machine::opaque`]: inert.
    Opaque(usize),
}

const TABLE: [(&str, &str, Global); 20] = [
    ("collections", "OrderedDict", Global::OrderedDict),
    ("collections", "Counter", Global::Counter),
    ("torch._utils", "_rebuild_tensor", Global::RebuildTensor),
    ("torch._utils", "_rebuild_tensor_v2", Global::RebuildTensorV2),
    ("torch._utils", "_rebuild_tensor_v3", Global::RebuildTensorV3),
    ("torch._utils", "_rebuild_parameter", Global::RebuildParameter),
    ("torch._utils", "_rebuild_parameter_with_state", Global::RebuildParameter),
    ("torch._tensor", "_rebuild_from_type_v2", Global::RebuildFromType),
    ("torch.storage", "UntypedStorage", Global::StorageClass(None)),
    ("torch", "Tensor", Global::TensorClass(None)),
    ("torch", "Size", Global::Size),
    ("torch", "device", Global::Device),
    ("_codecs", "encode", Global::Encode),
    ("builtins", "bytes", Global::Bytes),
    ("builtins", "bytearray", Global::ByteArray),
    ("builtins", "set", Global::Set),
    ("builtins", "complex", Global::Complex),
    ("numpy.core.multiarray", "scalar", Global::NumpyScalar), // its name before NumPy 2
    ("numpy._core.multiarray", "scalar", Global::NumpyScalar),
    ("numpy", "dtype", Global::NumpyType),
];

impl Global {
    fn named(module: &str, name: &str) -> Option<Self> {
        if let Some(row) = TABLE.iter().find(|row| row.0 == module && row.1 == name) {
            return Some(row.2);
        }
        let storage = || Dtype::of_storage_class(name).map(|dtype| Global::StorageClass(Some(dtype)));
        let tensor = || {
            let class = format!("{}Storage", name.strip_suffix("Tensor")?);
            Dtype::of_storage_class(&class).map(|dtype| Global::TensorClass(Some(dtype)))
        };
        match module {
            "torch" => storage().or_else(tensor).or_else(|| Dtype::of_name(name).map(Global::Dtype)),
            "torch.cuda" => storage().or_else(tensor),
            _ => None,
        }
    }

    /// The name in Python.
    pub(super) fn name(self, opaque: &[String]) -> String {
        match self {
            Global::Opaque(index) => opaque.get(index).cloned().unwrap_or_default(),
            Global::StorageClass(Some(dtype)) => format!("torch.{}", dtype.storage_class().unwrap_or_default()),
            Global::TensorClass(Some(dtype)) => format!("torch.Tensor of {dtype}"),
            Global::Dtype(dtype) => format!("torch.{dtype}"),
            known => {
                let row = TABLE.iter().find(|row| row.2 == known);
                row.map(|(module, name, _)| format!("{module}.{name}")).unwrap_or_default()
            }
        }
    }
}

/// The longest name of a class with its module that is kept, in bytes.
const MAX_NAME: usize = 255;

impl Machine<'_> {
    pub(super) fn global(&mut self, module: &str, name: &str) -> Result<Global, Fault> {
        let module = match module {
            "__builtin__" => "builtins",       // Python 2's name, which protocol 2 writes
            "torch.tensor" => "torch._tensor", // its name before PyTorch 1.9
            module => module,
        };
        Global::named(module, name).map_or_else(|| self.unknown(module, name), Ok)
    }

    /// A name that is kept for looking only, or refused.
    pub(super) fn unknown(&mut self, module: &str, name: &str) -> Result<Global, Fault> {
        if self.unknown == Unknown::Keep && module.len() + name.len() < MAX_NAME {
            return Ok(Global::Opaque(self.opaque.insert_full(format!("{module}.{name}")).0));
        }
        refuse(advice(module, name))
    }
}

/// Modules that run programs or code, in whole or by parts; no saved network needs them.
const DANGEROUS: [&str; 17] = [
    "os",
    "posix",
    "nt",
    "subprocess",
    "sys",
    "builtins",
    "runpy",
    "pty",
    "socket",
    "shutil",
    "importlib",
    "ctypes",
    "code",
    "commands",
    "multiprocessing",
    "webbrowser",
    "operator",
];

fn advice(module: &str, name: &str) -> String {
    // A name in a message is for reading: short, and escaped where it is the file's own.
    let full: String = format!("{module}.{name}").chars().take(100).collect();
    match (module, name) {
        ("torch._utils", "_rebuild_sparse_tensor" | "_rebuild_qtensor" | "_rebuild_meta_tensor_no_storage") => {
            format!("{full}: sparse, quantized and meta tensors are not supported; in Python, save dense float tensors")
        }
        _ if module.split('.').next().is_some_and(|root| DANGEROUS.contains(&root)) => format!(
            "the file asks Python for {full:?}, as an attack does; it was refused and nothing was run. Do not load it in \
             Python: get the weights from another source"
        ),
        _ => format!(
            "the file asks Python for {full:?}, which plain weights do not need; it was refused and nothing was run. \
             Whoever made the file can save its weights alone: torch.save(model.state_dict(), path)"
        ),
    }
}
