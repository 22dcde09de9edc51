//! Which input samples make an output sample of a line, and with what weights.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Kernel;
use super::fixed::Fixed;

/// What lies beyond the edge of a picture.
///
/// The two differ in few output pixels: for the bicubic kernel at most the outer two when reducing, the outer `scale / 2`
/// when enlarging.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Border {
    /// The edge pixel again and again (`a a a | a b c`): the LR files of Set5, Set14, BSD100 and Urban100.
    Replicate,
    /// The picture mirrored, the edge pixel twice (`c b a | a b c`): newer MATLAB versions and BasicSR.
    Mirror,
}

impl fmt::Display for Border {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(if *self == Border::Replicate { "replicate" } else { "mirror" })
    }
}

/// How samples are weighed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Method {
    /// The shape of the weights.
    pub kernel: Kernel,
    /// Whether the kernel is stretched by 1 / scale below scale 1, so that it also removes what the output cannot hold.
    pub antialias: bool,
    /// What lies beyond the edge.
    pub border: Border,
}

impl Method {
    /// MATLAB's `imresize`: bicubic with a = -0.5, antialiased.
    pub fn bicubic(border: Border) -> Self {
        Self { kernel: Kernel::Bicubic, antialias: true, border }
    }
}

/// Output samples over input samples on a line, as a fraction: `up / down`, both at least 1.
///
/// Positions and distances are fractions too, and computed as such: no distance at which a kernel jumps is missed by a
/// rounding error, and a mirrored line has mirrored weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scale {
    /// Output samples ..
    pub up: u32,
    /// .. for so many input samples.
    pub down: u32,
}

/// The input samples of one output sample, and their weights, which add up to 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Taps {
    /// Positions in the input, from 0; a position may occur several times.
    pub indices: Vec<usize>,
    /// One weight for each position.
    pub weights: Vec<f64>,
    /// The weights for 8-bit samples.
    pub(super) fixed: Fixed,
}

impl Taps {
    /// The same for a line of which the samples before `first` are left out.
    pub(super) fn starting_at(&self, first: usize) -> Self {
        Self { indices: self.indices.iter().map(|index| index - first).collect(), ..self.clone() }
    }
}

/// For each of `n_out` samples on a line, the samples of the `n_in` that it is made of. `n_in` is at least 1.
///
/// Output sample `x` lies at `(x + 0.5) / scale - 0.5` of the input, as MATLAB's `imresize` has it.
pub fn contributions(n_in: usize, n_out: usize, scale: Scale, method: &Method) -> Vec<Taps> {
    (0..n_out).map(|x| taps(x, n_in, scale, method)).collect()
}

fn taps(x: usize, n_in: usize, scale: Scale, method: &Method) -> Taps {
    let (up, down) = (i64::from(scale.up), i64::from(scale.down));
    // Positions in units of 1 / (2 up) input samples; `stretched` are as many of them as half a unit of the kernel.
    let centre = (2 * x as i64 + 1) * down - up;
    let stretched = if method.antialias { up.max(down) } else { up };
    let weight = |i: i64| method.kernel.at((centre - 2 * up * i) as f64 / (2 * stretched) as f64);
    let weighed: Vec<(i64, f64)> = match method.kernel {
        Kernel::Nearest => vec![((centre + up).div_euclid(2 * up), 1.0)],
        kernel => {
            let reach = kernel.width() * stretched;
            let around = (centre - reach).div_euclid(2 * up)..=(centre + reach).div_euclid(2 * up);
            around.map(|i| (i, weight(i))).filter(|&(_, weight)| weight != 0.0).collect()
        }
    };
    let sum: f64 = weighed.iter().map(|(_, weight)| weight).sum();
    let weights: Vec<f64> = weighed.iter().map(|(_, weight)| weight / sum).collect();
    let indices = weighed.iter().map(|&(i, _)| within(i, n_in, method.border)).collect();
    Taps { indices, fixed: Fixed::new(&weights), weights }
}

