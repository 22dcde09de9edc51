//! The classes and functions that a checkpoint may name. Everything else is refused at the name.

use crate::Dtype;
use crate::error::{Fault, refuse};

/// A name that a checkpoint may use; what it does is in [`super::calls`].
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Global {
    OrderedDict,
    Counter,
    RebuildTensor,
    RebuildTensorV2,
    RebuildParameter,
    StorageClass(Dtype),
    Dtype(Dtype),
    Size,
    Device,
    Encode,
    Bytes,
    ByteArray,
    Set,
}

impl Global {
    pub(super) fn named(module: &str, name: &str) -> Result<Self, Fault> {
        // Protocol 2 writes Python 2's name of the module.
        let module = if module == "__builtin__" { "builtins" } else { module };
        Ok(match (module, name) {
            ("collections", "OrderedDict") => Global::OrderedDict,
            ("collections", "Counter") => Global::Counter,
            ("torch._utils", "_rebuild_tensor") => Global::RebuildTensor,
            ("torch._utils", "_rebuild_tensor_v2") => Global::RebuildTensorV2,
            ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => Global::RebuildParameter,
            ("torch", "Size") => Global::Size,
            ("torch", "device") => Global::Device,
            ("_codecs", "encode") => Global::Encode,
            ("builtins", "bytes") => Global::Bytes,
            ("builtins", "bytearray") => Global::ByteArray,
            ("builtins", "set") => Global::Set,
            ("torch" | "torch.cuda", class) if let Some(dtype) = Dtype::of_storage_class(class) => {
                Global::StorageClass(dtype)
            }
            ("torch", name) if let Some(dtype) = Dtype::of_name(name) => Global::Dtype(dtype),
            _ => return refuse(advice(module, name)),
        })
    }
}

fn advice(module: &str, name: &str) -> String {
    // A name in a message is for reading: short, and escaped where it is the file's own.
    let full: String = format!("{module}.{name}").chars().take(100).collect();
    match (module, name) {
        ("torch.storage", "UntypedStorage") | ("torch._utils", "_rebuild_tensor_v3") => {
            format!(
                "{full}: tensors of unsigned 16 to 64-bit or 8-bit float types are not supported; convert them in Python"
            )
        }
        ("torch._utils", "_rebuild_sparse_tensor" | "_rebuild_qtensor" | "_rebuild_meta_tensor_no_storage") => {
            format!("{full}: sparse, quantized and meta tensors are not supported; in Python, save dense float tensors")
        }
        _ => format!(
            "the file asks Python for {full:?}, which plain weights do not need; it was refused and nothing was run. \
             If you trust the file, save its weights in Python: torch.save(model.state_dict(), path)"
        ),
    }
}
