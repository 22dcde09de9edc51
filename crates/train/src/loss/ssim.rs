//! 1 - SSIM (Wang, Bovik, Sheikh and Simoncelli, IEEE Transactions on Image Processing 13(4), 2004; as a loss Zhao et al.,
//! arXiv 1511.08861): the metric that `abbe eval` calls `ssim`, with a gradient.

use abbe_data::color::{YCBCR, YCBCR_OFFSET};
use anyhow::Result;
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use super::{Inputs, Loss};

/// Side of the Gaussian window in pixels; the patch is at least as large.
pub const WINDOW: usize = 11;
/// Its standard deviation.
const SIGMA: f64 = 1.5;
/// The paper's constants that steady the two quotients, of pictures in [0, 1].
const C: [f64; 2] = [0.01 * 0.01, 0.03 * 0.03];

/// The SSIM loss of a phase.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// At least 0.
    pub weight: f64,
    /// What is compared.
    pub channel: Channel,
}

/// The samples of a picture that SSIM sees.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// Luma Y of ITU-R BT.601 in studio range.
    Y,
    /// Red, green and blue; the mean of the three.
    Rgb,
}

impl Loss for Config {
    fn name(&self) -> &'static str {
        "ssim"
    }

    fn weight(&self) -> f64 {
        self.weight
    }

    /// In [0, 2], 0 where SR is HR.
    fn value(&self, of: &Inputs) -> Result<Tensor> {
        Ok(-ssim(&self.channel.of(of.sr), &self.channel.of(of.hr)) + 1.0)
    }
}

impl Channel {
    /// Its samples of RGB pictures `[N, 3, H, W]` in [0, 1].
    fn of(self, pictures: &Tensor) -> Tensor {
        match self {
            Channel::Rgb => pictures.shallow_clone(),
            Channel::Y => {
                let weights = Tensor::from_slice(&YCBCR[0]).view([1, 3, 1, 1]).to_device(pictures.device());
                ((pictures * weights).sum_dim_intlist(1, true, Kind::Double) + YCBCR_OFFSET[0]) / 255.0
            }
        }
    }
}

/// Mean SSIM over all places of the window inside the pictures `[N, C, H, W]`: a scalar.
///
/// In float64, because variances are differences of squares, whose rounding in float32 is no longer small beside C where
/// pictures are smooth.
fn ssim(a: &Tensor, b: &Tensor) -> Tensor {
    let (a, b) = (a.to_kind(Kind::Double), b.to_kind(Kind::Double));
    let (squares, products) = (a.square() + b.square(), &a * &b);
    let under_window = blur(&Tensor::cat(&[&a, &b, &squares, &products], 0)).chunk(4, 0);
    let [a, b, squares, products] = &under_window[..] else { unreachable!("four were joined") };
    let (of_squares, of_products) = (a.square() + b.square(), a * b);
    let luminance = (&of_products * 2.0 + C[0]) / (&of_squares + C[0]);
    let contrast_and_structure = ((products - of_products) * 2.0 + C[1]) / (squares - of_squares + C[1]);
    (luminance * contrast_and_structure).mean(Kind::Float)
}

/// Means under the window: `[N, C, H, W]` to `[N, C, H - 10, W - 10]`. As products of matrices, the
/// loss takes a third of the time that convolutions of one channel take.
fn blur(maps: &Tensor) -> Tensor {
    let [.., height, width] = maps.size()[..] else { unreachable!("pictures have four dimensions") };
    let means = |side| means(side as usize).to_device(maps.device());
    means(height).matmul(maps).matmul(&means(width).transpose(0, 1))
}

/// The matrix `[samples - 10, samples]` that takes a line of samples to its means under the window.
fn means(samples: usize) -> Tensor {
    let centre = (WINDOW / 2) as f64;
    let taps: Vec<f64> = (0..WINDOW).map(|i| (-(i as f64 - centre).powi(2) / (2.0 * SIGMA * SIGMA)).exp()).collect();
    let sum: f64 = taps.iter().sum();
    let rows = (samples + 1).saturating_sub(WINDOW);
    let weight = |entry: usize| {
        let (row, column) = (entry / samples, entry % samples);
        column.checked_sub(row).and_then(|i| taps.get(i)).map_or(0.0, |tap| tap / sum)
    };
    let entries: Vec<f64> = (0..rows * samples).map(weight).collect();
    Tensor::from_slice(&entries).view([rows as i64, samples as i64])
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    fn flat(value: f64) -> Tensor {
        Tensor::full([2, 3, 12, 13], value, (Kind::Float, Device::Cpu))
    }

    fn value(channel: Channel, sr: &Tensor, hr: &Tensor) -> f64 {
        Config { weight: 1.0, channel }.value(&Inputs::of_pictures(sr, hr)).unwrap().double_value(&[])
    }

    #[test]
    fn flat_pictures_leave_the_luminance_term() {
        // Without variance the second quotient is 1: 1 - (2 * 0.2 * 0.6 + 0.0001) / (0.04 + 0.36 + 0.0001) = 0.39990.
        assert!((value(Channel::Rgb, &flat(0.2), &flat(0.6)) - 0.399_900).abs() < 1e-5);
        // Y of grey g is (16 + 219 g) / 255: 0.234510 and 0.578039.
        // 1 - (2 * 0.135556 + 0.0001) / (0.054995 + 0.334129 + 0.0001) = 0.3032.
        assert!((value(Channel::Y, &flat(0.2), &flat(0.6)) - 0.303_2).abs() < 1e-4);
    }

    #[test]
    fn equal_pictures_cost_nothing_and_reversed_contrast_costs_almost_two() {
        let picture = Tensor::rand([2, 3, 12, 13], (Kind::Float, Device::Cpu));
        assert!(value(Channel::Rgb, &picture, &picture).abs() < 1e-6);
        // Black and white in turn against their reverse: the covariance is -var = -1/4, so SSIM is near
        // (-1/2 + 0.0009) / (1/2 + 0.0009) = -0.9964; the Gaussian's alternating sum is below 1e-4.
        let place = |n: i64| Tensor::arange(n, (Kind::Float, Device::Cpu));
        let board = (place(12).view([1, 1, -1, 1]) + place(13)).remainder(2.0);
        let reversed = &board * -1.0 + 1.0;
        assert!((value(Channel::Rgb, &board, &reversed) - 1.996_4).abs() < 1e-3);
    }
}
