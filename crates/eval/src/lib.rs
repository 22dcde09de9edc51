//! Metrics, the protocols that say how a metric is taken, and the tables of results.
//!
//! Never: needs a gradient, draws a figure.
