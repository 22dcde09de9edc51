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
/// What libtorch says; [`Error::NotFinite`]; [`Error::Overflow`] where float16 is too narrow for what is between;
/// [`Error::Unlike`] for another shape or type, or in float32 a difference that rounding does not explain.
pub(super) fn difference(model: &dyn SrModel, bytes: &[u8], precision: Precision) -> Result<f64, Error> {
    let module = CModule::load_data(&mut &*bytes)?;
    f_set_graph_executor_optimize(false)?; // of this thread: each size would be optimised anew, for one run
    let difference = largest(model, &module, precision);
    f_set_graph_executor_optimize(true)?;
    difference
}

fn largest(model: &dyn SrModel, module: &CModule, precision: Precision) -> Result<f64, Error> {
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
        match precision {
            Precision::Float16 if !difference.is_finite() => return Err(Error::Overflow { name: "sr".into() }),
            Precision::Float32 if difference.is_nan() || difference > MOST => {
                return Err(Error::Unlike(far(difference)));
            }
            _ => most = most.max(difference),
        }
    }
    Ok(most)
}

fn far(difference: f64) -> String {
    format!("it differs by {difference:.1e} of the output's range, {MOST:.0e} is expected at most")
}

/// Smooth shades that differ from pixel to pixel, the same every time.
fn picture(shape: [i64; 4]) -> Tensor {
    let places = Tensor::arange(shape.iter().product::<i64>(), (Kind::Float, Device::Cpu));
    ((places * 0.7).sin() * 0.5 + 0.5).view(shape)
}
