//! The C interface of `cpp/abbe_torch.cpp`, each call wrapped once. All unsafe code that calls C++ is here.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_char};

use tch::{TchError, Tensor};
use torch_sys::C_tensor;

use crate::adam::AdamConfig;
use crate::sgd::SgdConfig;

unsafe extern "C" {
    fn abbe_fused_adam(
        params: *const *const C_tensor,
        grads: *const *const C_tensor,
        exp_avgs: *const *const C_tensor,
        exp_avg_sqs: *const *const C_tensor,
        steps: *const *const C_tensor,
        count: usize,
        lr: f64,
        beta1: f64,
        beta2: f64,
        eps: f64,
        weight_decay: f64,
        decoupled: bool,
    ) -> *mut c_char;
    fn abbe_fused_sgd(
        params: *const *const C_tensor,
        grads: *const *const C_tensor,
        buffers: *const *const C_tensor,
        count: usize,
        lr: f64,
        momentum: f64,
        weight_decay: f64,
        nesterov: bool,
    ) -> *mut c_char;
    fn abbe_libtorch_version() -> *const c_char;
    fn abbe_cpu_capability() -> *mut c_char;
    fn abbe_allow_tf32(allowed: bool);
    fn abbe_begin_autocast(cuda: bool, bfloat16: bool);
    fn abbe_end_autocast(cuda: bool);
    fn abbe_free_message(message: *mut c_char);
}

/// The five equally long tensor lists of one Adam step, in the order of `at::_fused_adam_`.
pub(crate) struct AdamLists<'a> {
    pub params: Vec<&'a Tensor>,
    pub grads: Vec<&'a Tensor>,
    pub exp_avgs: Vec<&'a Tensor>,
    pub exp_avg_sqs: Vec<&'a Tensor>,
    pub steps: Vec<&'a Tensor>,
}

fn pointers(tensors: &[&Tensor]) -> Vec<*const C_tensor> {
    tensors.iter().map(|tensor| tensor.as_ptr()).collect()
}

/// Runs libtorch's fused Adam or AdamW kernel in place on `params`, `exp_avgs` and `exp_avg_sqs`.
pub(crate) fn fused_adam(lists: &AdamLists, config: &AdamConfig) -> Result<(), TchError> {
    let (params, grads) = (pointers(&lists.params), pointers(&lists.grads));
    let (exp_avgs, exp_avg_sqs) = (pointers(&lists.exp_avgs), pointers(&lists.exp_avg_sqs));
    let steps = pointers(&lists.steps);
    let [beta1, beta2] = config.betas;
    // SAFETY: every pointer comes from a live tensor that `lists` borrows, and all five arrays have `params.len()` entries.
    let message = unsafe {
        abbe_fused_adam(
            params.as_ptr(),
            grads.as_ptr(),
            exp_avgs.as_ptr(),
            exp_avg_sqs.as_ptr(),
            steps.as_ptr(),
            params.len(),
            config.lr,
            beta1,
            beta2,
            config.eps,
            config.weight_decay,
            config.decoupled_weight_decay,
        )
    };
    checked(message)
}

/// The three tensor lists of one SGD step, in the order of `at::_fused_sgd_`: `buffers` are as many as `params`, or none
/// where there is no momentum.
pub(crate) struct SgdLists<'a> {
    pub params: Vec<&'a Tensor>,
    pub grads: Vec<&'a Tensor>,
    pub buffers: Vec<&'a Tensor>,
}

/// Runs libtorch's fused SGD kernel in place on `params` and `buffers`.
pub(crate) fn fused_sgd(lists: &SgdLists, config: &SgdConfig) -> Result<(), TchError> {
    let (params, grads, buffers) = (pointers(&lists.params), pointers(&lists.grads), pointers(&lists.buffers));
    // SAFETY: every pointer comes from a live tensor that `lists` borrows; `grads` has `params.len()` entries, and `buffers`
    // too, unless it is empty and passed as null.
    let message = unsafe {
        abbe_fused_sgd(
            params.as_ptr(),
            grads.as_ptr(),
            if buffers.is_empty() { std::ptr::null() } else { buffers.as_ptr() },
            params.len(),
            config.lr,
            config.momentum,
            config.weight_decay,
            config.nesterov,
        )
    };
    checked(message)
}

/// What a call of ours returned, as a result.
fn checked(message: *mut c_char) -> Result<(), TchError> {
    if message.is_null() {
        return Ok(());
    }
    Err(TchError::Torch(taken(message)))
}

/// The text of a C string that a call of ours made by strdup; it must not be null, and is freed.
fn taken(message: *mut c_char) -> String {
    // SAFETY: the string comes from strdup; it is read once and freed once.
    unsafe {
        let text = CStr::from_ptr(message).to_string_lossy().into_owned();
        abbe_free_message(message);
        text
    }
}

/// The version of the libtorch that this program was compiled against, such as `2.11.0`.
pub fn libtorch_version() -> String {
    // SAFETY: the pointer is to a string literal.
    unsafe { CStr::from_ptr(abbe_libtorch_version()) }.to_string_lossy().into_owned()
}

/// The vector instructions of libtorch's CPU kernels, such as `AVX2`; the variable `ATEN_CPU_CAPABILITY` lowers them.
pub fn cpu_capability() -> String {
    // SAFETY: the call takes nothing and returns a string made by strdup.
    taken(unsafe { abbe_cpu_capability() })
}

/// Whether float32 convolutions and matrix products may be rounded to TF32 (10 bits of mantissa) on a GPU, in this whole
/// process. PyTorch's own choice is yes for convolutions, no for products.
pub fn allow_tf32(allowed: bool) {
    // SAFETY: the call sets two flags of libtorch.
    unsafe { abbe_allow_tf32(allowed) }
}

/// Begins PyTorch's autocast on this thread.
pub(crate) fn begin_autocast(cuda: bool, bfloat16: bool) {
    // SAFETY: the call sets flags of this thread.
    unsafe { abbe_begin_autocast(cuda, bfloat16) }
}

/// Ends it.
pub(crate) fn end_autocast(cuda: bool) {
    // SAFETY: the call sets flags of this thread and frees the weights that were cast.
    unsafe { abbe_end_autocast(cuda) }
}
