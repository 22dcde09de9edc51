//! From a network's graph to its plan, one rule after the other at each step.

use abbe_models::graph::{self, Graph};
use tch::{Device, Kind, Tensor};

use super::{Activation, Convolution, Op, Plan, Step, Sum};

/// Channels that a vector register of oneDNN's convolutions has room for, twice: with fewer out, most of it is idle.
const CHANNELS: i64 = 32;

/// Channels of a picture at most.
const COLORS: i64 = 3;

/// The plan, and the weights of each step, float32.
pub(super) fn lower(graph: Graph) -> (Plan, Vec<Vec<Tensor>>) {
    let mut draft = Draft(graph.into_iter().map(|step| Some(Node::from(step))).collect());
    for rule in [Draft::improve, Draft::take_apart, Draft::take_over] {
        for index in 0..draft.0.len() {
            let _ = rule(&mut draft, index); // none where it does not fit
        }
    }
    draft.finish()
}

/// A step with its weights.
struct Node {
    name: String,
    op: Op,
    tensors: Vec<Tensor>,
    inputs: Vec<usize>,
}

impl From<graph::Step> for Node {
    fn from(step: graph::Step) -> Self {
        let op = match step.op {
            graph::Op::Conv { stride, padding } => {
                Op::Convolution(Convolution { stride, padding, sum: Sum::None, activation: Activation::None })
            }
            op => Op::Plain(op),
        };
        Node { name: step.name, op, tensors: step.tensors, inputs: step.inputs }
    }
}

/// The steps that are left. One that became part of a later one is none, so that numbers stay.
struct Draft(Vec<Option<Node>>);

impl Draft {
    /// Applies the rule for the step at `index`, if there is one; it then stands there alone for what it was made of.
    fn improve(&mut self, index: usize) -> Option<()> {
        let node = self.0[index].as_ref()?;
        let Op::Plain(op) = node.op else { return None };
        match op {
            graph::Op::BatchNorm { eps } => {
                let [weight, bias, mean, variance] = <[_; 4]>::try_from(doubles(&node.tensors)).ok()?;
                let scale = weight / (variance + eps).sqrt();
                self.fold(index, &scale, &(bias - mean * &scale))
            }
            graph::Op::Affine { scale, shift } => {
                let shift = Tensor::from_slice(&shift).to_kind(Kind::Double);
                self.fold(index, &shift.full_like(f64::from(scale)), &shift)
            }
            graph::Op::Scale(factor) => {
                let factor = Tensor::from_slice(&[factor]);
                self.fold(index, &factor, &factor.zeros_like())
            }
            graph::Op::Relu => self.activate(index, Activation::Slope(0.0)),
            graph::Op::LeakyRelu(slope) => self.activate(index, Activation::Slope(slope)),
            graph::Op::PRelu => {
                let slopes = node.tensors.first()?;
                let one = (slopes.numel() == 1).then(|| Activation::Slope(slopes.double_value(&[0])));
                self.activate(index, one.unwrap_or(Activation::Slopes))
            }
            graph::Op::Add => self.fuse_sum(index),
            graph::Op::PixelShuffle(factor) => self.order_shuffle(index, factor),
            graph::Op::Concatenate if node.inputs.len() == 1 => self.leave_out(index),
            graph::Op::PixelUnshuffle(1) | graph::Op::PadMirrored(1) | graph::Op::PadReplicated(1) => {
                self.leave_out(index)
            }
            _ => None,
        }
    }

    /// Makes `x * scale + shift` of each channel part of the convolution before it.
    fn fold(&mut self, index: usize, scale: &Tensor, shift: &Tensor) -> Option<()> {
        let input = self.only_for(index, *self.0[index].as_ref()?.inputs.first()?)?;
        let Convolution { sum: Sum::None, activation: Activation::None, .. } = self.convolution(input)? else {
            return None;
        };
        let mut node = self.0[input].take()?;
        let mut tensors = doubles(&node.tensors).into_iter();
        let weight = tensors.next()?;
        let bias = tensors.next().unwrap_or_else(|| Tensor::zeros([weight.size()[0]], (Kind::Double, Device::Cpu)));
        let folded = [weight * scale.view([-1, 1, 1, 1]), bias * scale + shift];
        node.tensors = folded.map(|tensor| tensor.to_kind(Kind::Float)).into();
        self.0[index] = Some(node);
        Some(())
    }

    /// Makes an activation part of the convolution before it; one that is the same for all channels also where a shuffle
    /// stands between, which only moves numbers.
    fn activate(&mut self, index: usize, activation: Activation) -> Option<()> {
        let node = self.0[index].as_ref()?;
        let slopes = node.tensors.first().map(Tensor::shallow_clone);
        let input = self.only_for(index, *node.inputs.first()?)?;
        let is_shuffle = matches!(self.0[input].as_ref()?.op, Op::Shuffle(_)) && activation != Activation::Slopes;
        let source = if is_shuffle { self.only_for(input, self.0[input].as_ref()?.inputs[0])? } else { input };
        let Convolution { activation: Activation::None, sum, .. } = *self.convolution(source)? else { return None };
        if sum != Sum::None && matches!(activation, Activation::Slope(slope) if slope != 0.0) {
            return None; // oneDNN has no such convolution
        }
        self.convolution(source)?.activation = activation;
        if let (Activation::Slopes, Some(slopes)) = (activation, slopes) {
            self.0[source].as_mut()?.tensors.push(slopes);
        }
        self.0[index] = self.0[input].take();
        Some(())
    }

