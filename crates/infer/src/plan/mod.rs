//! A network as a list of operations that give the same picture in less time on the CPU.
//!
//! [`lower`] makes it of the network's graph, once: batch norm and constant factors become part of the weights of the
//! convolution before them, activations and sums part of the convolution itself, a last convolution with a large kernel and
//! few channels is taken apart into rows. [`Executor`] runs it, in oneDNN's convolutions.

mod lower;
mod run;

use std::fmt;

use abbe_models::{SrModel, graph};

pub use run::Executor;

/// The operations in the order in which they run; the last one gives SR. Plans are equal when they do the same, whatever the
/// values of the weights, but for slopes that are one number.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan(pub Vec<Step>);

/// One operation.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The place in the state dict of the layer whose weights it has; empty where it has none.
    pub name: String,
    /// What is done.
    pub op: Op,
    /// The shapes of the weights, as they are after lowering.
    pub shapes: Vec<Vec<i64>>,
    /// The steps whose values it takes.
    pub inputs: Vec<usize>,
}

/// What a step does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Op {
    /// What the network has there.
    Plain(graph::Op),
    /// A convolution, plus the second input where there is one, then the activation.
    Convolution(Convolution),
    /// A convolution that keeps the size, as a convolution of rows alone, whose results for each row of the kernel are then
    /// added, shifted against each other: with few channels out the first has many more to share its input's pixels among.
    Rows,
    /// A pixel shuffle by a factor of channels that were put in the order of the pixels.
    Shuffle(i64),
}

/// What is fused into a convolution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Convolution {
    /// Step between output pixels.
    pub stride: i64,
    /// Zeros on each side of the input.
    pub padding: i64,
    /// What is added before the activation.
    pub sum: Sum,
    /// What is done last.
    pub activation: Activation,
}

/// What is added to a convolution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Sum {
    /// Nothing.
    None,
    /// The second input.
    Other,
    /// The second input, whose memory the result takes, because nothing needs it later.
    Onto,
}

/// What follows a convolution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Activation {
    /// Nothing.
    None,
    /// Values below zero are multiplied by a number, 0 for a rectifier.
    Slope(f64),
    /// The same with a number for each channel, which is the last of the weights.
    Slopes,
}

impl Plan {
    /// The plan of a network on the CPU; none for one that has no graph.
    pub fn new(model: &dyn SrModel) -> Option<Self> {
        graph::graph(model).map(|graph| lower::lower(graph).0)
    }
}

/// A line for each step: its number, what it does, of which steps, with which layer's weights.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        for (number, step) in self.0.iter().enumerate() {
            let inputs: Vec<_> = step.inputs.iter().map(|input| format!("%{input}")).collect();
            let line =
                format!("{:<5} {:<52} {:<16} {}", format!("%{number}"), step.to_string(), inputs.join(" "), step.name);
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// What it does, in words.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match &self.op {
            Op::Plain(op) => write!(f, "{op:?}"),
            Op::Rows => write!(f, "convolution {} by rows", self.shape()),
            Op::Shuffle(factor) => write!(f, "shuffle {factor}"),
            Op::Convolution(Convolution { stride, sum, activation, .. }) => {
                write!(f, "convolution {}", self.shape())?;
                if *stride > 1 {
                    write!(f, " stride {stride}")?;
                }
                f.write_str(match sum {
                    Sum::None => "",
                    Sum::Other => ", add",
                    Sum::Onto => ", add onto",
                })?;
                match activation {
                    Activation::None => Ok(()),
                    Activation::Slope(0.0) => f.write_str(", relu"),
                    Activation::Slope(slope) => write!(f, ", slope {slope}"),
                    Activation::Slopes => f.write_str(", slopes"),
                }
            }
        }
    }
}

impl Step {
    /// Channels in and out, and the kernel.
    fn shape(&self) -> String {
        match self.shapes.first().map(Vec::as_slice) {
            Some([c_out, c_in, height, width]) => format!("{c_in} -> {c_out}, {height}x{width}"),
            _ => String::new(),
        }
    }
}

#[cfg(test)]
mod tests;
