//! Structural similarity after Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment: from error visibility to
//! structural similarity", IEEE Transactions on Image Processing 13(4), 2004, as several tools compute it.

use multiversion::multiversion;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::filter::{gaussian, slide, weighted_sum};
use super::plane::{Edge, Plane};
use crate::Protocol;

/// Longest side of a window, in pixels.
pub(crate) const LEAST: usize = 11;
/// The constants that steady the two quotients, relative to the peak.
const K: [f64; 2] = [0.01, 0.03];
/// Rows of windows that are summed on one thread.
const STRIP: usize = 32;
/// Sums side by side, which vector instructions add at once.
const LANES: usize = 8;

/// The definitions of SSIM that are in use; their results differ in the second decimal. For RGB all give the mean of the
/// three channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Variant {
    /// The paper's: a Gaussian of 11x11 with sigma 1.5, wherever it lies wholly inside; population variances.
    Gaussian,
    /// MATLAB's built-in `ssim`: the same window everywhere, the outermost pixels repeated beyond the edges.
    Matlab,
    /// torchmetrics 1.9.0: the same window everywhere, the picture mirrored beyond the edges.
    Torchmetrics,
    /// scikit-image 0.26.0 by default: means over 7x7, wherever they lie wholly inside; sample variances.
    ScikitImage,
    /// pyiqa 0.1.16: the paper's, of samples rounded to whole numbers, the contrast term not below 0.
    Pyiqa,
}

/// A variant's parameters, in full.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Window {
    /// Shape of the window: `gaussian` or `uniform`.
    pub shape: &'static str,
    /// Side of the window in pixels.
    pub size: usize,
    /// Standard deviation of a Gaussian window in pixels.
    pub sigma: Option<f64>,
    /// Constants of the luminance term and of the contrast and structure term, relative to the peak.
    pub k: [f64; 2],
    /// Which positions of the window count.
    pub region: &'static str,
    /// Normalisation of variances and covariance.
    pub variance: &'static str,
    /// How channels are pooled.
    pub channels: &'static str,
    /// Anything else that the tool does.
    pub notes: &'static str,
}

impl Variant {
    /// The parameters spelt out.
    pub fn window(self) -> Window {
        let uniform = self == Self::ScikitImage;
        let region = match self.edge() {
            None => "valid: the window lies wholly inside the picture",
            Some(Edge::Replicate) => "every pixel; beyond the edges the outermost pixels are repeated",
            Some(_) => "every pixel; beyond the edges the picture is mirrored, without its outermost pixels",
        };
        Window {
            shape: if uniform { "uniform" } else { "gaussian" },
            size: self.taps().len(),
            sigma: (!uniform).then_some(1.5),
            k: K,
            region,
            variance: if uniform { "sample (n - 1)" } else { "population" },
            channels: "mean",
            notes: match self {
                Self::Pyiqa => "samples are rounded to whole numbers; the contrast term is not below 0",
                _ => "",
            },
        }
    }

    /// The window in one dimension; its outer product with itself is the window.
    fn taps(self) -> Vec<f64> {
        match self {
            Self::ScikitImage => vec![1.0 / 7.0; 7],
            _ => gaussian(11, 1.5),
        }
    }

    /// What lies beyond the edges; `None` where the window stays inside.
    fn edge(self) -> Option<Edge> {
        match self {
            Self::Matlab => Some(Edge::Replicate),
            Self::Torchmetrics => Some(Edge::Reflect),
            _ => None,
        }
    }
}

/// Mean SSIM over all positions of the window and all planes, in [-1, 1]; 1 for equal planes.
pub(crate) fn ssim(sr: &[Plane], hr: &[Plane], protocol: &Protocol, variant: Variant) -> f64 {
    let of = |plane: &Plane| match (variant, variant.edge()) {
        (_, Some(edge)) => Some(plane.padded(LEAST / 2, LEAST / 2, edge)),
        (Variant::Pyiqa, _) => Some(plane.map(f64::round_ties_even)),
        _ => None,
    };
    let terms = Terms::new(variant, protocol.peak);
    let similarity = |(sr, hr): (&Plane, &Plane)| match (of(sr), of(hr)) {
        (Some(sr), Some(hr)) => terms.mean(&sr, &hr)[0],
        _ => terms.mean(sr, hr)[0],
    };
    sr.iter().zip(hr).map(similarity).sum::<f64>() / sr.len() as f64
}

