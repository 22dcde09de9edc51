use serde::{Deserialize, Serialize};

use super::check::range;
use super::convolve::gaussian_blur;
use super::planes::Planes;
use super::trace::Applied;
use crate::Error;
use crate::random::Draws;

/// A Gaussian blur of which every `factor`-th pixel is kept: each output is a bell about the middle of the
/// `factor` x `factor` pixels that it stands for. Output sizes are rounded up.
///
/// BSRGAN's second way of downsampling (arXiv 2103.14006, section 3.2), whose code shifts the kernel by interpolation;
/// here the bell is computed at the shifted places.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decimate {
    /// Input pixels per output pixel on each axis, in 2..=16.
    pub factor: usize,
    /// Range of the standard deviation in pixels, in [0.1, 100], uniformly drawn; the kernel is 25x25.
    pub sigma: [f64; 2],
}

const SIZE: usize = 25;

impl Decimate {
    pub(super) fn check(&self, key: &str) -> Result<(), Error> {
        range(format!("{key}.factor"), [self.factor; 2], 2, 16)?;
        range(format!("{key}.sigma"), self.sigma, 0.1, 100.0)
    }

    pub(super) fn apply(&self, picture: &Planes, draws: &mut Draws) -> (Planes, Applied) {
        let sigma = draws.between(self.sigma);
        let middle = (self.factor - 1) as f64 / 2.0;
        let kept = keep(&gaussian_blur(picture, SIZE, sigma, middle), self.factor);
        let applied = Applied::Decimate { from: picture.size(), to: kept.size(), sigma };
        (kept, applied)
    }
}

/// Every `factor`-th row and column, beginning with the first.
fn keep(picture: &Planes, factor: usize) -> Planes {
    let row = |row: &[f32]| row.iter().copied().step_by(factor).collect::<Vec<_>>();
    let rows = picture.channels().flat_map(|plane| plane.chunks_exact(picture.width).step_by(factor));
    let [height, width] = [picture.height, picture.width].map(|length| length.div_ceil(factor));
    Planes { height, width, values: rows.flat_map(row).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Purpose;

    #[test]
    fn every_second_row_and_column_is_kept() {
        let picture = Planes { height: 3, width: 4, values: (0..36).map(|i| i as f32).collect() };
        let kept = keep(&picture, 2);
        assert_eq!((kept.size(), &kept.values[..4]), ((2, 2), &[0.0, 2.0, 8.0, 10.0][..]));
    }

    #[test]
    fn a_ramp_keeps_its_place() {
        // The mean of pixels 4k .. 4k + 3 of the ramp x is 4k + 1.5, far from the edges whatever the sigma.
        let picture = Planes { height: 4, width: 64, values: (0..768).map(|i| (i % 64) as f32).collect() };
        let decimate = Decimate { factor: 4, sigma: [1.0, 2.0] };
        let (kept, _) = decimate.apply(&picture, &mut Draws::new(0, Purpose::Degradation, 0, 0));
        assert_eq!(kept.size(), (1, 16));
        assert!((4..12).all(|k| (kept.values[k] - (4.0 * k as f32 + 1.5)).abs() < 1e-3), "{:?}", kept.values);
    }
}
