//! Interpolation kernels by name.

use std::f64::consts::PI;
use std::fmt;

use serde::{Deserialize, Serialize};

/// How the weight of an input sample falls with its distance from the output sample.
///
/// Distances are in input samples; where a reduction stretches the kernel, they are divided by the stretch. Each kernel is
/// even, 1 at 0 and 0 at the other whole numbers, so that at scale 1 a picture stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kernel {
    /// The nearest sample, of two equally near ones that with the higher index; never stretched.
    Nearest,
    /// 1 up to a distance of 1/2, there 1/2: stretched by a whole number, the mean of the samples under an output sample.
    Box,
    /// `1 - |x|` up to 1: linear interpolation.
    Bilinear,
    /// Cubic convolution with a = -0.5, up to 2 ([`cubic`]).
    Bicubic,
    /// `sinc(x) sinc(x / 3)` up to 3, with `sinc(x) = sin(pi x) / (pi x)` (Duchon, "Lanczos filtering in one and two
    /// dimensions", 1979).
    Lanczos3,
}

impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Kernel::Nearest => "nearest",
            Kernel::Box => "box",
            Kernel::Bilinear => "bilinear",
            Kernel::Bicubic => "bicubic",
            Kernel::Lanczos3 => "lanczos3",
        })
    }
}

impl Kernel {
    /// All kernels, in order of width.
    pub const ALL: [Kernel; 5] = [Kernel::Nearest, Kernel::Box, Kernel::Bilinear, Kernel::Bicubic, Kernel::Lanczos3];

    /// The kernel at distance `x`, not normalised; that of [`Kernel::Nearest`] is the box.
    pub fn at(self, x: f64) -> f64 {
        match self {
            Kernel::Nearest | Kernel::Box => 0.5 * f64::from(u8::from(x.abs() < 0.5) + u8::from(x.abs() <= 0.5)),
            Kernel::Bilinear => (1.0 - x.abs()).max(0.0),
            Kernel::Bicubic => cubic(x),
            Kernel::Lanczos3 if x.abs() < 3.0 => sinc(x) * sinc(x / 3.0),
            Kernel::Lanczos3 => 0.0,
        }
    }

    /// Twice the distance from which on the kernel is 0.
    pub(super) fn width(self) -> i64 {
        match self {
            Kernel::Nearest | Kernel::Box => 1,
            Kernel::Bilinear => 2,
            Kernel::Bicubic => 4,
            Kernel::Lanczos3 => 6,
        }
    }
}

/// The cubic convolution kernel with a = -0.5 (Keys, "Cubic convolution interpolation for digital image processing",
/// 1981).
pub fn cubic(x: f64) -> f64 {
    let x = x.abs();
    if x <= 1.0 {
        1.5 * x * x * x - 2.5 * x * x + 1.0
    } else if x < 2.0 {
        -0.5 * x * x * x + 2.5 * x * x - 4.0 * x + 2.0
    } else {
        0.0
    }
}

/// `sin(pi x) / (pi x)`, and exactly 1 or 0 at whole numbers, where the sine of a rounded `pi x` would not be 0.
fn sinc(x: f64) -> f64 {
    if x.fract() == 0.0 { f64::from(u8::from(x == 0.0)) } else { (PI * x).sin() / (PI * x) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cubic_is_1_at_0_and_0_at_the_other_whole_numbers() {
        // At 1/2: 1.5/8 - 2.5/4 + 1 = 0.5625. At 3/2: -0.5 * 27/8 + 2.5 * 9/4 - 6 + 2 = -0.0625.
        let at = [0.0, 1.0, -2.0, 2.5, 0.5, -0.5, 1.5].map(cubic);
        assert_eq!(at, [1.0, 0.0, 0.0, 0.0, 0.5625, 0.5625, -0.0625]);
    }

    #[test]
    fn every_kernel_is_1_at_0_and_0_at_the_other_whole_numbers_and_beyond_its_width() {
        for kernel in Kernel::ALL {
            assert_eq!([0.0, 1.0, -1.0, 2.0, -3.0, 3.5].map(|x| kernel.at(x)), [1.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
        }
    }

    #[test]
    fn kernels_between_whole_numbers() {
        assert_eq!([0.25, -0.5, 0.75].map(|x| Kernel::Box.at(x)), [1.0, 0.5, 0.0]);
        assert_eq!([0.25, -0.5, 0.75].map(|x| Kernel::Bilinear.at(x)), [0.75, 0.5, 0.25]);
        // At 1/2: sin(pi/2) = 1 over pi/2, times sin(pi/6) = 1/2 over pi/6: 2/pi * 3/pi = 6/pi^2.
        // At 3/2: -1 over 3 pi/2, times 1 over pi/2: -4 / (3 pi^2).
        let expected = [6.0, -4.0 / 3.0].map(|value| value / (PI * PI));
        for (x, expected) in [0.5, -1.5].into_iter().zip(expected) {
            assert!((Kernel::Lanczos3.at(x) - expected).abs() < 1e-15, "{x}");
        }
    }

    #[test]
    fn names_are_as_users_write_them() {
        let names = Kernel::ALL.map(|kernel| toml::Value::try_from(kernel).unwrap().to_string());
        assert_eq!(names.join(" "), r#""nearest" "box" "bilinear" "bicubic" "lanczos3""#);
    }
}
