use tch::{Kind, Tensor};

/// What keeps a pixel without features from being divided by 0; the package adds it to the norm, not below the root.
const EPS: f64 = 1e-10;
/// Numbers of one map that are compared at once: 1 MiB, which stays in the processor's cache.
const PART: i64 = 1 << 18;

/// One layer: the maps of both pictures, `[1, C, h, w]`, are scaled to length 1 over the channels of each pixel, and their
/// squared differences weighed by `weights` (`[C]`, float64). Gives the sum over the pixels, and how many these are.
pub(super) fn distance(xs: &Tensor, ys: &Tensor, weights: &Tensor) -> (f64, i64) {
    let channels = weights.numel() as i64;
    // Rows of channels, one for each pixel; a copy only of what is not channels_last.
    let [xs, ys] = [xs, ys].map(|maps| maps.permute([0, 2, 3, 1]).reshape([-1, channels]));
    let (pixels, step) = (xs.size()[0], (PART / channels).max(1));
    let part = |start| {
        let [xs, ys] = [&xs, &ys].map(|rows| unit(&rows.narrow(0, start, step.min(pixels - start))));
        (xs - ys).square().sum_dim_intlist(0, false, Kind::Float).to_kind(Kind::Double).dot(weights)
    };
    ((0..pixels).step_by(step as usize).map(part).sum::<Tensor>().double_value(&[]), pixels)
}

/// Each row `[n, C]` divided by its length.
fn unit(rows: &Tensor) -> Tensor {
    rows / (rows.norm_scalaropt_dim(2.0, [1], true) + EPS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn maps(values: &[f32], shape: [i64; 4]) -> Tensor {
        Tensor::from_slice(values).view(shape)
    }

    #[test]
    fn two_pixels_by_hand() {
        // Two channels, two pixels. Left: (3, 4) and (0, 5), lengths 5: (0.6, 0.8) against (0, 1), squared differences 0.36 and
        // 0.04; with weights 2 and 10 that is 0.72 + 0.4 = 1.12. Right: (1, 0) and (7, 0) point the same way: 0.
        let xs = maps(&[3.0, 1.0, 4.0, 0.0], [1, 2, 1, 2]);
        let ys = maps(&[0.0, 7.0, 5.0, 0.0], [1, 2, 1, 2]);
        let (found, pixels) = distance(&xs, &ys, &Tensor::from_slice(&[2.0, 10.0]));
        assert!((found - 1.12).abs() < 1e-6 && pixels == 2, "{found}");
    }

    #[test]
    fn a_pixel_without_features_and_one_with_hardly_any() {
        // Nothing stays nothing. A feature of 1e-10 is half of 1e-10 + 1e-10, so 0.25 remains; under the root, as
        // sqrt(1e-20 + 1e-10), epsilon would leave 1e-10.
        let (xs, ys) = (maps(&[0.0], [1, 1, 1, 1]), maps(&[1e-10], [1, 1, 1, 1]));
        let (found, _) = distance(&xs, &ys, &Tensor::from_slice(&[1.0]));
        assert!((found - 0.25).abs() < 1e-6, "{found}");
    }

    #[test]
    fn parts_make_the_whole() {
        // 2^18 channels make each pixel a part: first channels 1 and 1 against 1 and 0, so 0 and 1.
        let shape = [1, PART, 1, 2];
        let xs = Tensor::zeros(shape, (Kind::Float, tch::Device::Cpu));
        let ys = xs.zeros_like();
        let _ = xs.select(1, 0).fill_(1.0);
        let _ = ys.select(1, 0).narrow(2, 0, 1).fill_(1.0);
        let weights = Tensor::ones([PART], (Kind::Double, tch::Device::Cpu));
        assert_eq!(distance(&xs, &ys, &weights), (1.0, 2));
        assert_eq!(distance(&xs.narrow(2, 0, 0), &ys.narrow(2, 0, 0), &weights), (0.0, 0));
    }
}
