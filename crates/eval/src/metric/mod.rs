//! The metrics themselves, on planes of samples; which samples those are is the protocol's business.
//!
//! A metric is a file with a function, and a row of [`METRICS`].

mod aggd;
pub(crate) mod filter;
pub(crate) mod fourier;
mod fsim;
mod gmsd;
mod haarpsi;
mod mdsi;
mod ms_ssim;
mod niqe;
mod phase_congruency;
pub(crate) mod plane;
pub(crate) mod psnr;
pub(crate) mod ssim;
#[cfg(test)]
mod tests;
mod vifp;

use abbe_data::color::FULL_RANGE;
use abbe_models::lpips::Net;
use serde::Serialize;

pub(crate) use plane::Plane;
use ssim::{Variant, ssim};

use crate::{Error, Protocol};

/// One kind of number that says how far two pictures agree.
#[derive(Debug, Serialize)]
pub struct Metric {
    /// Its name: columns are named after it and the protocol.
    pub name: &'static str,
    /// Whether more is better.
    pub better: Better,
    /// `dB`, or nothing.
    pub unit: &'static str,
    /// Decimals in tables.
    #[serde(skip)]
    pub digits: usize,
    /// What values there are, and that of equal pictures.
    pub range: &'static str,
    /// Who defined it, and which implementation gives the same numbers.
    pub source: &'static str,
    /// Shortest side that a picture may have inside the protocol's border, in pixels.
    pub least: usize,
    #[serde(skip)]
    compute: Compute,
}

/// Which values of a metric are good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    /// The larger, the better.
    Higher,
    /// The smaller, the better.
    Lower,
}

/// How a metric comes about.
#[derive(Debug)]
pub(crate) enum Compute {
    /// From the planes of SR and HR, all of one size: one plane of luma, or R, G and B.
    Planes(fn(&[Plane], &[Plane], &Protocol) -> f64),
    /// From the planes of SR made as small as LR, and those of LR.
    Downscaled(fn(&[Plane], &[Plane], &Protocol) -> f64),
    /// From the planes of SR alone.
    Alone(fn(&[Plane]) -> Result<f64, Error>),
    /// By LPIPS over this network, which follows no protocol: see [`OpenLpips`](crate::OpenLpips).
    Lpips(Net),
}

use Better::{Higher, Lower};
use Compute::{Alone, Downscaled, Lpips, Planes};

const LPIPS_RANGE: &str = "0 and above, seldom above 1; 0 for equal pictures";

