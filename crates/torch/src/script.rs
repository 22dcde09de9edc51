//! TorchScript modules. The C interface of `cpp/script.cpp` is here alone.
#![allow(unsafe_code)]

use std::ffi::{CString, c_char};

use tch::{TchError, Tensor};
use torch_sys::C_tensor;

use crate::ffi::{checked, owned, pointers};

unsafe extern "C" {
    fn abbe_script(
        class_name: *const c_char,
        names: *const *const c_char,
        tensors: *const *const C_tensor,
        are_parameters: *const bool,
        count: usize,
        source: *const c_char,
        extra_name: *const c_char,
        extra: *const c_char,
        bytes: *mut *mut C_tensor,
    ) -> *mut c_char;
}

/// A TorchScript module that is to be written.
pub struct Script<'a> {
    /// The name of its class, a word.
    pub class: &'a str,
    /// Its parameters under their dotted names, which become those of submodules.
    pub parameters: Vec<(&'a str, &'a Tensor)>,
    /// Its buffers, likewise.
    pub buffers: Vec<(&'a str, &'a Tensor)>,
    /// Its methods, `forward` among them, as TorchScript.
    pub source: &'a str,
    /// The name and the text of a file that goes with it.
    pub extra: (&'a str, &'a str),
}

impl Script<'_> {
    /// The bytes of its file, which `torch.jit.load` reads in Python and C++.
    ///
    /// # Errors
    /// What libtorch says of source or names; a text with a zero in it.
    pub fn save(&self) -> Result<Vec<u8>, TchError> {
        let text = |text: &str| CString::new(text).map_err(|error| TchError::Torch(format!("{error} in {text:?}")));
        let entries: Vec<_> = self.parameters.iter().chain(&self.buffers).collect();
        let names = entries.iter().map(|(name, _)| text(name)).collect::<Result<Vec<_>, _>>()?;
        let name_pointers: Vec<_> = names.iter().map(|name| name.as_ptr()).collect();
        let tensors = pointers(&entries.iter().map(|(_, tensor)| *tensor).collect::<Vec<_>>());
        let are_parameters: Vec<_> = (0..entries.len()).map(|index| index < self.parameters.len()).collect();
        let [class, source, extra_name, extra] =
            [text(self.class)?, text(self.source)?, text(self.extra.0)?, text(self.extra.1)?];
        let mut bytes = std::ptr::null_mut();
        // SAFETY: the three arrays have as many entries, all pointers are of live strings and tensors; at most one new tensor
        // is written, which `owned` takes.
        checked(unsafe {
            abbe_script(
                class.as_ptr(),
                name_pointers.as_ptr(),
                tensors.as_ptr(),
                are_parameters.as_ptr(),
                names.len(),
                source.as_ptr(),
                extra_name.as_ptr(),
                extra.as_ptr(),
                &raw mut bytes,
            )
        })?;
        Vec::try_from(owned(bytes))
    }
}

#[cfg(test)]
mod tests {
    use tch::CModule;

    use super::*;

    #[test]
    fn a_module_computes_what_its_source_says_with_its_tensors() {
        let weight = Tensor::from_slice(&[2.0f32]);
        let bias = Tensor::from_slice(&[0.5f32]);
        let source = "def forward(self, x):\n    return x * getattr(self.body, \"0\").weight + self.body.bias\n";
        let script = |source| Script {
            class: "Line",
            parameters: vec![("body.0.weight", &weight)],
            buffers: vec![("body.bias", &bias)],
            source,
            extra: ("about.json", "{}"),
        };
        let bytes = script(source).save().unwrap();
        let module = CModule::load_data(&mut bytes.as_slice()).unwrap();
        let names: Vec<_> = module.named_parameters().unwrap().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["body.0.weight"]);
        let ys = module.forward_ts(&[Tensor::from_slice(&[3.0f32])]).unwrap();
        assert_eq!(Vec::<f32>::try_from(ys).unwrap(), [6.5]);
        let error = script("def forward(self, x):\n    return self.head").save().unwrap_err().to_string();
        assert!(error.contains("head"), "{error}");
        assert!(script("a\0b").save().is_err());
    }
}
