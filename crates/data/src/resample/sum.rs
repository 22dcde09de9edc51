//! Weighted sums of lines of samples.

use std::ops::{AddAssign, Mul};

use multiversion::multiversion;

use super::{Taps, fixed};

/// Values that are summed at a time: the sums stay in the processor's nearest cache.
pub(super) const CHUNK: usize = 256;

/// A kind of sample: u8 in 0..=255, u16 in 0..=65535, f32 and f64 in any range.
pub trait Sample: Copy + Default + Send + Sync {
    /// The weighted sum of `lines`, each as long as `out`, taken in f64; whole numbers are rounded (halves up) and clamped
    /// to their range.
    #[doc(hidden)]
    fn weighted_sum(lines: &[Self], taps: &Taps, out: &mut [Self]);
}

impl Sample for u8 {
    fn weighted_sum(lines: &[u8], taps: &Taps, out: &mut [u8]) {
        fixed::weighted_sum(lines, taps, out);
    }
}

impl Sample for u16 {
    fn weighted_sum(lines: &[u16], taps: &Taps, out: &mut [u16]) {
        float_sum(lines, taps, out, |value| (value + 0.5).clamp(0.0, 65535.0) as u16);
    }
}

impl Sample for f32 {
    fn weighted_sum(lines: &[f32], taps: &Taps, out: &mut [f32]) {
        float_sum(lines, taps, out, |value| value as f32);
    }
}

impl Sample for f64 {
    fn weighted_sum(lines: &[f64], taps: &Taps, out: &mut [f64]) {
        float_sum(lines, taps, out, |value| value);
    }
}

#[multiversion(targets("x86_64+avx2"))]
fn float_sum<T: Copy + Into<f64>>(lines: &[T], taps: &Taps, out: &mut [T], from: impl Fn(f64) -> T) {
    let length = out.len();
    for (chunk, out) in out.chunks_mut(CHUNK).enumerate() {
        let mut sums = [0.0; CHUNK];
        let sums = &mut sums[..out.len()];
        accumulate(lines, length, chunk * CHUNK, &taps.indices, &taps.weights, sums, T::into);
        out.iter_mut().zip(sums).for_each(|(out, &mut sum)| *out = from(sum));
    }
}

/// Adds to `sums` the weighted samples `start..` of the lines of `length` samples that `indices` name, one line after the
/// other. Four lines at a time keep the sums in registers.
#[inline(always)]
pub(super) fn accumulate<T: Copy, A: Copy + AddAssign + Mul<Output = A>>(
    lines: &[T],
    length: usize,
    start: usize,
    indices: &[usize],
    weights: &[A],
    sums: &mut [A],
    widen: impl Fn(T) -> A,
) {
    let count = sums.len();
    let line = |index: usize| &lines[index * length + start..][..count];
    let (fours, rest) = indices.as_chunks::<4>();
    let (weights_of_fours, weights_of_rest) = weights.as_chunks::<4>();
    for (&four, &[p, q, r, s]) in fours.iter().zip(weights_of_fours) {
        let [a, b, c, d] = four.map(line);
        for ((((sum, &a), &b), &c), &d) in sums.iter_mut().zip(a).zip(b).zip(c).zip(d) {
            *sum += p * widen(a);
            *sum += q * widen(b);
            *sum += r * widen(c);
            *sum += s * widen(d);
        }
    }
    for (&index, &weight) in rest.iter().zip(weights_of_rest) {
        sums.iter_mut().zip(line(index)).for_each(|(sum, &value)| *sum += weight * widen(value));
    }
}

/// The weighted sum of the samples at one position of the lines, in f64.
pub(super) fn sum_at<T: Copy + Into<f64>>(lines: &[T], length: usize, at: usize, taps: &Taps) -> f64 {
    let weighted =
        taps.indices.iter().zip(&taps.weights).map(|(index, weight)| weight * lines[index * length + at].into());
    weighted.fold(0.0, |sum, value| sum + value)
}