/// Every metric.
#[rustfmt::skip]
pub static METRICS: [Metric; 18] = [
    Metric { name: "psnr", better: Higher, unit: "dB", digits: 2,
        range: "0 and above; inf for equal pictures", least: 1,
        source: "10 log10(peak² / MSE), the mean squared error over all samples and channels", compute: Planes(psnr::psnr) },
    Metric { name: "ssim", better: Higher, unit: "", digits: 4,
        range: "-1 to 1; 1 for equal pictures", least: ssim::LEAST,
        source: "Wang, Bovik, Sheikh, Simoncelli 2004, as the protocol says",
        compute: Planes(|sr, hr, protocol| ssim(sr, hr, protocol, protocol.ssim)) },
    Metric { name: "ssim_matlab", better: Higher, unit: "", digits: 4,
        range: "-1 to 1; 1 for equal pictures", least: ssim::LEAST,
        source: "ssim of MATLAB's Image Processing Toolbox",
        compute: Planes(|sr, hr, protocol| ssim(sr, hr, protocol, Variant::Matlab)) },
    Metric { name: "ssim_torchmetrics", better: Higher, unit: "", digits: 4,
        range: "-1 to 1; 1 for equal pictures", least: ssim::LEAST,
        source: "torchmetrics 1.9.0",
        compute: Planes(|sr, hr, protocol| ssim(sr, hr, protocol, Variant::Torchmetrics)) },
    Metric { name: "ssim_skimage", better: Higher, unit: "", digits: 4,
        range: "-1 to 1; 1 for equal pictures", least: ssim::LEAST,
        source: "scikit-image 0.26.0, defaults",
        compute: Planes(|sr, hr, protocol| ssim(sr, hr, protocol, Variant::ScikitImage)) },
    Metric { name: "ssim_pyiqa", better: Higher, unit: "", digits: 4,
        range: "0 to 1; 1 for equal pictures", least: ssim::LEAST,
        source: "pyiqa 0.1.16",
        compute: Planes(|sr, hr, protocol| ssim(sr, hr, protocol, Variant::Pyiqa)) },
    Metric { name: "ms_ssim", better: Higher, unit: "", digits: 4,
        range: "0 to 1; 1 for equal pictures", least: ms_ssim::LEAST,
        source: "Wang, Simoncelli, Bovik 2003; piq 0.8.0", compute: Planes(ms_ssim::ms_ssim) },
    Metric { name: "gmsd", better: Lower, unit: "", digits: 4,
        range: "0 to about 0.5; 0 for equal pictures", least: 1,
        source: "Xue, Zhang, Mou, Bovik 2014; piq 0.8.0", compute: Planes(gmsd::gmsd) },
    Metric { name: "vifp", better: Higher, unit: "", digits: 4,
        range: "0 to about 1; 1 for equal pictures", least: vifp::LEAST,
        source: "Sheikh, Bovik 2006, in the pixel domain; piq 0.8.0", compute: Planes(vifp::vifp) },
    Metric { name: "haarpsi", better: Higher, unit: "", digits: 4,
        range: "0 to 1; 1 for equal pictures", least: haarpsi::LEAST,
        source: "Reisenhofer, Bosse, Kutyniok, Wiegand 2018; piq 0.8.0", compute: Planes(haarpsi::haarpsi) },
    Metric { name: "fsim", better: Higher, unit: "", digits: 4,
        range: "0 to 1; 1 for equal pictures", least: fsim::LEAST,
        source: "Zhang, Zhang, Mou, Zhang 2011, luma alone; piq 0.8.0", compute: Planes(fsim::fsim) },
    Metric { name: "fsimc", better: Higher, unit: "", digits: 4,
        range: "0 to 1; 1 for equal pictures", least: fsim::LEAST,
        source: "Zhang, Zhang, Mou, Zhang 2011, with colour; piq 0.8.0", compute: Planes(fsim::fsimc) },
    Metric { name: "mdsi", better: Lower, unit: "", digits: 4,
        range: "0 to about 0.7; 0 for equal pictures", least: 1,
        source: "Nafchi, Shahkolaei, Hedjam, Cheriet 2016; piq 0.8.0", compute: Planes(mdsi::mdsi) },
    Metric { name: "lr_psnr", better: Higher, unit: "dB", digits: 2,
        range: "0 and above; inf where SR keeps all of LR", least: 1,
        source: "psnr of SR, made smaller as MATLAB's imresize does it (8-bit passes, replicated border), against LR; \
                 the border divided by the scale and rounded up",
        compute: Downscaled(psnr::psnr) },
    Metric { name: "niqe", better: Lower, unit: "", digits: 4,
        range: "0 and above; none where fewer than two blocks of 96x96 pixels have any structure", least: niqe::LEAST,
        source: "Mittal, Soundararajan, Bovik 2013, of SR's luma alone, with the authors' parameters; nearly pyiqa 0.1.16",
        compute: Alone(niqe::niqe) },
    Metric { name: "lpips_alex", better: Lower, unit: "", digits: 4,
        range: LPIPS_RANGE, least: Net::Alex.least() as usize,
        source: "Zhang, Isola, Efros, Shechtman, Wang 2018, over AlexNet; lpips 0.1.4", compute: Lpips(Net::Alex) },
    Metric { name: "lpips_vgg", better: Lower, unit: "", digits: 4,
        range: LPIPS_RANGE, least: Net::Vgg.least() as usize,
        source: "Zhang, Isola, Efros, Shechtman, Wang 2018, over VGG-16; lpips 0.1.4", compute: Lpips(Net::Vgg) },
    Metric { name: "lpips_squeeze", better: Lower, unit: "", digits: 4,
        range: LPIPS_RANGE, least: Net::Squeeze.least() as usize,
        source: "Zhang, Isola, Efros, Shechtman, Wang 2018, over SqueezeNet 1.1; lpips 0.1.4", compute: Lpips(Net::Squeeze) },
];

impl Metric {
    /// The metric of a name; `lpips` is the one over AlexNet.
    ///
    /// # Errors
    /// [`Error::UnknownMetric`], with the names there are.
    pub fn named(name: &str) -> Result<&'static Self, Error> {
        let full = if name == "lpips" { "lpips_alex" } else { name };
        METRICS.iter().find(|metric| metric.name == full).ok_or_else(|| Error::UnknownMetric(name.to_owned()))
    }

    /// The metrics of every table unless others are asked for: PSNR and SSIM.
    pub fn usual() -> Vec<&'static Self> {
        METRICS.iter().take(2).collect()
    }

    /// LPIPS over a network.
    pub(crate) fn lpips(net: Net) -> &'static Self {
        let is_over = |metric: &&Self| matches!(metric.compute, Lpips(own) if own == net);
        METRICS.iter().find(is_over).expect("every network has its row")
    }

    /// The network of LPIPS, which follows no protocol; none for the metrics that do.
    pub fn net(&self) -> Option<Net> {
        if let Lpips(net) = self.compute { Some(net) } else { None }
    }

    /// A value of this metric as papers print it: two decimals for dB, four for indices; without its unit. `-` for what was
    /// not measured (NaN).
    pub fn format(&self, value: f64) -> String {
        if value.is_nan() { "-".into() } else { format!("{value:.0$}", self.digits) }
    }

    /// The same with its unit, if it has one: `28.42 dB`.
    pub fn format_with_unit(&self, value: f64) -> String {
        if value.is_nan() { "-".into() } else { [&self.format(value), self.unit].join(" ").trim_end().to_owned() }
    }

    pub(crate) fn compute(&self) -> &Compute {
        &self.compute
    }
}

impl PartialEq for Metric {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// Luma and the two chrominances of the YIQ colour space, from R, G and B.
pub(crate) const YIQ: [[f64; 3]; 3] = [FULL_RANGE, [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]];

/// The side of the blocks of pixels that are seen as one at the usual distance, by the shorter side of the picture.
pub(crate) fn viewing_blocks(plane: &Plane) -> usize {
    ((plane.height.min(plane.width) as f64 / 256.0).round_ties_even() as usize).max(1)
}

/// How alike two magnitudes are, 0 to 1; `steady` keeps small ones from counting.
pub(crate) fn similarity(a: f64, b: f64, steady: f64) -> f64 {
    (2.0 * a * b + steady) / (a * a + b * b + steady)
}
