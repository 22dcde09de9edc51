//! Losses, phases and the training loops.
//!
//! Never: decodes or draws a picture, judges a result, prints.
