use tch::Tensor;

use super::activation::recorded;

/// `[N, C, h, w]` to `[N, C, h * factor, w * factor]`, linear between the centres of the pixels and constant beyond the
/// outermost.
pub fn bilinear(xs: &Tensor, factor: i64) -> Tensor {
    let [height, width] = [xs.size()[2], xs.size()[3]].map(|side| side * factor);
    recorded("", "Upsample", 0, xs.upsample_bilinear2d([height, width], false, None, None))
}

/// The mean of each channel: `[N, C, h, w]` to `[N, C, 1, 1]`.
pub fn global_avg_pool(xs: &Tensor) -> Tensor {
    recorded("", "AdaptiveAvgPool2d", 0, xs.adaptive_avg_pool2d([1, 1]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_pixels_lie_a_quarter_from_the_old_and_the_mean_is_kept() {
        // Centres at 0.25 and 0.75 of the way between 0 and 4, and two outside: 0, 1, 3, 4 in each row; the mean is 2.
        let xs = Tensor::from_slice(&[0.0f32, 4.0]).view([1, 1, 1, 2]);
        let ys = bilinear(&xs, 2);
        assert_eq!(ys.size(), [1, 1, 2, 4]);
        assert_eq!(Vec::<f32>::try_from(ys.view(-1)).unwrap(), [0.0, 1.0, 3.0, 4.0, 0.0, 1.0, 3.0, 4.0]);
        let mean = global_avg_pool(&ys);
        assert_eq!((mean.size(), mean.double_value(&[0, 0, 0, 0])), (vec![1, 1, 1, 1], 2.0));
    }
}
