//! Peak signal-to-noise ratio.

use super::Plane;
use crate::Protocol;

/// `10 log10(peak² / MSE)` in dB, the mean squared error taken over all samples of all planes together (the usual
/// reading for RGB; it is not the mean of three ratios). Equal pictures give positive infinity.
pub(crate) fn psnr(sr: &[Plane], hr: &[Plane], protocol: &Protocol) -> f64 {
    let samples: usize = sr.iter().map(|plane| plane.values.len()).sum();
    let squares: f64 = sr.iter().zip(hr).map(|(sr, hr)| squared_error(&sr.values, &hr.values)).sum();
    10.0 * (protocol.peak * protocol.peak * samples as f64 / squares).log10()
}

/// Summed in eight sums side by side, which vector instructions add at once.
fn squared_error(a: &[f64], b: &[f64]) -> f64 {
    let (a, b) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let mut sums = [0.0; 8];
    for (a, b) in a.0.iter().zip(b.0) {
        (0..8).for_each(|lane| sums[lane] += (a[lane] - b[lane]) * (a[lane] - b[lane]));
    }
    sums.iter().sum::<f64>() + a.1.iter().zip(b.1).map(|(a, b)| (a - b) * (a - b)).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::super::plane::tests::plane;
    use super::*;

    fn of(a: &[Plane], b: &[Plane]) -> f64 {
        psnr(a, b, &Protocol::named("rgb", 4).unwrap())
    }

    #[test]
    fn equal_planes_are_infinitely_close() {
        let a = [plane(3, 4, |y, x| (y * x) as f64)];
        assert_eq!(of(&a, &a), f64::INFINITY);
    }

    #[test]
    fn constant_error_of_a_tenth_of_the_peak_is_20_db() {
        // error 25.5 everywhere: MSE = 255²/100, so 10 log10(100) = 20 dB
        let a = [plane(5, 7, |_, x| x as f64)];
        let b = [plane(5, 7, |_, x| x as f64 + 25.5)];
        assert!((of(&a, &b) - 20.0).abs() < 1e-12);
        // A peak of 219 instead of 255 takes 20 log10(255 / 219) = 1.3219 dB.
        let protocol = Protocol { peak: 219.0, ..Protocol::named("rgb", 4).unwrap() };
        assert!((psnr(&a, &b, &protocol) - (20.0 - 1.321_94)).abs() < 1e-4);
    }

    #[test]
    fn errors_are_pooled_over_planes_before_the_logarithm() {
        // one plane of three is off by 25.5: MSE = 255²/300, so 10 log10(300) = 24.7712 dB
        let black = plane(2, 2, |_, _| 0.0);
        let a = [black.clone(), black.clone(), black.clone()];
        let b = [black.clone(), plane(2, 2, |_, _| 25.5), black];
        assert!((of(&a, &b) - 24.771_212_547_196_624).abs() < 1e-9);
    }
}