/// What is taken at each position of the window.
pub(crate) struct Terms {
    taps: Vec<f64>,
    c: [f64; 2],
    /// Sample variance over population variance.
    sample: f64,
    /// The least contrast term.
    least: f64,
}

impl Terms {
    pub(crate) fn new(variant: Variant, peak: f64) -> Self {
        Self {
            taps: variant.taps(),
            c: K.map(|k| (k * peak).powi(2)),
            sample: if variant == Variant::ScikitImage { 49.0 / 48.0 } else { 1.0 },
            least: if variant == Variant::Pyiqa { 0.0 } else { f64::NEG_INFINITY },
        }
    }

    /// Means of SSIM and of its contrast and structure term over every position where the window lies wholly inside.
    pub(crate) fn mean(&self, a: &Plane, b: &Plane) -> [f64; 2] {
        let (rows, columns) = (a.height - self.taps.len() + 1, a.width - self.taps.len() + 1);
        // The strips are summed in order afterwards, so that the number of threads cannot change the result.
        let strips = (0..rows.div_ceil(STRIP)).into_par_iter();
        let sums =
            Vec::from_iter(strips.map(|s| self.strip(a, b, s * STRIP, rows.min((s + 1) * STRIP))).collect::<Vec<_>>());
        [0, 1].map(|term| sums.iter().map(|sum| sum[term]).sum::<f64>() / (rows * columns) as f64)
    }

    /// The sums of the two over the windows whose top row is in `first..end`.
    ///
    /// Four means under the window suffice: of a, b, a² + b² and ab.
    fn strip(&self, a: &Plane, b: &Plane, first: usize, end: usize) -> [f64; 2] {
        let (size, width) = (self.taps.len(), a.width);
        let samples = first * width..(end + size - 1) * width;
        let (a, b) = (&a.values[samples.clone()], &b.values[samples]);
        let squares = Vec::from_iter(a.iter().zip(b).map(|(a, b)| a * a + b * b));
        let products = Vec::from_iter(a.iter().zip(b).map(|(a, b)| a * b));
        let mut line = vec![0.0; width];
        let mut means = [(); 4].map(|()| vec![0.0; width - size + 1]);
        let mut sum = [0.0; 2];
        for y in 0..end - first {
            for (plane, mean) in [a, b, &squares, &products].into_iter().zip(&mut means) {
                let rows = Vec::from_iter((y..y + size).map(|row| &plane[row * width..(row + 1) * width]));
                weighted_sum(&rows, &self.taps, &mut line);
                slide(&line, &self.taps, mean);
            }
            let [similarity, contrast] = row(self, &means);
            sum = [sum[0] + similarity, sum[1] + contrast];
        }
        sum
    }

    /// Equation 13 of the paper, and its second factor.
    #[inline(always)]
    fn at(&self, a: f64, b: f64, squares: f64, products: f64) -> [f64; 2] {
        let [c1, c2] = self.c;
        let (variances, covariance) = (self.sample * (squares - (a * a + b * b)), self.sample * (products - a * b));
        let contrast = ((2.0 * covariance + c2) / (variances + c2)).max(self.least);
        [(2.0 * a * b + c1) / (a * a + b * b + c1) * contrast, contrast]
    }
}

/// The sums of the two terms over a row, in [`LANES`] sums that are added last.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
fn row(terms: &Terms, [a, b, squares, products]: &[Vec<f64>; 4]) -> [f64; 2] {
    let (mut similarities, mut contrasts) = ([0.0; LANES], [0.0; LANES]);
    let [a, b, squares, products] = [a, b, squares, products].map(|means| means.as_chunks::<LANES>());
    for (((a, b), squares), products) in a.0.iter().zip(b.0).zip(squares.0).zip(products.0) {
        for lane in 0..LANES {
            let [similarity, contrast] = terms.at(a[lane], b[lane], squares[lane], products[lane]);
            similarities[lane] += similarity;
            contrasts[lane] += contrast;
        }
    }
    for (lane, a) in a.1.iter().enumerate() {
        let [similarity, contrast] = terms.at(*a, b.1[lane], squares.1[lane], products.1[lane]);
        similarities[lane] += similarity;
        contrasts[lane] += contrast;
    }
    [similarities.iter().sum(), contrasts.iter().sum()]
}

