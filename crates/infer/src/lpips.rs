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

#[cfg(test)]
mod tests {
    use abbe_models::lpips::Net;
    use abbe_models::{Card, alexnet};
    use tch::Device;

    use super::*;

    /// Over a network with random weights.
    fn metric() -> Lpips {
        let folder = tempfile::tempdir().unwrap();
        let (path, network) = (folder.path().join("alexnet.pth"), alexnet::Config { classes: None }.into());
        let built = abbe_models::Config::build(&network, Device::Cpu).unwrap();
        let card = Card { network, notices: Vec::new(), sources: Vec::new() };
        abbe_models::save(&path, built.network(), &card).unwrap();
        Lpips::open(Net::Alex, &path, None, Device::Cpu).unwrap()
    }

    #[test]
    fn equal_pictures_have_no_distance_and_swapped_colours_have() {
        let picture = |swap: bool| {
            let pixel = |i: usize| if swap { [i as u8, 40, 200] } else { [200, 40, i as u8] };
            Rgb8::new(35, 50, (0..35 * 50).flat_map(pixel).collect()).unwrap()
        };
        let (metric, rgb) = (metric(), picture(false));
        assert_eq!(lpips(&metric, &rgb, &rgb).unwrap(), 0.0);
        assert!(lpips(&metric, &picture(true), &rgb).unwrap() > 1e-4);
        let error = lpips(&metric, &rgb, &rgb.crop(0, 0, 34, 50).unwrap()).unwrap_err().to_string();
        assert!(error.contains("[1, 3, 35, 50] and [1, 3, 34, 50]"), "{error}");
    }
}
