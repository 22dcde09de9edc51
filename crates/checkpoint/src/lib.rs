//! PyTorch checkpoints (`.pth`, zip and legacy) to and from plain values, without libtorch and without running anything.
//!
//! Never: executes what a file asks for, knows a network, converts a number silently.
