//! The histogram loss: how far the colours of SR are from those of HR, wherever they are in the picture.
//!
//! Histograms are counted by votes that fade with the distance from a bin, so that they have a gradient, and compared by
//! Hellinger's distance: kernel and distance are those of HistoGAN (Afifi et al., arXiv 2011.11731). HistoGAN
//! counts log-chroma, which knows no brightness; here it is each of R, G and B by itself.

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use super::{Inputs, Loss};

/// The histogram loss of a phase.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// At least 0.
    pub weight: f64,
    /// Bins of equal width over [0, 1], from 2 to 256; 64 in the paper. Some four tensors of `bins` times the size of the
    /// batch are held: 64 bins of 16 patches of 96x96 take 0.5 GB.
    pub bins: i64,
    /// The distance from a bin's centre at which a vote is half of one at the centre, above 0, at most 1; 0.02 in the paper.
    pub bandwidth: f64,
}

impl Loss for Config {
    fn name(&self) -> &'static str {
        "histogram"
    }

    fn weight(&self) -> f64 {
        self.weight
    }

    /// In [0, 1]: the mean over pictures and channels.
    fn value(&self, of: &Inputs) -> Result<Tensor> {
        let target = tch::no_grad(|| self.histogram(of.hr).sqrt());
        let difference = self.histogram(of.sr).sqrt() - target;
        Ok(difference.norm_scalaropt_dim(2, [-1], false).mean(Kind::Float) / 2f64.sqrt())
    }

    fn validate(&self) -> Result<()> {
        ensure!((2..=256).contains(&self.bins), "bins: expected 2 to 256, found {}", self.bins);
        let bandwidth = self.bandwidth;
        ensure!(
            bandwidth > 0.0 && bandwidth <= 1.0,
            "bandwidth: expected a number above 0, at most 1, found {bandwidth}"
        );
        Ok(())
    }
}

impl Config {
    /// The shares of the bins in each channel of pictures `[N, C, H, W]`: `[N, C, bins]`.
    fn histogram(&self, pictures: &Tensor) -> Tensor {
        let centres = (Tensor::arange(self.bins, (Kind::Float, pictures.device())) + 0.5) / self.bins;
        let samples = pictures.flatten(2, -1).unsqueeze(2) / self.bandwidth;
        let distances = samples - centres.view([-1, 1]) / self.bandwidth; // [N, C, bins, H * W]
        let votes = (distances.square() + 1.0).reciprocal();
        let counts = votes.sum_dim_intlist(-1, false, Kind::Float);
        &counts / counts.sum_dim_intlist(-1, true, Kind::Float)
    }
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    #[test]
    fn hellingers_distance_of_two_flat_pictures() {
        // Two bins with centres 0.25 and 0.75. All pixels at 0.25 vote 1 for the first and 1 / (1 + (0.5 / 0.5)²) = 1/2 for
        // the second: shares 2/3 and 1/3. All at 0.75: 1/3 and 2/3. Both roots differ by sqrt(2/3) - sqrt(1/3), so the
        // distance is sqrt(2) of that, divided by sqrt(2): 0.816497 - 0.577350 = 0.239146.
        let config = Config { weight: 1.0, bins: 2, bandwidth: 0.5 };
        let flat = |value| Tensor::full([2, 3, 4, 4], value, (Kind::Float, Device::Cpu));
        let value = |sr: &Tensor, hr: &Tensor| config.value(&Inputs::of_pictures(sr, hr)).unwrap().double_value(&[]);
        assert!((value(&flat(0.25), &flat(0.75)) - 0.239_146).abs() < 1e-6);
        assert_eq!(value(&flat(0.25), &flat(0.25)), 0.0);
        // Pixels may change places.
        let picture = Tensor::from_slice(&[0.0f32, 0.3, 0.6, 1.0]).view([1, 1, 2, 2]);
        assert!(value(&picture, &picture.flip([2, 3])) < 1e-6);
    }
}
