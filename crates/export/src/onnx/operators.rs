//! From a step to ONNX's operators, which are described at onnx.ai/onnx/operators.

use abbe_models::graph::{Op, Step};
use tch::Tensor;

use super::draft::{Draft, float, int, ints, text};
use super::proto::AttributeProto;

/// Adds what a step does with the values `inputs`; the name of what it gives.
pub(super) fn lower(draft: &mut Draft, step: &Step, inputs: &[&str]) -> String {
    match step.op {
        Op::Input => draft.entered("lr"),
        Op::Conv { stride, padding } => {
            layer(draft, step, inputs, "Conv", vec![ints("strides", &[stride; 2]), ints("pads", &[padding; 4])])
        }
        Op::ConvTranspose { stride, padding, output_padding } => {
            let more = ints("output_padding", &[output_padding; 2]);
            let attributes = vec![ints("strides", &[stride; 2]), ints("pads", &[padding; 4]), more];
            layer(draft, step, inputs, "ConvTranspose", attributes)
        }
        Op::BatchNorm { eps } => layer(draft, step, inputs, "BatchNormalization", vec![float("epsilon", eps)]),
        Op::Affine { scale, shift } => {
            let (scale, shift) = (draft.numbers(&[scale], &[]), draft.numbers(&shift, &[1, 3, 1, 1]));
            let product = draft.node("Mul", &[inputs[0], &scale], Vec::new());
            draft.node("Add", &[&product, &shift], Vec::new())
        }
        Op::Scale(factor) => {
            let factor = draft.numbers(&[factor as f32], &[]);
            draft.node("Mul", &[inputs[0], &factor], Vec::new())
        }
        Op::Relu => draft.node("Relu", inputs, Vec::new()),
        Op::LeakyRelu(slope) => draft.node("LeakyRelu", inputs, vec![float("alpha", slope)]),
        Op::PRelu => layer(draft, step, inputs, "PRelu", Vec::new()),
        Op::Tanh => draft.node("Tanh", inputs, Vec::new()),
        Op::Sigmoid => draft.node("Sigmoid", inputs, Vec::new()),
        Op::Clamp => {
            let [least, most] = [draft.numbers(&[0.0], &[]), draft.numbers(&[1.0], &[])];
            draft.node("Clip", &[inputs[0], &least, &most], Vec::new())
        }
        Op::Add => draft.node("Add", inputs, Vec::new()),
        Op::Multiply => draft.node("Mul", inputs, Vec::new()),
        Op::Concatenate => draft.node("Concat", inputs, vec![int("axis", 1)]),
        Op::Mean => draft.node("GlobalAveragePool", inputs, Vec::new()),
        Op::PixelShuffle(factor) => {
            draft.node("DepthToSpace", inputs, vec![int("blocksize", factor), text("mode", "CRD")])
        }
        Op::PixelUnshuffle(factor) => unshuffle(draft, step, inputs[0], factor),
        Op::Nearest(factor) => {
            let from = vec![text("coordinate_transformation_mode", "asymmetric"), text("nearest_mode", "floor")];
            resize(draft, inputs[0], factor, "nearest", from)
        }
        Op::Bilinear(factor) => resize(draft, inputs[0], factor, "linear", Vec::new()),
        Op::Bicubic(factor) => resize(draft, inputs[0], factor, "cubic", vec![float("cubic_coeff_a", -0.5)]),
        Op::PadMirrored(multiple) => continued(draft, inputs[0], multiple, mirrored),
        Op::PadReplicated(multiple) => continued(draft, inputs[0], multiple, replicated),
        Op::Crop(scale) => crop(draft, inputs[0], scale),
    }
}

/// A node that takes the step's tensors behind its inputs.
fn layer(draft: &mut Draft, step: &Step, inputs: &[&str], operator: &str, attributes: Vec<AttributeProto>) -> String {
    let dims = |tensor: &Tensor| match step.op {
        Op::PRelu => [tensor.size(), vec![1, 1]].concat(), // [C, 1, 1], as channels lie in a batch
        _ => tensor.size(),
    };
    let tensors = step.names().zip(&step.tensors);
    let tensors: Vec<_> = tensors.map(|(name, tensor)| draft.tensor(name, tensor, dims(tensor))).collect();
    let inputs: Vec<_> = inputs.iter().copied().chain(tensors.iter().map(String::as_str)).collect();
    draft.node(operator, &inputs, attributes)
}

