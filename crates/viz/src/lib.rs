//! Figures and the archive of results, drawn from the files of a run.
//!
//! Never: runs a network.
