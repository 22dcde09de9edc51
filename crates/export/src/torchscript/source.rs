//! From steps to TorchScript's language, a part of Python's.

use std::fmt::Write;

use abbe_models::bicubic;
use abbe_models::graph::{Graph, Op, Step};

/// The methods of a module: `forward`, and those that it calls.
pub(super) fn source(steps: &Graph) -> String {
    let mut text = String::from("def forward(self, lr: Tensor) -> Tensor:\n");
    for (number, step) in steps.iter().enumerate() {
        let inputs: Vec<_> = step.inputs.iter().map(|input| format!("x{input}")).collect();
        let value = if step.op == Op::Input { entered(steps) } else { expression(step, &inputs) };
        let _ = writeln!(text, "    x{number} = {value}"); // a String takes everything
    }
    let _ = writeln!(text, "    return x{}.to(lr.dtype)", steps.len().saturating_sub(1));
    let has = |is: fn(&Op) -> bool| steps.iter().any(|step| is(&step.op));
    let methods =
        [(has(|op| matches!(op, Op::Bicubic(_))), BICUBIC), (has(|op| matches!(op, Op::PadMirrored(_))), MIRRORED)];
    methods.into_iter().filter(|(is_called, _)| *is_called).for_each(|(_, method)| text.push_str(method));
    text
}

/// The picture in the type of the network's numbers, whatever they were converted to.
fn entered(steps: &Graph) -> String {
    let names = steps.iter().flat_map(Step::names).next();
    names.map_or("lr".into(), |name| format!("lr.to({}.dtype)", attribute(&name)))
}

/// As [`bicubic::upscale`] does it, in float64, which is number 7.
const BICUBIC: &str = "
def bicubic(self, xs: Tensor, scale: int, weights: List[float]) -> Tensor:
    n, c, h, w = xs.size(0), xs.size(1), xs.size(2), xs.size(3)
    kernels = torch.tensor(weights, dtype=7, device=xs.device).view([scale, 1, -1])
    planes = torch.replication_pad2d(xs.to(7).reshape([n * c, 1, h, w]), [2, 2, 2, 2])
    rows = torch.conv2d(planes, kernels.unsqueeze(3)).transpose(1, 2).reshape([n * c, 1, h * scale, w + 4])
    columns = torch.conv2d(rows, kernels.unsqueeze(2)).permute([0, 2, 3, 1])
    return columns.reshape([n, c, h * scale, w * scale]).to(xs.dtype)
";

/// One side continued as [`Op::PadMirrored`] says.
const MIRRORED: &str = "
def mirrored(self, xs: Tensor, axis: int, multiple: int) -> Tensor:
    last = xs.size(axis) - 1
    places = torch.arange((last + multiple) // multiple * multiple, device=xs.device)
    return torch.index_select(xs, axis, last - torch.abs(places % max(2 * last, 1) - last))
";

/// What a step does with its inputs.
fn expression(step: &Step, inputs: &[String]) -> String {
    let x = inputs.first().map_or("lr", String::as_str);
    let all = inputs.join(", ");
    match step.op {
        Op::Input | Op::Add => inputs.join(" + "),
        Op::Multiply => inputs.join(" * "),
        Op::Conv { stride, padding } => {
            format!("torch.conv2d({x}, {}, [{stride}, {stride}], [{padding}, {padding}])", weight_and_bias(step))
        }
        Op::ConvTranspose { stride, padding, output_padding } => {
            let pairs = [stride, padding, output_padding].map(|value| format!("[{value}, {value}]")).join(", ");
            format!("torch.conv_transpose2d({x}, {}, {pairs})", weight_and_bias(step))
        }
        Op::BatchNorm { eps } => {
            format!("torch.batch_norm({x}, {}, False, 0.0, {eps:?}, True)", attributes(step).join(", "))
        }
        Op::Affine { scale, shift } => {
            let shift = shift.map(f64::from);
            format!(
                "{x} * {:?} + torch.tensor({shift:?}, dtype={x}.dtype, device={x}.device).view([1, 3, 1, 1])",
                f64::from(scale)
            )
        }
        Op::Scale(factor) => format!("{x} * {factor:?}"),
        Op::Relu => format!("torch.relu({x})"),
        Op::LeakyRelu(slope) => format!("torch.leaky_relu({x}, {slope:?})"),
        Op::PRelu => format!("torch.prelu({x}, {})", attributes(step).join(", ")),
        Op::Tanh => format!("torch.tanh({x})"),
        Op::Sigmoid => format!("torch.sigmoid({x})"),
        Op::Clamp => format!("torch.clamp({x}, 0.0, 1.0)"),
        Op::Concatenate => format!("torch.cat([{all}], 1)"),
        Op::Mean => format!("torch.mean({x}, [2, 3], True)"),
        Op::PixelShuffle(factor) => format!("torch.pixel_shuffle({x}, {factor})"),
        Op::PixelUnshuffle(factor) => format!("torch.pixel_unshuffle({x}, {factor})"),
        Op::Nearest(factor) => format!("torch.upsample_nearest2d({x}, {})", enlarged(x, factor)),
        Op::Bilinear(factor) => format!("torch.upsample_bilinear2d({x}, {}, False)", enlarged(x, factor)),
        Op::Bicubic(factor) => {
            let weights = Vec::<f64>::try_from(bicubic::weights(factor).view(-1)).unwrap_or_default();
            format!("self.bicubic({x}, {factor}, {weights:?})")
        }
        Op::PadMirrored(multiple) => format!("self.mirrored(self.mirrored({x}, 2, {multiple}), 3, {multiple})"),
        Op::PadReplicated(multiple) => {
            let [right, bottom] = [3, 2].map(|axis| format!("-{x}.size({axis}) % {multiple}"));
            format!("torch.replication_pad2d({x}, [0, {right}, 0, {bottom}])")
        }
        Op::Crop(scale) => format!("{x}[:, :, :lr.size(2) * {scale}, :lr.size(3) * {scale}]"),
    }
}

fn enlarged(x: &str, factor: i64) -> String {
    format!("[{x}.size(2) * {factor}, {x}.size(3) * {factor}]")
}

fn weight_and_bias(step: &Step) -> String {
    let attributes = attributes(step);
    if step.tensors.len() == 1 { format!("{}, None", attributes.join("")) } else { attributes.join(", ") }
}

fn attributes(step: &Step) -> Vec<String> {
    step.names().map(|name| attribute(&name)).collect()
}

/// A tensor of the module; names that begin with a digit are no words of the language.
fn attribute(name: &str) -> String {
    name.split('.').fold("self".into(), |place, word| {
        let is_word = word.starts_with(|letter: char| letter.is_ascii_alphabetic());
        if is_word { format!("{place}.{word}") } else { format!("getattr({place}, \"{word}\")") }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_in_lists_are_no_words() {
        assert_eq!(attribute("body.0.conv1.weight"), "getattr(self.body, \"0\").conv1.weight");
        assert_eq!(attribute("4.weight"), "getattr(self, \"4\").weight");
    }
}
