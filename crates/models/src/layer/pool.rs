use tch::Tensor;

use super::activation::recorded;

/// The largest of each 2x2 block: `[N, C, h, w]` to `[N, C, h / 2, w / 2]`, rounded down.
pub fn max_pool(xs: &Tensor) -> Tensor {
    recorded("", "MaxPool2d", 0, xs.max_pool2d([2, 2], [2, 2], [0, 0], [1, 1], false))
}

/// What a 3x3 window with stride 2 does at the rim of a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rim {
    /// It stays inside: a side h becomes (h - 3) / 2 + 1, rounded down.
    Inside,
    /// The last one may hang over the end: the same rounded up.
    Over,
    /// It begins one pixel outside: (h + 1) / 2, rounded down.
    Padded,
}

/// The largest of each 3x3 window with stride 2, `[N, C, h, w]`; sides of 3 or more, of 1 or more if padded.
pub fn max_pool_3x3(xs: &Tensor, rim: Rim) -> Tensor {
    let padding = i64::from(rim == Rim::Padded);
    recorded("", "MaxPool2d", 0, xs.max_pool2d([3, 3], [2, 2], [padding, padding], [1, 1], rim == Rim::Over))
}

/// The mean of each 2x2 block: `[N, C, h, w]` to `[N, C, h / 2, w / 2]`, rounded down.
pub fn avg_pool(xs: &Tensor) -> Tensor {
    recorded("", "AvgPool2d", 0, xs.avg_pool2d([2, 2], [2, 2], [0, 0], false, true, None))
}

/// Means of side x side parts, which overlap where they must: `[N, C, h, w]` to `[N, C, side, side]`. A map of that size
/// passes as it is.
pub fn adaptive_avg_pool(xs: &Tensor, side: i64) -> Tensor {
    match xs.size()[..] {
        [_, _, height, width] if [height, width] == [side, side] => xs.shallow_clone(),
        _ => recorded("", "AdaptiveAvgPool2d", 0, xs.adaptive_avg_pool2d([side, side])),
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;

    fn values(ys: Tensor) -> Vec<f32> {
        Vec::<f32>::try_from(ys.reshape(-1)).unwrap()
    }

    /// A row of numbers from 0, repeated in three rows.
    fn ramp(width: i64) -> Tensor {
        Tensor::arange(width, (Kind::Float, Device::Cpu)).view([1, 1, 1, width]).repeat([1, 1, 3, 1])
    }

    #[test]
    fn blocks_of_two() {
        let block = Tensor::from_slice(&[0.0f32, 1.0, 2.0, 5.0]).view([1, 1, 2, 2]);
        assert_eq!(values(max_pool(&block)), [5.0]);
        assert_eq!(values(avg_pool(&block)), [2.0]);
    }

    #[test]
    fn windows_of_three_at_the_rim() {
        // Six columns 0..5. Inside: columns 0-2 and 2-4. Over: 4-5 besides. Padded: 0-1, 1-3, 3-5, and two rows of windows.
        assert_eq!(values(max_pool_3x3(&ramp(6), Rim::Inside)), [2.0, 4.0]);
        assert_eq!(values(max_pool_3x3(&ramp(6), Rim::Over)), [2.0, 4.0, 5.0]);
        assert_eq!(values(max_pool_3x3(&ramp(6), Rim::Padded)), [1.0, 3.0, 5.0, 1.0, 3.0, 5.0]);
    }

    #[test]
    fn adaptive_parts_overlap_where_the_size_does_not_divide() {
        // Three columns in two parts: from floor(i * 3 / 2) to ceil((i + 1) * 3 / 2), columns 0-1 and 1-2.
        assert_eq!(values(adaptive_avg_pool(&ramp(3), 2)), [0.5, 1.5, 0.5, 1.5]);
        assert_eq!(values(adaptive_avg_pool(&ramp(3), 3)), values(ramp(3)));
    }
}
