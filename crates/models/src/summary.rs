//! What a network does in one pass, layer by layer: shapes, parameters, memory, multiply-adds.

use std::cell::RefCell;
use std::fmt;

use tch::{Device, Kind, Tensor};

/// One call of one layer.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// The layer's place in the state dict; empty when it has no tensor there.
    pub name: String,
    /// PyTorch's name of the layer's class.
    pub kind: &'static str,
    /// Shape of the output, N first.
    pub shape: Vec<i64>,
    /// Trainable numbers, biases among them.
    pub parameters: usize,
    /// Multiplications followed by an addition, of convolutions and dense layers; biases and element-wise layers
    /// (normalisation, activation) count as 0.
    pub multiply_adds: usize,
}

impl Layer {
    /// Bytes of the output in float32.
    pub fn memory(&self) -> usize {
        size_of::<f32>() * self.shape.iter().product::<i64>() as usize
    }
}

/// The layers of one pass in the order in which they ran. Its `Display` is a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// Shape of the input, N first.
    pub input: Vec<i64>,
    /// One entry per call.
    pub layers: Vec<Layer>,
}

thread_local! {
    static TRACE: RefCell<Option<Vec<Layer>>> = const { RefCell::new(None) };
}

/// Notes a call, when a summary is being made on this thread.
pub(crate) fn record(layer: impl FnOnce() -> Layer) {
    TRACE.with_borrow_mut(|trace| {
        if let Some(layers) = trace {
            layers.push(layer());
        }
    });
}

/// Runs `forward` once, without a gradient, on zeros of shape `input` on the CPU, where the network must be too.
pub fn summary(forward: impl FnOnce(&Tensor) -> Tensor, input: &[i64]) -> Summary {
    TRACE.set(Some(Vec::new()));
    let _ = tch::no_grad(|| forward(&Tensor::zeros(input, (Kind::Float, Device::Cpu))));
    Summary { input: input.to_vec(), layers: TRACE.take().unwrap_or_default() }
}

impl Summary {
    /// Trainable numbers of all layers.
    pub fn parameters(&self) -> usize {
        self.layers.iter().map(|layer| layer.parameters).sum()
    }

    /// Bytes of all outputs: what training holds for the way back. Inference needs only a few of them at a time.
    pub fn memory(&self) -> usize {
        self.layers.iter().map(Layer::memory).sum()
    }

    /// Multiply-adds of the whole pass.
    pub fn multiply_adds(&self) -> usize {
        self.layers.iter().map(|layer| layer.multiply_adds).sum()
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        row(f, ["layer", "kind", "output", "parameters", "memory", "multiply-adds"])?;
        row(f, ["", "Input", &shape(&self.input), "", "", ""])?;
        for layer in &self.layers {
            let [parameters, multiply_adds] = [layer.parameters, layer.multiply_adds].map(grouped);
            row(
                f,
                [&layer.name, layer.kind, &shape(&layer.shape), &parameters, &bytes(layer.memory()), &multiply_adds],
            )?;
        }
        let [parameters, multiply_adds] = [self.parameters(), self.multiply_adds()].map(grouped);
        row(f, ["total", "", "", &parameters, &bytes(self.memory()), &multiply_adds])
    }
}

fn row(f: &mut fmt::Formatter, [name, kind, output, parameters, memory, multiply_adds]: [&str; 6]) -> fmt::Result {
    writeln!(f, "{name:<20} {kind:<13} {output:>18} {parameters:>13} {memory:>12} {multiply_adds:>18}")
}

fn shape(sides: &[i64]) -> String {
    sides.iter().map(i64::to_string).collect::<Vec<_>>().join("x")
}

/// Digits in groups of three: 1,728.
fn grouped(number: usize) -> String {
    match number {
        0..1000 => number.to_string(),
        _ => format!("{},{:03}", grouped(number / 1000), number % 1000),
    }
}

fn bytes(count: usize) -> String {
    format!("{:.2} MiB", count as f64 / (1 << 20) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Store;
    use crate::layer::SubPixelConv2d;

    #[test]
    fn a_convolution_and_a_shuffle() {
        // 3x3 from 3 to 4 channels on 5x6 pixels: 4 * 3 * 9 + 4 = 112 parameters (the lecture's example),
        // 4 * 5 * 6 = 120 outputs of 27 multiply-adds each = 3240, 480 bytes. The shuffle moves the same 120 numbers.
        let store = Store::new(Device::Cpu);
        let conv = SubPixelConv2d::new(&store.root() / "conv", 3, 1, 2);
        let summary = summary(|xs| conv.forward(xs), &[1, 3, 5, 6]);
        let names: Vec<_> = summary.layers.iter().map(|layer| (layer.name.as_str(), layer.kind)).collect();
        assert_eq!(names, [("conv", "Conv2d"), ("", "PixelShuffle")]);
        assert_eq!(summary.layers[1].shape, [1, 1, 10, 12]);
        assert_eq!((summary.parameters(), summary.multiply_adds(), summary.memory()), (112, 3240, 960));
        assert_eq!(summary.to_string().lines().count(), 5);
    }

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!([0, 999, 1_000, 1_002_003].map(grouped), ["0", "999", "1,000", "1,002,003"]);
    }

    #[test]
    fn nothing_is_recorded_outside_a_summary() {
        record(|| unreachable!("no summary is being made"));
    }
}
