//! The perceptual distance of two pictures.

use abbe_data::image::Rgb8;
use abbe_models::lpips::Lpips;
use tch::Tensor;

use crate::Error;

/// LPIPS of the restored picture `sr` against the reference `hr`, both 8-bit RGB: 0 for equal pictures, lower is better. All of
/// each picture counts, without a border, as is usual for this metric.
///
/// # Errors
/// [`Error::Lpips`] for pictures of different sizes, or smaller than the metric's network takes.
pub fn lpips(metric: &Lpips, sr: &Rgb8, hr: &Rgb8) -> Result<f64, Error> {
    let tensor = |picture: &Rgb8| {
        let planes = Tensor::from_slice(&picture.to_planes_f32()); // in [0, 1]
        planes.view([1, 3, picture.height as i64, picture.width as i64]).to_device(metric.device())
    };
    let distances = metric.distances(&tensor(sr), &tensor(hr))?;
    Ok(distances.into_iter().sum()) // of the only pair
}
