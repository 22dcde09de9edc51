//! A protocol spelt out, as it is written into a table's JSON.

use serde::Serialize;

use crate::metric::ssim::Window;
use crate::{Channel, Grey, Protocol};

/// Everything that somebody needs to take the same metrics with other tools.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Convention<'a> {
    /// Name of the protocol.
    pub protocol: &'a str,
    /// Whose convention it is.
    pub about: &'a str,
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
    /// Parameters of the metric `ssim`.
    pub ssim: Window,
    /// The settings themselves, from which the protocol is read back.
    pub settings: &'a Protocol,
}

impl Protocol {
    /// The protocol spelt out.
    pub fn convention(&self) -> Convention<'_> {
        let (channel, range, rounding) = match self.channel {
            Channel::YRounded => ("Y of ITU-R BT.601", "16 to 235", "sr to 8-bit RGB, then Y to 8 bits"),
            Channel::Y => ("Y of ITU-R BT.601", "16 to 235", "sr to 8-bit RGB"),
            Channel::Luma => ("luma of ITU-R BT.601", "0 to 255", "sr to 8-bit RGB"),
            Channel::Rgb => ("R, G, B", "0 to 255", "sr to 8-bit RGB"),
        };
        Convention {
            protocol: &self.name,
            about: &self.about,
            channel,
            range,
            rounding,
            grey: match self.grey {
                Grey::AsRgb => "a one-channel picture is turned into RGB first",
                Grey::AsIs => "where hr is grey, grey values 0 to 255 are compared",
            },
            border: self.border,
            peak: self.peak,
            psnr: "mean squared error over all samples and channels; the table's mean is the mean of the pictures' dB",
            ssim: self.ssim.window(),
            settings: self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_was_compared_and_reads_back() {
        let protocol = Protocol::named("y-crop4", 2).unwrap();
        let json = serde_json::to_value(protocol.convention()).unwrap();
        assert_eq!((&json["border"], &json["peak"], &json["ssim"]["size"]), (&4.into(), &255.0.into(), &11.into()));
        assert_eq!(serde_json::from_value::<Protocol>(json["settings"].clone()).unwrap(), protocol);
        for other in ["rgb-crop4", "basicsr-y-crop4", "pyiqa-crop4", "y-grey-crop4"] {
            let other = serde_json::to_value(Protocol::named(other, 2).unwrap().convention()).unwrap();
            let differ = ["channel", "range", "rounding", "grey"].iter().any(|key| json[key] != other[key]);
            assert!(differ, "{other}");
        }
    }
}
