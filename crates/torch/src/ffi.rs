//! The C interface of `cpp/abbe_torch.cpp`, each call wrapped once. All unsafe code that calls C++ is here.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_int};

use tch::{Device, TchError, Tensor};
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
        rate: *const C_tensor,
        left_out: *const C_tensor,
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
        rate: *const C_tensor,
        left_out: *const C_tensor,
    ) -> *mut c_char;
    fn abbe_clip_norm(grads: *const *const C_tensor, count: usize, most: f64, norm: *mut *mut C_tensor) -> *mut c_char;
    fn abbe_lerp(from: *const *const C_tensor, to: *const *const C_tensor, count: usize, weight: f64) -> *mut c_char;
    fn abbe_lerp_by(
        from: *const *const C_tensor,
        to: *const *const C_tensor,
        count: usize,
        weight: *const C_tensor,
    ) -> *mut c_char;
    fn abbe_unscale(
        grads: *const *const C_tensor,
        count: usize,
        found: *const C_tensor,
        inverse_scale: *const C_tensor,
    ) -> *mut c_char;
    fn abbe_leaky_relu(xs: *const C_tensor, slope: f64, ys: *mut *mut C_tensor) -> *mut c_char;
    fn abbe_scalar_prelu(xs: *const C_tensor, weight: *const C_tensor, ys: *mut *mut C_tensor) -> *mut c_char;
    fn abbe_keep_freed_memory();
    fn abbe_autocast_enter(gpu: c_int, kind: i8, was_on: *mut bool, was_kind: *mut i8) -> *mut c_char;
    fn abbe_autocast_exit(gpu: c_int, was_on: bool, was_kind: i8) -> *mut c_char;
    fn abbe_peak_memory(gpu: c_int, bytes: *mut u64) -> *mut c_char;
    fn abbe_generator_state(gpu: c_int, state: *mut *mut C_tensor) -> *mut c_char;
    fn abbe_set_generator_state(gpu: c_int, state: *const C_tensor) -> *mut c_char;
    fn abbe_deterministic(on: bool) -> *mut c_char;
    fn abbe_allow_tf32(on: bool) -> *mut c_char;
    fn abbe_libtorch_version() -> *const c_char;
    fn abbe_cpu_capability() -> *mut c_char;
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

pub(crate) fn pointers(tensors: &[&Tensor]) -> Vec<*const C_tensor> {
    tensors.iter().map(|tensor| tensor.as_ptr()).collect()
}

/// What the device decides of a step by itself, two float32 scalars on it.
#[derive(Clone, Copy)]
pub(crate) struct Unless<'a> {
    /// The learning rate, in the place of the configuration's.
    pub lr: &'a Tensor,
    /// 1: the step is left out; 0: it is taken.
    pub left_out: &'a Tensor,
}

/// The two scalars, null without.
fn scalars(unless: Option<Unless>) -> [*const C_tensor; 2] {
    unless.map_or([std::ptr::null(); 2], |of| [of.lr, of.left_out].map(|scalar| scalar.as_ptr()))
}

/// Runs libtorch's fused Adam or AdamW kernel in place on `params`, `exp_avgs` and `exp_avg_sqs`. `steps` are to count this
/// step already; with `unless` they are counted here.
pub(crate) fn fused_adam(lists: &AdamLists, config: &AdamConfig, unless: Option<Unless>) -> Result<(), TchError> {
    let (params, grads) = (pointers(&lists.params), pointers(&lists.grads));
    let (exp_avgs, exp_avg_sqs) = (pointers(&lists.exp_avgs), pointers(&lists.exp_avg_sqs));
    let steps = pointers(&lists.steps);
    let ([beta1, beta2], [rate, left_out]) = (config.betas, scalars(unless));
    // SAFETY: every pointer comes from a live tensor that `lists` or `unless` borrows, and all five arrays have `params.len()`
    // entries; without `unless` both its pointers are null.
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
            rate,
            left_out,
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
pub(crate) fn fused_sgd(lists: &SgdLists, config: &SgdConfig, unless: Option<Unless>) -> Result<(), TchError> {
    let (params, grads, buffers) = (pointers(&lists.params), pointers(&lists.grads), pointers(&lists.buffers));
    let [rate, left_out] = scalars(unless);
    // SAFETY: every pointer comes from a live tensor that `lists` or `unless` borrows; `grads` has `params.len()` entries, and
    // `buffers` too, unless it is empty and passed as null, as the two scalars are without `unless`.
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
            rate,
            left_out,
        )
    };
    checked(message)
}

/// The norm of all `grads` together, a scalar; they are scaled down to `most` where it is above.
pub(crate) fn clip_norm(grads: &[&Tensor], most: f64) -> Result<Tensor, TchError> {
    let (grads, mut norm) = (pointers(grads), std::ptr::null_mut());
    // SAFETY: the pointers come from live tensors, and the call writes at most one new tensor, which `owned` takes.
    checked(unsafe { abbe_clip_norm(grads.as_ptr(), grads.len(), most, &raw mut norm) }).map(|()| owned(norm))
}

/// Moves each of `from` towards its partner in `to`, equally many, by this part of the way.
pub(crate) fn lerp(from: &[&Tensor], to: &[&Tensor], weight: f64) -> Result<(), TchError> {
    assert_eq!(from.len(), to.len(), "a list of pairs");
    let (from, to) = (pointers(from), pointers(to));
    // SAFETY: the pointers come from live tensors, equally many in both arrays.
    checked(unsafe { abbe_lerp(from.as_ptr(), to.as_ptr(), from.len(), weight) })
}

