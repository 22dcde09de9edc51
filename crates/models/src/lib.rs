//! Networks, one file each, and the names and shapes of their parameters.
//!
//! Never: reads a picture, converts a colour, takes an optimiser step.