    /// Makes a sum part of the later of the two convolutions before it; not of one that gives colours, whose sum with an
    /// enlarged picture keeps all bits.
    fn fuse_sum(&mut self, index: usize) -> Option<()> {
        let [a, b] = <[usize; 2]>::try_from(self.0[index].as_ref()?.inputs.as_slice()).ok()?;
        let choices = [(a.max(b), a.min(b)), (a.min(b), a.max(b))];
        let (input, other) = choices.into_iter().find(|(input, _)| self.takes_sum(index, *input))?;
        self.convolution(input)?.sum = Sum::Other;
        let mut node = self.0[input].take()?;
        node.inputs.push(other);
        self.0[index] = Some(node);
        Some(())
    }

    /// Whether the step `input` is a convolution that the sum at `index` can become part of.
    fn takes_sum(&mut self, index: usize, input: usize) -> bool {
        let is_only = self.only_for(index, input).is_some();
        let weight = self.0[input].as_ref().and_then(|node| node.tensors.first());
        let is_wide = weight.is_some_and(|weight| weight.size()[0] > COLORS);
        let convolution = self.convolution(input).copied();
        let is_free = |c: Convolution| c.sum == Sum::None && c.activation == Activation::None;
        is_only && is_wide && convolution.is_some_and(is_free)
    }

    /// Puts the channels before a shuffle in the order of the pixels that they become: a row of squares then is a row of
    /// memory, which is moved as a whole.
    fn order_shuffle(&mut self, index: usize, factor: i64) -> Option<()> {
        let input = self.only_for(index, *self.0[index].as_ref()?.inputs.first()?)?;
        let Convolution { sum: Sum::None, activation: Activation::None, .. } = self.convolution(input)? else {
            return None;
        };
        for tensor in &mut self.0[input].as_mut()?.tensors {
            let shape = tensor.size();
            let squares = tensor.reshape([-1, factor * factor, shape[1..].iter().product()]);
            *tensor = squares.transpose(0, 1).reshape(&shape);
        }
        self.0[index].as_mut()?.op = Op::Shuffle(factor);
        Some(())
    }

    /// Leaves out a step that changes nothing.
    fn leave_out(&mut self, index: usize) -> Option<()> {
        let input = *self.0[index].as_ref()?.inputs.first()?;
        self.0[index] = None;
        let inputs = self.0.iter_mut().flatten().flat_map(|node| &mut node.inputs);
        inputs.filter(|other| **other == index).for_each(|other| *other = input);
        Some(())
    }

    /// Takes a convolution with few channels out apart into rows.
    fn take_apart(&mut self, index: usize) -> Option<()> {
        let Convolution { stride: 1, padding, sum: Sum::None, activation: Activation::None } =
            *self.convolution(index)?
        else {
            return None;
        };
        let node = self.0[index].as_mut()?;
        let [colors, c_in, kernel, _] = <[i64; 4]>::try_from(node.tensors.first()?.size()).ok()?;
        let pays = kernel > 1 && padding == kernel / 2 && c_in >= CHANNELS / 4 && kernel * colors <= CHANNELS;
        if !pays || ![1, 3].contains(&colors) {
            return None;
        }
        let rows = node.tensors[0].permute([2, 0, 1, 3]).reshape([kernel * colors, c_in, 1, kernel]);
        let bias = node
            .tensors
            .get(1)
            .map_or_else(|| Tensor::zeros([colors], (Kind::Float, Device::Cpu)), Tensor::shallow_clone);
        (node.op, node.tensors) = (Op::Rows, vec![rows, bias]);
        Some(())
    }

    /// Lets a convolution take the memory of what is added to it, where that is not needed later.
    fn take_over(&mut self, index: usize) -> Option<()> {
        let Convolution { sum: Sum::Other, .. } = *self.convolution(index)? else { return None };
        let [input, other] = <[usize; 2]>::try_from(self.0[index].as_ref()?.inputs.as_slice()).ok()?;
        let is_needed = self.0[index + 1..].iter().flatten().any(|node| node.inputs.contains(&other));
        if input != other && !is_needed && self.convolution(other).is_some() {
            self.convolution(index)?.sum = Sum::Onto;
        }
        Some(())
    }

    /// The step `input`, if nothing but the step at `index` takes its value.
    fn only_for(&self, index: usize, input: usize) -> Option<usize> {
        let uses = |node: &Node| node.inputs.iter().filter(|other| **other == input).count();
        let all: usize = self.0.iter().flatten().map(uses).sum();
        (all == 1 && self.0[index].as_ref()?.inputs.contains(&input)).then_some(input)
    }

    fn convolution(&mut self, index: usize) -> Option<&mut Convolution> {
        match &mut self.0[index].as_mut()?.op {
            Op::Convolution(convolution) => Some(convolution),
            _ => None,
        }
    }

    /// Numbers the steps that are left.
    fn finish(self) -> (Plan, Vec<Vec<Tensor>>) {
        let mut numbers = vec![0; self.0.len()];
        let (mut steps, mut weights) = (Vec::new(), Vec::new());
        for (index, node) in self.0.into_iter().enumerate() {
            let Some(Node { name, op, tensors, inputs }) = node else { continue };
            numbers[index] = steps.len();
            let shapes = tensors.iter().map(Tensor::size).collect();
            let inputs = inputs.iter().map(|input| numbers[*input]).collect();
            steps.push(Step { name, op, shapes, inputs });
            weights.push(tensors);
        }
        (Plan(steps), weights)
    }
}

fn doubles(tensors: &[Tensor]) -> Vec<Tensor> {
    tensors.iter().map(|tensor| tensor.to_kind(Kind::Double)).collect()
}
