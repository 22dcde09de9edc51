//! Running a plan.

use abbe_models::graph::{self, graph};
use abbe_models::{SrModel, bicubic, layer};
use abbe_torch as fast;
use tch::{Device, Kind, TchError, Tensor};

use super::lower::lower;
use super::{Activation, Convolution, Op, Plan, Step, Sum};

/// Height and width of inputs that oneDNN is told of when it chooses the order of weights.
const SIZE: [i64; 2] = [128, 128];

/// A plan with the weights of one network, ready to run on the CPU.
pub struct Executor {
    plan: Plan,
    kernels: Vec<Kernel>,
    /// For each step those whose values nothing needs any more.
    dead: Vec<Vec<usize>>,
    kind: Kind,
}

/// What a step needs besides its inputs.
enum Kernel {
    /// oneDNN's convolution; float32 slopes where each channel has its own.
    Convolution(fast::Convolution, Option<Tensor>),
    /// A convolution in less arithmetic, with all that is fused into it.
    Winograd(fast::Winograd),
    /// A convolution by rows, and the float32 bias of their sum.
    Rows(fast::Convolution, Tensor),
    /// All float32 tensors of a plain step.
    Plain(Vec<Tensor>),
}

impl Executor {
    /// The plan of a network on the CPU as it is now: later changes of its weights do not count. Its convolutions compute in
    /// `kind`, float32 or bfloat16. None for a network that has no graph, and where libtorch has no fused convolutions.
    ///
    /// From then on the process keeps the memory that tensors leave, for those that follow.
    ///
    /// # Errors
    /// What libtorch says, of a processor without bfloat16 for example.
    pub fn new(model: &dyn SrModel, kind: Kind) -> Result<Option<Self>, TchError> {
        fast::keep_freed_memory();
        let Some(graph) = fast::has_fused_convolutions().then(|| graph(model)).flatten() else { return Ok(None) };
        let (plan, weights) = lower(graph);
        let kernels = plan.0.iter().zip(weights).map(|(step, weights)| Kernel::new(step, weights, kind));
        let kernels = kernels.collect::<Result<_, _>>()?;
        Ok(Some(Executor { dead: plan.dead(), plan, kernels, kind }))
    }

    /// What it does.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// `[N, colors, h, w]` in [0, 1], float32, to `[N, colors, h * scale, w * scale]`, float32, as the network itself would.
    ///
    /// # Errors
    /// What libtorch says, most often that memory ran out.
    pub fn run(&self, picture: &Tensor) -> Result<Tensor, TchError> {
        tch::no_grad(|| {
            let mut values: Vec<Option<Tensor>> = Vec::new();
            for ((step, kernel), dead) in self.plan.0.iter().zip(&self.kernels).zip(&self.dead) {
                let inputs: Vec<&Tensor> = step.inputs.iter().filter_map(|input| values[*input].as_ref()).collect();
                let value = kernel.run(&step.op, &inputs, picture, self.kind)?;
                dead.iter().for_each(|index| values[*index] = None);
                values.push(Some(value));
            }
            let sr = values.pop().flatten().unwrap_or_else(|| picture.shallow_clone());
            sr.f_to_kind(Kind::Float)?.f_contiguous()
        })
    }
}

impl Plan {
    /// For each step those whose values are needed by it and by none after it.
    fn dead(&self) -> Vec<Vec<usize>> {
        let last = |index: usize| self.0.iter().rposition(|step| step.inputs.contains(&index));
        let mut dead = vec![Vec::new(); self.0.len()];
        (0..self.0.len()).for_each(|index| dead[last(index).unwrap_or(index)].push(index));
        dead.iter_mut().enumerate().for_each(|(step, values)| values.retain(|value| *value != step));
        dead
    }
}

impl Kernel {
    fn new(step: &Step, weights: Vec<Tensor>, kind: Kind) -> Result<Self, TchError> {
        match step.op {
            Op::Convolution(shape) => Self::convolution(shape, weights, kind),
            Op::Rows => {
                let padding = [0, weights[0].size()[3] / 2];
                let rows = fast::Convolution::new(&weights[0], None, padding, [1; 2], SIZE, kind)?;
                Ok(Kernel::Rows(rows, weights[1].shallow_clone()))
            }
            _ => Ok(Kernel::Plain(weights)),
        }
    }

    fn convolution(shape: Convolution, mut weights: Vec<Tensor>, kind: Kind) -> Result<Self, TchError> {
        let Convolution { stride, padding, activation, .. } = shape;
        let slopes = if activation == Activation::Slopes { weights.pop() } else { None };
        let (weight, bias) = (&weights[0], weights.get(1));
        if (stride, padding) == (1, 1) {
            let same = || Tensor::full([weight.size()[0]], activation.slope(), (Kind::Float, Device::Cpu));
            let slopes = slopes.as_ref().map_or_else(same, Tensor::shallow_clone);
            if let Some(winograd) = fast::Winograd::new(weight, bias, &slopes, kind)? {
                return Ok(Kernel::Winograd(winograd));
            }
        }
        let convolution = fast::Convolution::new(weight, bias, [padding; 2], [stride; 2], SIZE, kind)?;
        Ok(Kernel::Convolution(convolution, slopes))
    }

