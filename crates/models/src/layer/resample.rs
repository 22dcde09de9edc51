use tch::Tensor;

use super::activation::recorded;

/// The mean of each channel: `[N, C, h, w]` to `[N, C, 1, 1]`.
pub fn global_avg_pool(xs: &Tensor) -> Tensor {
    recorded("", "AdaptiveAvgPool2d", 0, xs.adaptive_avg_pool2d([1, 1]))
}
