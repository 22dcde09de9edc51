//! From a picture file to pixels, LR/HR pairs, patches and batches.
//!
//! Never: a network, a device, a metric.