/// The same where the part is a scalar on the device.
pub(crate) fn lerp_by(from: &[&Tensor], to: &[&Tensor], weight: &Tensor) -> Result<(), TchError> {
    assert_eq!(from.len(), to.len(), "a list of pairs");
    let (from, to) = (pointers(from), pointers(to));
    // SAFETY: the pointers come from live tensors, equally many in both arrays.
    checked(unsafe { abbe_lerp_by(from.as_ptr(), to.as_ptr(), from.len(), weight.as_ptr()) })
}

/// Multiplies `grads` with the scalar `inverse_scale`; the scalar `found` becomes 1 where one of them is not finite.
pub(crate) fn unscale(grads: &[&Tensor], found: &Tensor, inverse_scale: &Tensor) -> Result<(), TchError> {
    let grads = pointers(grads);
    // SAFETY: all pointers come from live tensors.
    checked(unsafe { abbe_unscale(grads.as_ptr(), grads.len(), found.as_ptr(), inverse_scale.as_ptr()) })
}

/// What autocast was set to on a device: whether it was on, and its type's number.
pub(crate) type Autocast = (bool, i8);

/// Switches autocast on for the type with this number of c10's.
pub(crate) fn autocast_enter(device: Device, kind: i8) -> Result<Autocast, TchError> {
    let (mut was_on, mut was_kind) = (false, 0);
    // SAFETY: the two out-pointers are to locals.
    checked(unsafe { abbe_autocast_enter(gpu(device), kind, &raw mut was_on, &raw mut was_kind) })?;
    Ok((was_on, was_kind))
}

/// Sets autocast back to what it was.
pub(crate) fn autocast_exit(device: Device, (was_on, was_kind): Autocast) -> Result<(), TchError> {
    // SAFETY: plain values.
    checked(unsafe { abbe_autocast_exit(gpu(device), was_on, was_kind) })
}

/// The most bytes that the tensors of a GPU ever took at once.
pub(crate) fn peak_memory(gpu: usize) -> Result<u64, TchError> {
    let mut bytes = 0;
    // SAFETY: the call writes one number.
    checked(unsafe { abbe_peak_memory(gpu as c_int, &raw mut bytes) }).map(|()| bytes)
}

/// The state of a device's random numbers, bytes on the CPU.
pub(crate) fn generator_state(device: Device) -> Result<Tensor, TchError> {
    let mut state = std::ptr::null_mut();
    // SAFETY: the call writes at most one new tensor, which `owned` takes.
    checked(unsafe { abbe_generator_state(gpu(device), &raw mut state) }).map(|()| owned(state))
}

/// Puts back the state of a device's random numbers.
pub(crate) fn set_generator_state(device: Device, state: &Tensor) -> Result<(), TchError> {
    // SAFETY: the pointer comes from a live tensor; libtorch checks what it holds.
    checked(unsafe { abbe_set_generator_state(gpu(device), state.as_ptr()) })
}

/// Asks for algorithms that give the same bits every time.
pub(crate) fn deterministic(on: bool) -> Result<(), TchError> {
    // SAFETY: a plain value.
    checked(unsafe { abbe_deterministic(on) })
}

/// Allows TensorFloat-32, or not.
pub(crate) fn allow_tf32(on: bool) -> Result<(), TchError> {
    // SAFETY: a plain value.
    checked(unsafe { abbe_allow_tf32(on) })
}

/// The number of a GPU, -1 for the CPU.
fn gpu(device: Device) -> c_int {
    match device {
        Device::Cuda(index) => index as c_int,
        _ => -1,
    }
}

/// A leaky rectifier with this slope.
pub(crate) fn leaky_relu(xs: &Tensor, slope: f64) -> Result<Tensor, TchError> {
    let mut ys = std::ptr::null_mut();
    // SAFETY: `xs` is alive, and `ys` is written where the call succeeds.
    checked(unsafe { abbe_leaky_relu(xs.as_ptr(), slope, &raw mut ys) }).map(|()| owned(ys))
}

/// The same with the one number of `weight` as its slope.
pub(crate) fn scalar_prelu(xs: &Tensor, weight: &Tensor) -> Result<Tensor, TchError> {
    let mut ys = std::ptr::null_mut();
    // SAFETY: both tensors are alive, and `ys` is written where the call succeeds.
    checked(unsafe { abbe_scalar_prelu(xs.as_ptr(), weight.as_ptr(), &raw mut ys) }).map(|()| owned(ys))
}

/// From now on memory that was freed stays with the program, on Linux with glibc: libtorch allocates the same large blocks
/// in every training step, and fresh pages from the system cost about 6 % of one.
pub fn keep_freed_memory() {
    // SAFETY: it only sets parameters of the allocator.
    unsafe { abbe_keep_freed_memory() }
}

/// A tensor that a call of ours has made.
pub(crate) fn owned(tensor: *mut C_tensor) -> Tensor {
    // SAFETY: the call succeeded, so it points to a new at::Tensor, which nothing else frees.
    unsafe { Tensor::from_ptr(tensor) }
}

/// What a call of ours returned, as a result.
pub(crate) fn checked(message: *mut c_char) -> Result<(), TchError> {
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
