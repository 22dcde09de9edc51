//! The C interface of `cpp/graph.cpp`, each call wrapped once.
#![allow(unsafe_code)]

use std::ffi::{c_char, c_int};

use tch::TchError;

use crate::ffi::checked;

#[repr(C)]
struct CGraph {
    _private: [u8; 0],
}
#[repr(C)]
struct CSide {
    _private: [u8; 0],
}

unsafe extern "C" {
    fn abbe_graph_check() -> *mut c_char;
    fn abbe_side_enter(gpu: c_int, side: *mut *mut CSide) -> *mut c_char;
    fn abbe_side_leave(side: *mut CSide) -> *mut c_char;
    fn abbe_graph_begin(graph: *mut *mut CGraph) -> *mut c_char;
    fn abbe_graph_end(graph: *mut CGraph) -> *mut c_char;
    fn abbe_graph_replay(graph: *mut CGraph) -> *mut c_char;
    fn abbe_graph_free(graph: *mut CGraph);
}

/// Whether libtorch's class is at hand.
pub(super) fn check() -> Result<(), TchError> {
    // SAFETY: the call takes nothing.
    checked(unsafe { abbe_graph_check() })
}

/// While it lives, this thread's work goes to a GPU's stream beside the one in use before. It is not `Send`.
pub(super) struct Side(*mut CSide);

impl Side {
    /// Once the GPU has done what it was given.
    pub fn enter(gpu: usize) -> Result<Self, TchError> {
        let mut side = std::ptr::null_mut();
        // SAFETY: the call writes at most one new pointer, which `Side` takes.
        checked(unsafe { abbe_side_enter(gpu as c_int, &raw mut side) }).map(|()| Side(side))
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        // SAFETY: the pointer comes from `abbe_side_enter` and is freed once.
        let _ = checked(unsafe { abbe_side_leave(self.0) }); // what fails on the GPU fails again where it is next used
    }
}

/// An `at::cuda::CUDAGraph`, which belongs to the thread that made it: it is not `Send`.
pub(super) struct Graph(*mut CGraph);

impl Graph {
    /// Begins a capture on this thread's stream; it lasts up to [`Graph::end`].
    pub fn begin() -> Result<Self, TchError> {
        let mut graph = std::ptr::null_mut();
        // SAFETY: the call writes at most one new pointer, which `Graph` takes.
        checked(unsafe { abbe_graph_begin(&raw mut graph) }).map(|()| Graph(graph))
    }

    /// Ends the capture.
    pub fn end(&self) -> Result<(), TchError> {
        // SAFETY: the pointer comes from `abbe_graph_begin` and lives as long as `self`.
        checked(unsafe { abbe_graph_end(self.0) })
    }

    /// libtorch refuses it before [`Graph::end`].
    pub fn replay(&self) -> Result<(), TchError> {
        // SAFETY: as above.
        checked(unsafe { abbe_graph_replay(self.0) })
    }
}

impl Drop for Graph {
    fn drop(&mut self) {
        // SAFETY: the pointer comes from `abbe_graph_begin` and is freed once.
        unsafe { abbe_graph_free(self.0) }
    }
}
