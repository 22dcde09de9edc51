//! The C interface of `cpp/process_group.cpp`, each call wrapped once.
#![allow(unsafe_code)]

use std::ffi::{CString, c_char, c_int, c_longlong, c_ushort};
use std::time::Duration;

use tch::{TchError, Tensor};
use torch_sys::C_tensor;

use super::environment::Environment;
use crate::ffi::{checked, owned, pointers};

#[repr(C)]
struct CStore {
    _private: [u8; 0],
}
#[repr(C)]
struct CGroup {
    _private: [u8; 0],
}
#[repr(C)]
struct CReducer {
    _private: [u8; 0],
}

unsafe extern "C" {
    fn abbe_store_join(
        host: *const c_char,
        port: c_ushort,
        serves: bool,
        size: usize,
        prefix: *const c_char,
        limit_ms: c_longlong,
        store: *mut *mut CStore,
    ) -> *mut c_char;
    fn abbe_store_add(store: *mut CStore, key: *const c_char, amount: c_longlong, sum: *mut c_longlong) -> *mut c_char;
    fn abbe_store_free(store: *mut CStore);
    fn abbe_group_join(
        store: *mut CStore,
        rank: c_int,
        size: c_int,
        limit_ms: c_longlong,
        group: *mut *mut CGroup,
    ) -> *mut c_char;
    fn abbe_group_free(group: *mut CGroup);
    fn abbe_group_all_reduce(group: *mut CGroup, tensors: *const *const C_tensor, count: usize) -> *mut c_char;
    fn abbe_group_broadcast(group: *mut CGroup, tensors: *const *const C_tensor, count: usize) -> *mut c_char;
    fn abbe_group_barrier(group: *mut CGroup) -> *mut c_char;
    fn abbe_group_sum(group: *mut CGroup, tensor: *const C_tensor, sum: *mut *mut C_tensor) -> *mut c_char;
    fn abbe_reducer_new(
        group: *mut CGroup,
        parameters: *const *const C_tensor,
        count: usize,
        reducer: *mut *mut CReducer,
    ) -> *mut c_char;
    fn abbe_reducer_prepare(reducer: *mut CReducer, loss: *const C_tensor) -> *mut c_char;
    fn abbe_reducer_free(reducer: *mut CReducer) -> *mut c_char;
}

fn milliseconds(limit: Duration) -> c_longlong {
    c_longlong::try_from(limit.as_millis()).unwrap_or(c_longlong::MAX)
}

fn c_string(text: &str) -> Result<CString, TchError> {
    CString::new(text).map_err(|_| TchError::Torch(format!("`{}` holds a zero byte", text.escape_debug())))
}

/// The numbers under keys that all ranks of a job share.
pub(super) struct Store(*mut CStore);

// SAFETY: c10d::TCPStore holds a mutex while it asks the server, and c10d::PrefixStore around it never changes.
unsafe impl Send for Store {}
// SAFETY: as above.
unsafe impl Sync for Store {}

impl Store {
    /// Waits for the rank that serves it and, where that is this one, for all others.
    pub fn join(environment: &Environment, limit: Duration) -> Result<Self, TchError> {
        let (host, prefix) = (c_string(&environment.host)?, c_string(&environment.prefix)?);
        let mut store = std::ptr::null_mut();
        // SAFETY: both strings live through the call; it writes a new store where it succeeds.
        checked(unsafe {
            abbe_store_join(
                host.as_ptr(),
                environment.port,
                environment.serves(),
                environment.size,
                prefix.as_ptr(),
                milliseconds(limit),
                &raw mut store,
            )
        })?;
        Ok(Store(store))
    }

    /// Adds to the number under a key, 0 at first; the sum.
    pub fn add(&self, key: &str, amount: i64) -> Result<i64, TchError> {
        let (key, mut sum) = (c_string(key)?, 0);
        // SAFETY: the store and the key live through the call, which writes one number.
        checked(unsafe { abbe_store_add(self.0, key.as_ptr(), amount, &raw mut sum) }).map(|()| sum)
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // SAFETY: made by abbe_store_join, freed once.
        unsafe { abbe_store_free(self.0) }
    }
}

/// The connections of this rank to all others.
pub(super) struct Group(*mut CGroup);

impl Group {
    pub fn join(store: &Store, environment: &Environment, limit: Duration) -> Result<Self, TchError> {
        let number = |number| c_int::try_from(number).map_err(|_| TchError::Torch("too many ranks".into()));
        let (rank, size) = (number(environment.rank)?, number(environment.size)?);
        let mut group = std::ptr::null_mut();
        // SAFETY: the store lives through the call; it writes a new group where it succeeds.
        checked(unsafe { abbe_group_join(store.0, rank, size, milliseconds(limit), &raw mut group) })?;
        Ok(Group(group))
    }

    /// Sums over the ranks in place.
    pub fn all_reduce(&self, tensors: &[&Tensor]) -> Result<(), TchError> {
        let tensors = pointers(tensors);
        // SAFETY: the pointers come from live tensors.
        checked(unsafe { abbe_group_all_reduce(self.0, tensors.as_ptr(), tensors.len()) })
    }

    /// Takes over the numbers of rank 0.
    pub fn broadcast(&self, tensors: &[&Tensor]) -> Result<(), TchError> {
        let tensors = pointers(tensors);
        // SAFETY: the pointers come from live tensors.
        checked(unsafe { abbe_group_broadcast(self.0, tensors.as_ptr(), tensors.len()) })
    }

    pub fn barrier(&self) -> Result<(), TchError> {
        // SAFETY: the group lives through the call.
        checked(unsafe { abbe_group_barrier(self.0) })
    }

    /// The sum over the ranks as a new tensor, through which gradients flow.
    pub fn sum(&self, tensor: &Tensor) -> Result<Tensor, TchError> {
        let mut sum = std::ptr::null_mut();
        // SAFETY: the pointer comes from a live tensor, and the call writes at most one new tensor, which `owned` takes.
        checked(unsafe { abbe_group_sum(self.0, tensor.as_ptr(), &raw mut sum) }).map(|()| owned(sum))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // SAFETY: made by abbe_group_join, freed once.
        unsafe { abbe_group_free(self.0) }
    }
}

/// c10d's reducer; it holds what it needs of its group and the parameters.
pub(super) struct Reducer(*mut CReducer);

impl Reducer {
    /// Over parameters that all want a gradient.
    pub fn new(group: &Group, parameters: &[&Tensor]) -> Result<Self, TchError> {
        let (parameters, mut reducer) = (pointers(parameters), std::ptr::null_mut());
        // SAFETY: the pointers come from live tensors; the call writes a new reducer where it succeeds.
        checked(unsafe { abbe_reducer_new(group.0, parameters.as_ptr(), parameters.len(), &raw mut reducer) })?;
        Ok(Reducer(reducer))
    }

    /// The next backward pass is that of this loss, and averages.
    pub fn prepare(&self, loss: &Tensor) -> Result<(), TchError> {
        // SAFETY: the reducer and the tensor live through the call.
        checked(unsafe { abbe_reducer_prepare(self.0, loss.as_ptr()) })
    }
}

impl Drop for Reducer {
    fn drop(&mut self) {
        // SAFETY: made by abbe_reducer_new, freed once. What it has to say at its end changes nothing.
        let _ = checked(unsafe { abbe_reducer_free(self.0) });
    }
}