#[cfg(test)]
mod tests {
    use super::super::plane::tests::plane;
    use super::*;

    const ALL: [Variant; 5] =
        [Variant::Gaussian, Variant::Matlab, Variant::Torchmetrics, Variant::ScikitImage, Variant::Pyiqa];

    fn of(a: &Plane, b: &Plane, variant: Variant) -> f64 {
        let protocol = Protocol::named("y", 4).unwrap();
        ssim(std::slice::from_ref(a), std::slice::from_ref(b), &protocol, variant)
    }

    #[test]
    fn equal_planes_give_exactly_one() {
        let a = plane(45, 17, |y, x| ((y * 31 + x * 17) % 256) as f64);
        for variant in ALL {
            assert_eq!(of(&a, &a, variant), 1.0, "{variant:?}");
        }
    }

    #[test]
    fn constant_planes_leave_the_luminance_term() {
        // Without variance the second quotient is c2/c2 = 1; with means 100 and 110, c1 = 2.55² = 6.5025:
        // (2·100·110 + 6.5025) / (100² + 110² + 6.5025) = 22006.5025 / 22106.5025 = 0.99547644
        let (a, b) = (plane(11, 12, |_, _| 100.0), plane(11, 12, |_, _| 110.0));
        for variant in ALL {
            assert!((of(&a, &b, variant) - 22_006.502_5 / 22_106.502_5).abs() < 1e-9, "{variant:?}");
        }
    }

    #[test]
    fn reversed_contrast_is_negative_and_pyiqa_makes_it_zero() {
        // b = 255 - a has the covariance -var(a). On a checkerboard of 0 and 255 the mean is close to 127.5 and the
        // variance to 127.5² = 16256.25; c2 = 7.65² = 58.5225:
        // (-2·16256.25 + 58.5225) / (2·16256.25 + 58.5225) = -0.996406. The Gaussian's alternating sum is below 1e-4.
        let a = plane(20, 20, |y, x| if (x + y) % 2 == 0 { 0.0 } else { 255.0 });
        let b = a.map(|value| 255.0 - value);
        assert!((of(&a, &b, Variant::Gaussian) + 0.996_406).abs() < 1e-4);
        assert_eq!(of(&a, &b, Variant::Pyiqa), 0.0);
    }

    #[test]
    fn sample_variances_are_larger() {
        // 7x7 window on a single one among zeros, against zeros: mean 1/49, population variance 1/49 - 1/49² = 48/49²,
        // sample variance 49/48 of it = 1/49. With p = 1/49: c1 / (p² + c1) · c2 / (p + c2).
        let (a, b) = (plane(11, 11, |y, x| f64::from(y == 5 && x == 5)), plane(11, 11, |_, _| 0.0));
        let (p, c1, c2) = (1.0 / 49.0, 6.5025, 58.5225);
        let expected = c1 / (p * p + c1) * c2 / (p + c2);
        assert!((of(&a, &b, Variant::ScikitImage) - expected).abs() < 1e-12);
    }

    #[test]
    fn separable_passes_equal_the_plain_window() {
        let a = plane(12, 13, |y, x| ((y * 37 + x * 91) % 251) as f64);
        let b = plane(12, 13, |y, x| ((y * 53 + x * 29) % 241) as f64);
        let (g, terms) = (gaussian(11, 1.5), Terms::new(Variant::Gaussian, 255.0));
        let mut sum = 0.0;
        for (y, x) in (0..2).flat_map(|y| (0..3).map(move |x| (y, x))) {
            let mut moments = [0.0; 4];
            for (i, j) in (0..11).flat_map(|i| (0..11).map(move |j| (i, j))) {
                let (p, q) = (a.row(y + i)[x + j], b.row(y + i)[x + j]);
                let terms = [p, q, p * p + q * q, p * q];
                moments.iter_mut().zip(terms).for_each(|(sum, term)| *sum += g[i] * g[j] * term);
            }
            sum += terms.at(moments[0], moments[1], moments[2], moments[3])[0];
        }
        assert!((of(&a, &b, Variant::Gaussian) - sum / 6.0).abs() < 1e-12);
    }
}
