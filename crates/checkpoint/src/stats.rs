//! A tensor's numbers in short.

use crate::Tensor;

/// What the numbers of a tensor are like. Those that are not finite are left out of all but their count; where none is
/// finite the others are NaN.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stats {
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
    /// The arithmetic mean.
    pub mean: f64,
    /// How many numbers are infinite or NaN.
    pub non_finite: usize,
}

impl Stats {
    /// Of a real tensor; none for an empty or a complex one.
    pub fn of(tensor: &Tensor) -> Option<Stats> {
        if tensor.numel() == 0 || tensor.dtype().is_complex() {
            return None;
        }
        let (mut min, mut max, mut sum, mut finite) = (f64::NAN, f64::NAN, 0.0, 0usize);
        tensor.for_each(|number| {
            if number.is_finite() {
                (min, max) = (min.min(number), max.max(number));
                sum += number;
                finite += 1;
            }
        });
        Some(Stats { min, max, mean: sum / finite as f64, non_finite: tensor.numel() - finite })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_finite_numbers_with_the_count_of_others() {
        // -1, 2 and 5: mean 2; one of four numbers is infinite.
        let tensor = Tensor::from_f32(&[4], &[-1.0, f32::INFINITY, 2.0, 5.0]);
        assert_eq!(Stats::of(&tensor), Some(Stats { min: -1.0, max: 5.0, mean: 2.0, non_finite: 1 }));
        let none = Stats::of(&Tensor::from_f32(&[1], &[f32::NAN])).unwrap();
        assert!(none.min.is_nan() && none.mean.is_nan() && none.non_finite == 1);
        assert_eq!(Stats::of(&Tensor::from_f32(&[0], &[])), None);
    }
}
