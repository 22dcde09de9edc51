//! From a step to ONNX's operators, which are described at onnx.ai/onnx/operators.

use abbe_models::graph::{Op, Step};

use super::draft::{Draft, float, int, ints, text};

/// Adds what a step does with the values `inputs`; the name of what it gives.
pub(super) fn lower(draft: &mut Draft, step: &Step, inputs: &[&str]) -> String {
    let operator = match step.op {
        Op::Input => return draft.entered("lr"),
        Op::Conv { stride, padding } => return convolution(draft, step, inputs, "Conv", stride, padding, 0),
        Op::ConvTranspose { stride, padding, output_padding } => {
            return convolution(draft, step, inputs, "ConvTranspose", stride, padding, output_padding);
        }
        Op::BatchNorm { eps } => {
            let tensors = tensors(draft, step, |dims| dims);
            let inputs: Vec<_> = inputs.iter().copied().chain(tensors.iter().map(String::as_str)).collect();
            return draft.node("BatchNormalization", &inputs, vec![float("epsilon", eps)]);
        }
        Op::Affine { scale, shift } => {
            let (scale, shift) = (draft.numbers(&[scale], &[]), draft.numbers(&shift, &[1, 3, 1, 1]));
            let product = draft.node("Mul", &[inputs[0], &scale], Vec::new());
            return draft.node("Add", &[&product, &shift], Vec::new());
        }
        Op::Scale(factor) => {
            let factor = draft.numbers(&[factor as f32], &[]);
            return draft.node("Mul", &[inputs[0], &factor], Vec::new());
        }
        Op::LeakyRelu(slope) => return draft.node("LeakyRelu", inputs, vec![float("alpha", slope)]),
        Op::PRelu => {
            let slopes = tensors(draft, step, |dims| [dims, vec![1, 1]].concat()); // [C, 1, 1], as channels lie in a batch
            return draft.node("PRelu", &[inputs[0], &slopes[0]], Vec::new());
        }
        Op::Clamp => {
            let [least, most] = [draft.numbers(&[0.0], &[]), draft.numbers(&[1.0], &[])];
            return draft.node("Clip", &[inputs[0], &least, &most], Vec::new());
        }
        Op::Concatenate => return draft.node("Concat", inputs, vec![int("axis", 1)]),
        Op::PixelShuffle(factor) => {
            return draft.node("DepthToSpace", inputs, vec![int("blocksize", factor), text("mode", "CRD")]);
        }
        Op::PixelUnshuffle(factor) => return unshuffle(draft, step, inputs[0], factor),
        Op::Nearest(factor) => {
            let from = [text("coordinate_transformation_mode", "asymmetric"), text("nearest_mode", "floor")];
            return resize(draft, inputs[0], factor, "nearest", &from);
        }
        Op::Bilinear(factor) => return resize(draft, inputs[0], factor, "linear", &[]),
        Op::Bicubic(factor) => return resize(draft, inputs[0], factor, "cubic", &[float("cubic_coeff_a", -0.5)]),
        Op::PadMirrored(multiple) => return continued(draft, inputs[0], multiple, mirrored),
        Op::PadReplicated(multiple) => return continued(draft, inputs[0], multiple, replicated),
        Op::Crop(scale) => return crop(draft, inputs[0], scale),
        Op::Relu => "Relu",
        Op::Tanh => "Tanh",
        Op::Sigmoid => "Sigmoid",
        Op::Add => "Add",
        Op::Multiply => "Mul",
        Op::Mean => "GlobalAveragePool",
    };
    draft.node(operator, inputs, Vec::new())
}

/// The names of the step's tensors, each with the dimensions that `dims` makes of its own.
fn tensors(draft: &mut Draft, step: &Step, dims: impl Fn(Vec<i64>) -> Vec<i64>) -> Vec<String> {
    let tensors = step.names().zip(&step.tensors);
    tensors.map(|(name, tensor)| draft.tensor(name, tensor, dims(tensor.size()))).collect()
}

fn convolution(
    draft: &mut Draft,
    step: &Step,
    inputs: &[&str],
    operator: &str,
    stride: i64,
    padding: i64,
    output_padding: i64,
) -> String {
    let tensors = tensors(draft, step, |dims| dims);
    let inputs: Vec<_> = inputs.iter().copied().chain(tensors.iter().map(String::as_str)).collect();
    let mut attributes = vec![ints("strides", &[stride; 2]), ints("pads", &[padding; 4])];
    if output_padding > 0 {
        attributes.push(ints("output_padding", &[output_padding; 2]));
    }
    draft.node(operator, &inputs, attributes)
}

/// ONNX puts a square's pixels before the channels, PyTorch after them: pixel p of channel c is at `p * C + c` there, and
/// belongs to `c * factor^2 + p`.
fn unshuffle(draft: &mut Draft, step: &Step, input: &str, factor: i64) -> String {
    let (squares, pixels) = (draft.node("SpaceToDepth", &[input], vec![int("blocksize", factor)]), factor * factor);
    let channels = step.channels / pixels;
    let order: Vec<i64> = (0..step.channels).map(|place| place % pixels * channels + place / pixels).collect();
    let order = draft.integers(&order);
    draft.node("Gather", &[&squares, &order], vec![int("axis", 1)])
}

/// Pixels are squares whose centres count, and the border is replicated: both are ONNX's defaults.
fn resize(draft: &mut Draft, input: &str, factor: i64, mode: &str, more: &[super::proto::AttributeProto]) -> String {
    let factors = draft.factors(&[1.0, 1.0, factor as f32, factor as f32]);
    let attributes = std::iter::once(text("mode", mode)).chain(more.iter().cloned()).collect();
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