    fn run(&self, op: &Op, inputs: &[&Tensor], picture: &Tensor, kind: Kind) -> Result<Tensor, TchError> {
        match (op, self) {
            (Op::Convolution(shape), Kernel::Convolution(convolution, slopes)) => {
                let ys = convolve(shape, convolution, inputs, kind)?;
                slopes.as_ref().map_or(Ok(()), |slopes| fast::rectify(&ys, slopes))?;
                Ok(ys)
            }
            (Op::Convolution(shape), Kernel::Winograd(winograd)) => {
                let other = if shape.sum == Sum::None { None } else { inputs.get(1).copied() };
                let other = other.map(|other| other.f_to_kind(kind)).transpose()?;
                winograd.forward(inputs[0], other.as_ref(), shape.sum == Sum::Onto)
            }
            (_, Kernel::Rows(rows, bias)) => fast::add_rows(&rows.forward(inputs[0], 1.0)?, bias),
            (Op::Shuffle(factor), _) => shuffle(inputs[0], *factor),
            (Op::Plain(op), Kernel::Plain(tensors)) => plain(op, tensors, inputs, picture),
            _ => Err(TchError::Torch("a convolution without weights".into())),
        }
    }
}

impl Activation {
    /// What is below zero is multiplied by this; 1 where each channel has its own.
    fn slope(self) -> f64 {
        match self {
            Activation::Slope(slope) => slope,
            Activation::None | Activation::Slopes => 1.0,
        }
    }
}

fn convolve(
    shape: &Convolution,
    convolution: &fast::Convolution,
    inputs: &[&Tensor],
    kind: Kind,
) -> Result<Tensor, TchError> {
    let slope = shape.activation.slope();
    match (shape.sum, inputs) {
        (Sum::None, _) => convolution.forward(inputs[0], slope),
        (sum, [xs, other]) => convolution.forward_add(xs, &other.f_to_kind(kind)?, slope, sum == Sum::Onto),
        _ => Err(TchError::Torch("a sum of one value".into())),
    }
}

/// What the network has there.
fn plain(op: &graph::Op, tensors: &[Tensor], inputs: &[&Tensor], picture: &Tensor) -> Result<Tensor, TchError> {
    use graph::Op;
    let Some(&xs) = inputs.first() else { return Ok(picture.shallow_clone()) };
    let tensors: Vec<_> = tensors.iter().map(|tensor| tensor.to_kind(xs.kind())).collect();
    match *op {
        Op::Input | Op::Conv { .. } => Err(TchError::Torch("a step that no plan has there".into())),
        Op::ConvTranspose { stride, padding, output_padding: extra } => {
            let [stride, padding, extra] = [stride, padding, extra].map(|number| [number; 2]);
            xs.f_conv_transpose2d(&tensors[0], tensors.get(1), stride, padding, extra, 1, [1, 1])
        }
        Op::BatchNorm { eps } => {
            let [weight, bias, mean, variance] = [0, 1, 2, 3].map(|i| tensors.get(i));
            xs.f_batch_norm(weight, bias, mean, variance, false, 0.0, eps, false)
        }
        Op::Affine { scale, shift } => {
            let shift = Tensor::from_slice(&shift).to_kind(xs.kind()).view([1, 3, 1, 1]);
            xs.f_mul_scalar(f64::from(scale))?.f_add(&shift)
        }
        Op::Scale(factor) => xs.f_mul_scalar(factor),
        Op::Relu => xs.f_relu(),
        Op::LeakyRelu(slope) => xs.f_prelu(&Tensor::from_slice(&[slope]).to_kind(xs.kind())),
        Op::PRelu => xs.f_prelu(&tensors[0]),
        Op::Tanh => xs.f_tanh(),
        Op::Sigmoid => xs.f_sigmoid(),
        Op::Clamp => xs.f_clamp(0.0, 1.0),
        Op::Add => xs.f_add(inputs[1]),
        Op::Multiply => xs.f_mul(inputs[1]),
        Op::Concatenate => Tensor::f_cat(inputs, 1),
        Op::Mean => xs.f_mean_dim([2i64, 3].as_slice(), true, None),
        Op::PixelShuffle(factor) => xs.f_pixel_shuffle(factor),
        Op::PixelUnshuffle(factor) => xs.f_pixel_unshuffle(factor),
        Op::Nearest(factor) => Ok(layer::nearest(xs, factor)),
        Op::Bilinear(factor) => Ok(layer::bilinear(xs, factor)),
        Op::Bicubic(factor) => Ok(bicubic::upscale(xs, factor)),
        Op::PadMirrored(multiple) => Ok(layer::pad_to_multiple(xs, multiple)),
        Op::PadReplicated(multiple) => Ok(layer::continue_to_multiple(xs, multiple)),
        Op::Crop(scale) => Ok(layer::cropped(xs, picture, scale)),
    }
}

/// A pixel shuffle of `[N, factor^2 * C, h, w]`, channels last, whose channels are ordered by place in the square first.
fn shuffle(xs: &Tensor, factor: i64) -> Result<Tensor, TchError> {
    let (n, channels, h, w) = xs.size4()?;
    let rows = xs.f_permute([0, 2, 3, 1])?.f_reshape([n, h, w, factor, channels / factor])?;
    let pixels = rows.f_transpose(2, 3)?.f_reshape([n, h * factor, w * factor, -1])?;
    pixels.f_permute([0, 3, 1, 2])
}
