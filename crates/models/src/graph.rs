//! A network's arithmetic as plain data, which executors and exporters read instead of running the network.
//!
//! No network describes itself twice: each layer notes what it does while a small picture passes, and values are told apart by
//! where their numbers lie. A network that does something no layer notes has no graph.

use std::cell::RefCell;
use std::collections::HashMap;

use tch::{Device, Kind, Tensor};

use crate::SrModel;

/// What is done to values `[N, C, h, w]` that steps before gave.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Op {
    /// The picture, `[N, colors, h, w]` in [0, 1].
    Input,
    /// A convolution padded with zeros. Tensors: weight `[c_out, c_in, kernel, kernel]` and, maybe, bias `[c_out]`.
    Conv {
        /// Step between output pixels.
        stride: i64,
        /// Zeros on each side of the input.
        padding: i64,
    },
    /// PyTorch's `ConvTranspose2d`. Tensors: weight `[c_in, c_out, kernel, kernel]` and, maybe, bias `[c_out]`.
    ConvTranspose {
        /// Output pixels between the places of two input pixels.
        stride: i64,
        /// Pixels cut from each side of the output.
        padding: i64,
        /// Pixels of the right and lower side that are not cut.
        output_padding: i64,
    },
    /// (x - mean) / sqrt(variance + eps) * weight + bias. Tensors: weight, bias, mean, variance, `[C]` each.
    BatchNorm {
        /// Added to the variance.
        eps: f64,
    },
    /// Three colours multiplied by a number, and a number for each added.
    Affine {
        /// The factor.
        scale: f32,
        /// What is added.
        shift: [f32; 3],
    },
    /// Multiplied by a number.
    Scale(f64),
    /// max(x, 0)
    Relu,
    /// x above 0, else this many times x.
    LeakyRelu(f64),
    /// The same with a slope for all channels, or one for each. Tensor: slopes `[1]` or `[C]`.
    PRelu,
    /// Hyperbolic tangent.
    Tanh,
    /// Logistic function.
    Sigmoid,
    /// Clamped to [0, 1].
    Clamp,
    /// The sum of two values.
    Add,
    /// The product of two values, the second `[N, C, 1, 1]`.
    Multiply,
    /// All values, one after the other along C.
    Concatenate,
    /// The mean of each channel, `[N, C, 1, 1]`.
    Mean,
    /// `[N, C * factor^2, h, w]` to `[N, C, h * factor, w * factor]`.
    PixelShuffle(i64),
    /// The inverse.
    PixelUnshuffle(i64),
    /// Enlarged by a factor, each pixel repeated.
    Nearest(i64),
    /// Enlarged by a factor, bilinear with replicated border.
    Bilinear(i64),
    /// Enlarged by a factor as [`crate::bicubic::upscale`] does.
    Bicubic(i64),
    /// Continued at the right and the bottom to a multiple of a number, mirrored.
    PadMirrored(i64),
    /// The same with the last row and column repeated.
    PadReplicated(i64),
    /// Cut at the right and the bottom to this many times the picture's height and width.
    Crop(i64),
}

/// One operation.
#[derive(Debug)]
pub struct Step {
    /// The layer's place in the state dict; empty when it has no tensor there.
    pub name: String,
    /// What is done.
    pub op: Op,
    /// Those of the network that it needs, not copies, without gradients.
    pub tensors: Vec<Tensor>,
    /// The steps, all before this one, whose values it takes.
    pub inputs: Vec<usize>,
    /// Channels of its value.
    pub channels: i64,
}

impl Step {
    /// The names of its tensors in the state dict.
    pub fn names(&self) -> impl Iterator<Item = String> {
        let kinds = match self.op {
            Op::BatchNorm { .. } => ["weight", "bias", "running_mean", "running_var"].as_slice(),
            _ => &["weight", "bias"],
        };
        kinds.iter().take(self.tensors.len()).map(|kind| format!("{}.{kind}", self.name))
    }
}

/// The steps in the order in which they run: the first is [`Op::Input`], the last gives SR.
pub type Graph = Vec<Step>;

#[derive(Default)]
struct Trace {
    steps: Graph,
    places: HashMap<(usize, Vec<i64>), usize>,
    // Held, so that no two values of a trace can lie at one place.
    values: Vec<Tensor>,
    is_complete: bool,
}

