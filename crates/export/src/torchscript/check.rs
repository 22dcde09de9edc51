//! The module that was written, run beside the network.

use abbe_models::SrModel;
use tch::jit::f_set_graph_executor_optimize;
use tch::{CModule, Device, Kind, Tensor, no_grad};

use crate::{Error, Precision};

/// Batches and sizes: none is a multiple of the squares that networks work on but the last.
const SHAPES: [[i64; 3]; 3] = [[1, 7, 5], [2, 1, 3], [1, 12, 16]];

/// The largest difference that rounding explains, as a part of the range of the output.
const MOST: f64 = 1e-5;

/// The largest difference between the module and the network, as a part of the range of the network's output.
///
/// # Errors
/// What libtorch says; [`Error::NotFinite`]; [`Error::Unlike`] for another shape or type.
pub(super) fn difference(model: &dyn SrModel, bytes: &[u8]) -> Result<f64, Error> {
    let module = CModule::load_data(&mut &*bytes)?;
    f_set_graph_executor_optimize(false)?; // of this thread: each size would be optimised anew, for one run
    let difference = largest(model, &module);
    f_set_graph_executor_optimize(true)?;
    difference
}

fn largest(model: &dyn SrModel, module: &CModule) -> Result<f64, Error> {
    let mut most = 0.0f64;
    for [n, h, w] in SHAPES {
        let lr = picture([n, model.colors(), h, w]);
        let (expected, found) = no_grad(|| (model.forward(&lr, false), module.forward_ts(&[&lr])));
        let found = found?;
        let sizes = [&expected, &found].map(|sr| (sr.size(), sr.kind()));
        if sizes[0] != sizes[1] {
            return Err(Error::Unlike(format!("it gives {:?} where {:?} is expected", sizes[1], sizes[0])));
        }
        let range = (expected.max() - expected.min()).double_value(&[]);
        if !range.is_finite() {
            return Err(Error::NotFinite);
        }
        // What is flat is compared with white.
        let range = if range > 0.0 { range } else { 1.0 };
        let difference = (&found - &expected).abs().max().double_value(&[]) / range;
        most = if difference.is_nan() { f64::NAN } else { most.max(difference) };
    }
    Ok(most)
}

/// Whether such a difference can be.
///
/// # Errors
/// [`Error::Unlike`].
pub(super) fn holds(difference: f64, precision: Precision) -> Result<(), Error> {
    match precision {
        Precision::Float32 if difference > MOST || !difference.is_finite() => Err(Error::Unlike(format!(
            "it differs by {difference:.1e} of the output's range, {MOST:.0e} is expected at most"
        ))),
        Precision::Float16 if !difference.is_finite() => {
            Err(Error::Unlike("in float16 it gives numbers that are not finite: leave --half out".into()))
        }
        _ => Ok(()),
    }
}

/// Smooth shades that differ from pixel to pixel, the same every time.
fn picture(shape: [i64; 4]) -> Tensor {
    let places = Tensor::arange(shape.iter().product::<i64>(), (Kind::Float, Device::Cpu));
    ((places * 0.7).sin() * 0.5 + 0.5).view(shape)
}
