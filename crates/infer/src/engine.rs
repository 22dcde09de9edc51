//! What enlarges a batch of tiles, whoever computes it.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use abbe_models::{SrModel, bicubic};
use abbe_torch::{autocast, channels_last, lay_channels_last};
use tch::{Device, Kind, TchError, Tensor};

use crate::luma;
use crate::plan::Executor;
use crate::upscale::OVERLAP;

/// Maps `[N, 3, h, w]` RGB in [0, 1] to `[N, 3, h * scale, w * scale]`, both in float32 on one device.
pub type Forward<'a> = Box<dyn Fn(&Tensor) -> Result<Tensor, TchError> + 'a>;

/// A network, ready to be run on tiles.
pub struct Engine<'a> {
    /// Output pixels per input pixel along each side.
    pub scale: usize,
    /// LR pixels on each side of an output pixel's own that can influence it; more than any picture has when all count.
    pub radius: usize,
    /// What a tile's first row and column must be multiples of.
    pub multiple: usize,
    /// Where tiles are to be.
    pub device: Device,
    /// What `forward` computes in.
    pub kind: Kind,
    /// Runs the network.
    pub forward: Forward<'a>,
    /// Runs it in full precision, where the other result is not finite; none when `forward` does so.
    pub exact: Option<Forward<'a>>,
}

impl<'a> Engine<'a> {
    /// A network as it is, computing in `kind`: [`Kind::Float`], or [`Kind::BFloat16`] or [`Kind::Half`] with sums in float32.
    /// One of luma alone leaves Cb and Cr to bicubic interpolation. On a GPU the network's weights become channels-last.
    pub fn of(model: &'a dyn SrModel, kind: Kind) -> Self {
        let forward = |kind| -> Forward<'a> { Box::new(move |lr| run(model, kind, lr)) };
        if model.store().device().is_cuda() {
            lay_channels_last(&model.store().parameters());
        }
        Engine {
            scale: model.scale() as usize,
            radius: model.radius().max(bicubic::RADIUS) as usize,
            multiple: model.multiple() as usize,
            device: model.store().device(),
            kind,
            forward: forward(kind),
            exact: (kind != Kind::Float).then(|| forward(Kind::Float)),
        }
    }

    /// The same by a plan of fused operations where there is one: of an RGB network on a CPU, in [`Kind::Float`] or
    /// [`Kind::BFloat16`]. Results differ by rounding.
    pub fn fast(model: &'a dyn SrModel, kind: Kind) -> Self {
        let engine = Self::of(model, kind);
        let may_be = engine.device == Device::Cpu && model.colors() == 3 && kind != Kind::Half;
        let executor = may_be.then(|| Executor::new(model, kind)).and_then(|executor| executor.ok().flatten());
        match executor {
            Some(executor) => Engine {
                // Winograd's squares of 2x2 pixels lie alike in a tile and in the whole: they round alike.
                multiple: if engine.multiple.is_multiple_of(2) { engine.multiple } else { 2 * engine.multiple },
                forward: Box::new(move |lr| caught(|| executor.run(lr))),
                ..engine
            },
            None => engine,
        }
    }

    /// How far around a tile is seen: as far as the network sees, or, if that is more than [`OVERLAP`] LR pixels, as far as was
    /// `chosen`.
    pub fn overlap(&self, chosen: usize) -> usize {
        if self.radius > OVERLAP { self.radius.min(chosen) } else { self.radius }
    }

    /// The mean over the eight symmetries of the square (turned and mirrored input, output turned back), which EDSR
    /// introduced as self-ensemble (Lim et al. 2017). Of a network that sees squares of pixels as one, tiles equal the whole
    /// only if the picture's sides are multiples of the square's.
    pub fn ensembled(self) -> Self {
        let eightfold = |forward: Forward<'a>| -> Forward<'a> { Box::new(move |lr| ensemble(&forward, lr)) };
        Engine { forward: eightfold(self.forward), exact: self.exact.map(eightfold), ..self }
    }
}

fn ensemble(forward: &Forward, lr: &Tensor) -> Result<Tensor, TchError> {
    let mut sum: Option<Tensor> = None;
    for symmetry in 0..8 {
        let axes: Vec<i64> = (0..2).filter(|axis| symmetry >> axis & 1 == 1).map(|axis| axis + 2).collect();
        let turned = if symmetry < 4 { lr.flip(&axes) } else { lr.flip(&axes).transpose(2, 3) };
        let sr = forward(&turned.contiguous())?;
        let back = if symmetry < 4 { sr } else { sr.transpose(2, 3) }.flip(&axes);
        sum = Some(sum.map_or_else(|| back.shallow_clone(), |sum| sum + &back));
    }
    Ok(sum.map_or_else(|| lr.shallow_clone(), |sum| sum / 8.0))
}

fn run(model: &dyn SrModel, kind: Kind, lr: &Tensor) -> Result<Tensor, TchError> {
    let _guard = tch::no_grad_guard();
    let forward = || match model.colors() {
        1 => luma::upscale(model, lr),
        _ => autocast(lr.device(), kind, || model.forward(&channels_last(lr), false)),
    };
    Ok(caught(forward)?.to_kind(Kind::Float))
}

/// tch's operators panic with libtorch's reason, which is an error here: with less memory needed, the same may go well.
fn caught(work: impl FnOnce() -> Result<Tensor, TchError>) -> Result<Tensor, TchError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| match panic.downcast::<String>() {
        Ok(text) if text.contains(OF_LIBTORCH) => Err(TchError::Torch(*text)),
        Ok(text) => resume_unwind(text),
        Err(panic) => resume_unwind(panic),
    })
}

/// How the debug output of an error of libtorch begins, in the message of a panic.
const OF_LIBTORCH: &str = "`Err` value: Torch(\"";

/// libtorch's reason alone, without the addresses that follow it.
pub(crate) fn without_trace(error: TchError) -> TchError {
    let TchError::Torch(text) = error else { return error };
    let reason = text.split_once(OF_LIBTORCH).map_or(text.as_str(), |(_, reason)| reason);
    TchError::Torch(reason.split("\\n").next().unwrap_or(reason).lines().next().unwrap_or(reason).to_owned())
}

/// Whether memory ran out, on the host or on the device.
pub(crate) fn is_memory(error: &TchError) -> bool {
    let text = error.to_string().to_lowercase();
    ["out of memory", "allocate memory", "not enough memory"].iter().any(|part| text.contains(part))
}