/// The position among `0..n` that stands for position `i` of the endless line.
fn within(i: i64, n: usize, border: Border) -> usize {
    let n = n as i64;
    let inside = match border {
        Border::Replicate => i.clamp(0, n - 1),
        Border::Mirror => {
            let turn = i.rem_euclid(2 * n); // the line repeats after the picture and its mirror image
            turn.min(2 * n - 1 - turn)
        }
    };
    inside as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn method(kernel: Kernel) -> Method {
        Method { kernel, antialias: true, border: Border::Replicate }
    }

    fn tap(kernel: Kernel, n_in: usize, (up, down): (u32, u32), x: usize) -> (Vec<usize>, Vec<f64>) {
        let taps = contributions(n_in, x + 1, Scale { up, down }, &method(kernel)).remove(x);
        (taps.indices, taps.weights)
    }

    #[test]
    fn halving_weighs_eight_samples() {
        // The centre lies between two samples, so the distances are 1/2, 3/2, 5/2, 7/2; stretched by 2 they are 1/4 ..
        // 7/4, where the kernel is 222/256, 58/256, -18/256, -6/256. The eight add up to 2, so each is halved.
        let (indices, weights) = tap(Kernel::Bicubic, 16, (1, 2), 3);
        assert_eq!(indices, [3, 4, 5, 6, 7, 8, 9, 10]);
        assert_eq!(weights, [-3.0, -9.0, 29.0, 111.0, 111.0, 29.0, -9.0, -3.0].map(|weight| weight / 256.0));
    }

    #[test]
    fn box_and_bilinear_by_a_third() {
        // Output 1 of a line reduced by 3 has its centre on sample 4. The box stretched by 3 covers 3, 4, 5; the triangle
        // has 1 - d/3 at distance d: 1/3, 2/3, 1, 2/3, 1/3, which add up to 3.
        assert_eq!(tap(Kernel::Box, 9, (1, 3), 1), (vec![3, 4, 5], vec![1.0 / 3.0; 3]));
        let (indices, weights) = tap(Kernel::Bilinear, 9, (1, 3), 1);
        assert_eq!(indices, [2, 3, 4, 5, 6]);
        let expected = [1.0, 2.0, 3.0, 2.0, 1.0].map(|weight| weight / 9.0);
        assert!(weights.iter().zip(expected).all(|(weight, expected)| (weight - expected).abs() < 1e-15));
    }

    #[test]
    fn a_box_that_ends_on_a_sample_takes_half_of_it() {
        // Scale 2/3: the centre of output 0 lies at 1/2 * 3/2 - 1/2 = 1/4, the box covers -1/2 to 1: sample 0, and half
        // of sample 1.
        assert_eq!(tap(Kernel::Box, 6, (2, 3), 0), (vec![0, 1], vec![2.0 / 3.0, 1.0 / 3.0]));
    }

    #[test]
    fn nearest_takes_the_later_of_two() {
        // Halving: centres 1/2, 5/2. By 2/3: centres 1/4, 7/4, 13/4. Doubling: centres -1/4, 1/4, 3/4, 5/4.
        let nearest = |n_in, (up, down), n_out| {
            let taps = contributions(n_in, n_out, Scale { up, down }, &method(Kernel::Nearest));
            taps.into_iter().flat_map(|taps| taps.indices).collect::<Vec<_>>()
        };
        assert_eq!(nearest(4, (1, 2), 2), [1, 3]);
        assert_eq!(nearest(6, (2, 3), 4), [0, 2, 3, 5]);
        assert_eq!(nearest(2, (2, 1), 4), [0, 0, 1, 1]);
    }

    #[test]
    fn without_antialiasing_the_kernel_keeps_its_width() {
        // A quarter: output 0 has its centre at 3/2, and of the triangle only samples 1 and 2 are within 1.
        let plain = Method { antialias: false, ..method(Kernel::Bilinear) };
        let taps = &contributions(8, 2, Scale { up: 1, down: 4 }, &plain)[0];
        assert_eq!((taps.indices.as_slice(), taps.weights.as_slice()), ([1, 2].as_slice(), [0.5, 0.5].as_slice()));
    }

    #[test]
    fn borders_continue_a_line_of_three() {
        let line = |border| (-4..8).map(|i| within(i, 3, border)).collect::<Vec<_>>();
        assert_eq!(line(Border::Replicate), [0, 0, 0, 0, 0, 1, 2, 2, 2, 2, 2, 2]);
        assert_eq!(line(Border::Mirror), [2, 2, 1, 0, 0, 1, 2, 2, 1, 0, 0, 1]);
    }
}
