//! The C interface of `cpp/stream.cpp`, each call wrapped once.
#![allow(unsafe_code)]

use std::ffi::{c_char, c_int};

use tch::{TchError, Tensor};
use torch_sys::C_tensor;

use crate::ffi::{checked, owned};

#[repr(C)]
struct CStream {
    _private: [u8; 0],
}
#[repr(C)]
struct CEvent {
    _private: [u8; 0],
}

unsafe extern "C" {
    fn abbe_stream_new(gpu: c_int, stream: *mut *mut CStream) -> *mut c_char;
    fn abbe_stream_exchange(stream: *mut CStream) -> *mut c_char;
    fn abbe_stream_free(stream: *mut CStream);
    fn abbe_event_record(gpu: c_int, event: *mut *mut CEvent) -> *mut c_char;
    fn abbe_event_block(gpu: c_int, event: *mut CEvent) -> *mut c_char;
    fn abbe_event_wait(event: *mut CEvent) -> *mut c_char;
    fn abbe_event_free(event: *mut CEvent);
    fn abbe_pinned(like: *const C_tensor, pinned: *mut *mut C_tensor) -> *mut c_char;
    fn abbe_copy(to: *const C_tensor, from: *const C_tensor) -> *mut c_char;
}

/// A `c10::Stream`.
pub(super) struct Stream(*mut CStream);

impl Stream {
    pub fn new(gpu: usize) -> Result<Self, TchError> {
        let mut stream = std::ptr::null_mut();
        // SAFETY: the call writes at most one new pointer, which `Stream` takes.
        checked(unsafe { abbe_stream_new(gpu as c_int, &raw mut stream) }).map(|()| Stream(stream))
    }

    /// Changes places with this thread's stream.
    pub fn exchange(&self) -> Result<(), TchError> {
        // SAFETY: the pointer comes from `abbe_stream_new` and lives as long as `self`, which no other thread has.
        checked(unsafe { abbe_stream_exchange(self.0) })
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // SAFETY: the pointer comes from `abbe_stream_new` and is freed once.
        unsafe { abbe_stream_free(self.0) }
    }
}

/// A `c10::Event`.
pub(super) struct Event(*mut CEvent);

impl Event {
    pub fn record(gpu: usize) -> Result<Self, TchError> {
        let mut event = std::ptr::null_mut();
        // SAFETY: the call writes at most one new pointer, which `Event` takes.
        checked(unsafe { abbe_event_record(gpu as c_int, &raw mut event) }).map(|()| Event(event))
    }

    pub fn block(&self, gpu: usize) -> Result<(), TchError> {
        // SAFETY: the pointer comes from `abbe_event_record` and lives as long as `self`.
        checked(unsafe { abbe_event_block(gpu as c_int, self.0) })
    }

    pub fn wait(&self) -> Result<(), TchError> {
        // SAFETY: as above.
        checked(unsafe { abbe_event_wait(self.0) })
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: the pointer comes from `abbe_event_record` and is freed once.
        unsafe { abbe_event_free(self.0) }
    }
}

/// A tensor like `like` in memory of the host that a GPU reads and writes by itself.
pub(super) fn pinned(like: &Tensor) -> Result<Tensor, TchError> {
    let mut pinned = std::ptr::null_mut();
    // SAFETY: `like` is alive, and the call writes at most one new tensor, which `owned` takes.
    checked(unsafe { abbe_pinned(like.as_ptr(), &raw mut pinned) }).map(|()| owned(pinned))
}

/// Copies numbers without waiting where it can be.
pub(super) fn copy(to: &Tensor, from: &Tensor) -> Result<(), TchError> {
    // SAFETY: both tensors are alive.
    checked(unsafe { abbe_copy(to.as_ptr(), from.as_ptr()) })
}