thread_local! {
    static TRACE: RefCell<Option<Trace>> = const { RefCell::new(None) };
}

/// The graph of a network on the CPU in evaluation; none where a step of it takes what no layer has noted.
pub fn graph(model: &dyn SrModel) -> Option<Graph> {
    let picture = Tensor::zeros([1, model.colors(), 2, 2], (Kind::Float, Device::Cpu));
    TRACE.set(Some(Trace { is_complete: true, ..Trace::default() }));
    note("", Op::Input, &[], &[], &picture);
    let sr = tch::no_grad(|| model.forward(&picture, false));
    let trace = TRACE.take()?;
    let last = trace.steps.len() - 1;
    (trace.is_complete && trace.places.get(&place(&sr)) == Some(&last)).then_some(trace.steps)
}

/// Notes that `op` with these tensors made `ys` from `inputs`, when a graph is being made on this thread.
pub(crate) fn note(name: &str, op: Op, tensors: &[&Tensor], inputs: &[&Tensor], ys: &Tensor) {
    TRACE.with_borrow_mut(|trace| {
        let Some(trace) = trace else { return };
        let known: Option<Vec<usize>> = inputs.iter().map(|xs| trace.places.get(&place(xs)).copied()).collect();
        trace.is_complete &= known.is_some();
        trace.places.insert(place(ys), trace.steps.len());
        trace.values.push(ys.shallow_clone());
        let tensors = tensors.iter().map(|tensor| tensor.detach()).collect();
        let (inputs, channels) = (known.unwrap_or_default(), ys.size()[1]);
        trace.steps.push(Step { name: name.to_string(), op, tensors, inputs, channels });
    });
}

/// [`note`] of a step without tensors, passing the value through.
pub(crate) fn noted(op: Op, inputs: &[&Tensor], ys: Tensor) -> Tensor {
    note("", op, &[], inputs, &ys);
    ys
}

/// What tells a value from all others that are held.
fn place(value: &Tensor) -> (usize, Vec<i64>) {
    (value.data_ptr() as usize, value.size())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Built, NETWORKS, Network, Store, convert, layer, srcnn};

    /// SRCNN's steps, one after the other.
    #[test]
    fn a_chain_is_noted_in_order() {
        let config = srcnn::Config { kernels: [5, 1, 3], channels: [4, 3], ..srcnn::Config::paper(2) };
        let graph = graph(&srcnn::Srcnn::new(&config, Device::Cpu).unwrap()).unwrap();
        let names: Vec<_> = graph.iter().map(|step| step.name.as_str()).collect();
        assert_eq!(names, ["", "", "conv1", "", "conv2", "", "conv3"]);
        assert!(matches!((&graph[1].op, &graph[3].op), (Op::Bicubic(2), Op::Relu)));
        assert!(graph.iter().enumerate().skip(1).all(|(i, step)| step.inputs == [i - 1]));
    }

    /// A step's names are those that the store has for the same numbers.
    #[test]
    fn tensors_are_named_as_in_the_state_dict() {
        for config in NETWORKS.iter().flat_map(|network| (network.samples)()) {
            let Built::Sr(model) = config.build(Device::Cpu).unwrap() else { continue };
            let state = model.store().state_dict();
            for step in graph(&*model).unwrap() {
                for (name, tensor) in step.names().zip(&step.tensors) {
                    assert_eq!(
                        convert::to_checkpoint(tensor).to_f32().unwrap(),
                        state[&name].to_f32().unwrap(),
                        "{name}"
                    );
                }
                assert_eq!(step.names().count(), step.tensors.len());
            }
        }
    }

    struct Doubled(Store);

    impl Network for Doubled {
        fn forward(&self, xs: &Tensor, _train: bool) -> Tensor {
            layer::relu(&(xs * 2.0)) // the product is noted by nobody
        }

        fn store(&self) -> &Store {
            &self.0
        }
    }

    impl SrModel for Doubled {
        fn scale(&self) -> i64 {
            1
        }

        fn radius(&self) -> i64 {
            0
        }
    }

    #[test]
    fn what_no_layer_notes_leaves_no_graph() {
        assert!(graph(&Doubled(Store::new(Device::Cpu))).is_none());
    }
}