/// ONNX puts a square's pixels before the channels, PyTorch after them: the two change places. (One `Gather` would do, but
/// OpenVINO 2026.4 computes another picture when a convolution follows it.)
fn unshuffle(draft: &mut Draft, step: &Step, input: &str, factor: i64) -> String {
    let (squares, pixels) = (draft.node("SpaceToDepth", &[input], vec![int("blocksize", factor)]), factor * factor);
    let apart = draft.integers(&[0, pixels, step.channels / pixels, -1]); // 0: the batch as it is
    let apart = draft.node("Reshape", &[&squares, &apart], Vec::new());
    let ordered = draft.node("Transpose", &[&apart], vec![ints("perm", &[0, 2, 1, 3])]);
    let shape = draft.node("Shape", &[&squares], Vec::new());
    draft.node("Reshape", &[&ordered, &shape], Vec::new())
}

/// Pixels are squares whose centres count, and the border is replicated: both are ONNX's defaults.
fn resize(draft: &mut Draft, input: &str, factor: i64, mode: &str, mut attributes: Vec<AttributeProto>) -> String {
    let factors = draft.factors(&[1.0, 1.0, factor as f32, factor as f32]);
    attributes.insert(0, text("mode", mode));
    draft.node("Resize", &[input, "", &factors], attributes)
}

/// Height, then width continued to a multiple: pixels are taken by where they are, which `place` tells of the numbers of all
/// places and that of the last one.
fn continued(draft: &mut Draft, input: &str, multiple: i64, place: fn(&mut Draft, &str, &str) -> String) -> String {
    let [zero, one, multiple] = [0, 1, multiple].map(|value| draft.integer(value));
    [2, 3].into_iter().fold(input.to_owned(), |value, axis| {
        let (shape, side) = (draft.node("Shape", &[&value], Vec::new()), draft.integer(axis));
        let length = draft.node("Gather", &[&shape, &side], Vec::new());
        let last = draft.node("Sub", &[&length, &one], Vec::new());
        let beyond = draft.node("Add", &[&last, &multiple], Vec::new());
        let squares = draft.node("Div", &[&beyond, &multiple], Vec::new());
        let whole = draft.node("Mul", &[&squares, &multiple], Vec::new());
        let all = draft.node("Range", &[&zero, &whole, &one], Vec::new());
        let places = place(draft, &all, &last);
        draft.node("Gather", &[&value, &places], vec![int("axis", axis)])
    })
}

/// `last - |all mod max(2 * last, 1) - last|`
fn mirrored(draft: &mut Draft, all: &str, last: &str) -> String {
    let [one, two] = [1, 2].map(|value| draft.integer(value));
    let twice = draft.node("Mul", &[last, &two], Vec::new());
    let period = draft.node("Max", &[&twice, &one], Vec::new());
    let phase = draft.node("Mod", &[all, &period], Vec::new());
    let signed = draft.node("Sub", &[&phase, last], Vec::new());
    let distance = draft.node("Abs", &[&signed], Vec::new());
    draft.node("Sub", &[last, &distance], Vec::new())
}

fn replicated(draft: &mut Draft, all: &str, last: &str) -> String {
    draft.node("Min", &[all, last], Vec::new())
}

fn crop(draft: &mut Draft, input: &str, scale: i64) -> String {
    let sides = draft.node("Shape", &["lr"], vec![int("start", 2), int("end", 4)]);
    let scale = draft.integer(scale);
    let ends = draft.node("Mul", &[&sides, &scale], Vec::new());
    let [starts, axes] = [draft.integers(&[0, 0]), draft.integers(&[2, 3])];
    draft.node("Slice", &[input, &starts, &ends, &axes], Vec::new())
}
