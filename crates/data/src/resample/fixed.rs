//! Weighted sums of 8-bit samples in 32-bit integers, with the results of the sums in f64.

use multiversion::multiversion;

use super::Taps;
use super::sum::{CHUNK, accumulate, sum_at};

/// Bits behind the binary point. The weights' absolute values add up to less than 2 for every kernel, so that no sum of
/// 8-bit samples leaves 32 bits: `2 * 255 * 2^21 < 2^30`.
const BITS: u32 = 21;
const ONE: i32 = 1 << BITS;

/// Values that are rounded, and looked over for doubts, at a time.
const BLOCK: usize = 64;

/// Weights as multiples of 2^-21.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fixed {
    weights: Vec<i32>,
    /// No sum of 8-bit samples is further than this from what the exact weights give, in multiples of 2^-21. 0 if the
    /// weights are multiples of 2^-21 themselves, as they are for the bicubic kernel at scales 2, 1/2 and 1/4.
    error: i32,
}

impl Fixed {
    pub(super) fn new(weights: &[f64]) -> Self {
        let rounded = weights.iter().map(|weight| (weight * f64::from(ONE)).round());
        let errors = weights.iter().zip(rounded.clone()).map(|(weight, rounded)| weight * f64::from(ONE) - rounded);
        let error = 255.0 * errors.map(f64::abs).sum::<f64>();
        // One more for the rounding errors of f64, which are far smaller.
        let error = if error == 0.0 { 0 } else { error as i32 + 1 };
        Self { weights: rounded.map(|weight| weight as i32).collect(), error }
    }

    /// Whether a sum, to which one half has been added, is too near a whole number to say on which side the exact one is.
    #[inline(always)]
    fn in_doubt(&self, sum: i32) -> bool {
        (sum + self.error) & (ONE - 1) < 2 * self.error
    }
}

/// The weighted sum of `lines`, each as long as `out`, rounded to the nearest 8-bit number (halves up) and clamped.
///
/// The few sums that the rounding of the weights leaves in doubt are taken again in f64: every value is that of f64.
#[multiversion(targets("x86_64+avx2"))]
pub(super) fn weighted_sum(lines: &[u8], taps: &Taps, out: &mut [u8]) {
    let length = out.len();
    for (chunk, out) in out.chunks_mut(CHUNK).enumerate() {
        let start = chunk * CHUNK;
        let mut sums = [ONE / 2; CHUNK];
        let sums = &mut sums[..out.len()];
        accumulate(lines, length, start, &taps.indices, &taps.fixed.weights, sums, i32::from);
        for (block, (out, sums)) in out.chunks_mut(BLOCK).zip(sums.chunks(BLOCK)).enumerate() {
            out.iter_mut().zip(sums).for_each(|(out, sum)| *out = (sum >> BITS).clamp(0, 255) as u8);
            if sums.iter().fold(false, |doubt, &sum| doubt | taps.fixed.in_doubt(sum)) {
                settle(lines, length, start + block * BLOCK, taps, sums, out);
            }
        }
    }
}

/// Takes the sums that are in doubt again.
#[cold]
fn settle(lines: &[u8], length: usize, start: usize, taps: &Taps, sums: &[i32], out: &mut [u8]) {
    for (i, (out, &sum)) in out.iter_mut().zip(sums).enumerate() {
        if taps.fixed.in_doubt(sum) {
            *out = to_u8(sum_at(lines, length, start + i, taps));
        }
    }
}

fn to_u8(value: f64) -> u8 {
    (value + 0.5).floor().clamp(0.0, 255.0) as u8
}
