//! Protocols: which samples of two pictures are compared.

use std::fmt;
use std::str::FromStr;

use abbe_data::color;
use abbe_data::image::Rgb8;
use serde::Serialize;

use crate::Error;
use crate::metric::ssim::{K, SIGMA, WINDOW};
use crate::metric::{PEAK, Plane};

/// The samples of a picture that a metric sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// Luma Y of ITU-R BT.601 in studio range (16 to 235), rounded to 8 bits, as MATLAB's `rgb2ycbcr` gives it.
    Y,
    /// Red, green and blue, 0 to 255 each.
    Rgb,
}

/// One way of taking metrics, written `y-crop4`, `rgb`, `rgb-crop2`, ... (see [`Protocol::from_str`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protocol {
    /// The samples that are compared.
    pub channel: Channel,
    /// Pixels cut from each of the four sides before anything is computed.
    pub border: usize,
}

impl Protocol {
    /// All of red, green and blue, without a border.
    pub const RGB: Self = Self { channel: Channel::Rgb, border: 0 };

    /// The convention of the super-resolution literature: rounded Y, a border as wide as the scale.
    pub const fn y_crop(scale: usize) -> Self {
        Self { channel: Channel::Y, border: scale }
    }

    /// Name of a metric under this protocol: `psnr` becomes `psnr_y_crop4`.
    pub fn metric(&self, metric: &str) -> String {
        format!("{metric}_{self}").replace('-', "_")
    }

    /// Everything that somebody needs to take the same metric with other tools.
    pub fn convention(&self) -> Convention {
        let y = self.channel == Channel::Y;
        Convention {
            protocol: self.to_string(),
            channel: if y { "Y of ITU-R BT.601" } else { "R, G, B" },
            range: if y { "16 to 235" } else { "0 to 255" },
            rounding: if y { "sr to 8-bit RGB, then Y to 8 bits" } else { "sr to 8-bit RGB" },
            grey: "a one-channel picture is turned into RGB first",
            border: self.border,
            peak: PEAK,
            psnr: "mean squared error over all samples and channels; the table's mean is the mean of the pictures' dB",
            ssim: Ssim {
                window: "Gaussian",
                size: WINDOW,
                sigma: SIGMA,
                k1: K.0,
                k2: K.1,
                region: "valid: the window lies wholly inside the picture",
                variance: "population",
                channels: if y { "Y" } else { "mean of R, G and B" },
            },
        }
    }

    /// Whether pictures of this size, (height, width) in pixels, can be scored.
    ///
    /// # Errors
    /// [`Error::TooSmall`] when nothing, or less than the window of SSIM, is left inside the border.
    pub fn check(&self, (height, width): (usize, usize)) -> Result<(), Error> {
        let least = self.border.saturating_mul(2).saturating_add(WINDOW);
        if height.min(width) < least {
            return Err(Error::TooSmall { height, width, protocol: self.to_string(), least });
        }
        Ok(())
    }

    /// The samples that this protocol compares: one plane for Y, three for RGB, the border cut off.
    pub(crate) fn planes(&self, picture: &Rgb8) -> Result<Vec<Plane>, Error> {
        self.check(picture.size())?;
        let ((height, width), border) = (picture.size(), self.border);
        let (height, width) = (height - 2 * border, width - 2 * border);
        let inside = picture.crop(border, border, height, width)?;
        let plane = |values| Plane { height, width, values };
        Ok(match self.channel {
            Channel::Y => vec![plane(color::luma_rounded(&inside))],
            Channel::Rgb => (0..3)
                .map(|channel| plane(inside.pixels.iter().skip(channel).step_by(3).map(|&v| f64::from(v)).collect()))
                .collect(),
        })
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let channel = match self.channel {
            Channel::Y => "y",
            Channel::Rgb => "rgb",
        };
        match self.border {
            0 => f.write_str(channel),
            border => write!(f, "{channel}-crop{border}"),
        }
    }
}

impl FromStr for Protocol {
    type Err = Error;

    /// Reads `y`, `rgb`, `y-cropN` or `rgb-cropN`, N the border in pixels.
    fn from_str(name: &str) -> Result<Self, Error> {
        let unknown = || Error::UnknownProtocol(name.to_owned());
        let (channel, border) = match name.split_once("-crop") {
            Some((channel, border)) => (channel, border.parse().map_err(|_| unknown())?),
            None => (name, 0),
        };
        let channel = match channel {
            "y" => Channel::Y,
            "rgb" => Channel::Rgb,
            _ => return Err(unknown()),
        };
        Ok(Self { channel, border })
    }
}

/// A protocol spelt out, as it is written into a table's JSON.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Convention {
    /// Name of the protocol.
    pub protocol: String,
    /// The samples compared.
    pub channel: &'static str,
    /// Nominal range of the samples.
    pub range: &'static str,
    /// Where values are rounded to integers.
    pub rounding: &'static str,
    /// What becomes of pictures with one channel.
    pub grey: &'static str,
    /// Pixels cut from each side.
    pub border: usize,
    /// Peak value of PSNR and dynamic range of SSIM.
    pub peak: f64,
    /// How errors are pooled into PSNR, and pictures into a mean.
    pub psnr: &'static str,
    /// Parameters of SSIM.
    pub ssim: Ssim,
}

/// Parameters of SSIM (Wang et al. 2004) as it is computed here.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ssim {
    /// Shape of the window.
    pub window: &'static str,
    /// Side of the window in pixels.
    pub size: usize,
    /// Standard deviation of the window in pixels.
    pub sigma: f64,
    /// Constant of the luminance term.
    pub k1: f64,
    /// Constant of the contrast and structure term.
    pub k2: f64,
    /// Which positions of the window count.
    pub region: &'static str,
    /// Normalisation of variances and covariance.
    pub variance: &'static str,
    /// How channels are pooled.
    pub channels: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for name in ["y", "rgb", "y-crop4", "rgb-crop2"] {
            assert_eq!(name.parse::<Protocol>().unwrap().to_string(), name);
        }
        for name in ["", "Y", "y-crop", "y-crop-1", "lab", "y_crop4"] {
            assert!(name.parse::<Protocol>().unwrap_err().to_string().contains(&format!("`{name}`")));
        }
    }

    #[test]
    fn a_metric_is_named_after_its_protocol() {
        assert_eq!(Protocol::y_crop(4).metric("psnr"), "psnr_y_crop4");
        assert_eq!(Protocol::RGB.metric("ssim"), "ssim_rgb");
    }

    #[test]
    fn the_convention_says_what_was_compared() {
        let json = serde_json::to_value(Protocol::y_crop(4).convention()).unwrap();
        assert_eq!((&json["border"], &json["peak"], &json["ssim"]["size"]), (&4.into(), &255.0.into(), &11.into()));
        assert_ne!(json["channel"], serde_json::to_value(Protocol::RGB.convention()).unwrap()["channel"]);
    }

    #[test]
    fn the_border_is_cut_from_every_side() {
        // red counts the pixels: a 13x14 picture without a border of 1 begins at (1, 1) = 15 and ends at (11, 12) = 166
        let pixels = (0..13 * 14).flat_map(|i| [i as u8, 0, 0]).collect();
        let protocol = Protocol { channel: Channel::Rgb, border: 1 };
        let planes = protocol.planes(&Rgb8 { height: 13, width: 14, pixels }).unwrap();
        assert_eq!((planes.len(), planes[0].height, planes[0].width), (3, 11, 12));
        assert_eq!((planes[0].values[0], planes[0].values[11 * 12 - 1]), (15.0, 166.0));
    }
}
