//! Protocols: which samples of two pictures are compared, and how.

use std::path::Path;

use abbe_data::color;
use abbe_data::image::Rgb8;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::metric::Plane;
use crate::metric::ssim::Variant;

/// The protocols that have a name of their own; `-cropN` behind any of them sets its border to N pixels.
const FILES: [(&str, &str); 8] = [
    ("y", include_str!("protocols/y.toml")),
    ("y-grey", include_str!("protocols/y-grey.toml")),
    ("rgb", include_str!("protocols/rgb.toml")),
    ("basicsr-y", include_str!("protocols/basicsr-y.toml")),
    ("basicsr-rgb", include_str!("protocols/basicsr-rgb.toml")),
    ("report", include_str!("protocols/report.toml")),
    ("ntire", include_str!("protocols/ntire.toml")),
    ("pyiqa", include_str!("protocols/pyiqa.toml")),
];

/// The samples of an 8-bit RGB picture that a metric sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// Luma Y of ITU-R BT.601 in studio range (16 to 235), rounded to 8 bits, as MATLAB's `rgb2ycbcr` gives it.
    YRounded,
    /// The same, not rounded.
    Y,
    /// Luma of ITU-R BT.601 in full range (0 to 255), not rounded.
    Luma,
    /// Red, green and blue, 0 to 255 each.
    Rgb,
}

/// What Y is where the HR picture is grey (R = G = B in every pixel).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grey {
    /// Y as of any other picture.
    #[default]
    AsRgb,
    /// The grey value itself; luma in full range where SR is not grey.
    AsIs,
}

/// One way of taking metrics, by name: see [`Protocol::named`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Protocol {
    /// Its name, such as `y-crop4`: columns are named after it.
    pub name: String,
    /// Whose convention it is.
    pub about: String,
    /// The samples that are compared.
    pub channel: Channel,
    /// Y of grey pictures.
    pub grey: Grey,
    /// Pixels cut from each of the four sides before anything is computed.
    pub border: usize,
    /// Peak value of PSNR and dynamic range of SSIM, in units of 8-bit values; above 0.
    pub peak: f64,
    /// What the metric `ssim` is.
    pub ssim: Variant,
}

/// A protocol's file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    about: String,
    channel: Channel,
    #[serde(default)]
    grey: Grey,
    border: Border,
    peak: f64,
    ssim: Variant,
}

/// Pixels cut from each side, for any scale.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Border {
    Pixels(usize),
    Scale,
    ScalePlus(usize),
}

impl Protocol {
    /// Names of the protocols that have one, without the `-cropN` that may follow.
    pub fn names() -> impl Iterator<Item = &'static str> {
        FILES.iter().map(|(name, _)| *name)
    }

    /// The protocol of a name for pictures enlarged `scale` times: one of [`Protocol::names`], which may be followed by
    /// `-cropN` with N the border in pixels; or the path of a TOML file with settings such as
    /// `about = "ours"`, `channel = "rgb"`, `border = "scale"`, `peak = 255`, `ssim = "gaussian"`.
    ///
    /// # Errors
    /// [`Error::UnknownProtocol`]; [`Error::ProtocolFile`] for a file that cannot be read or holds something else.
    pub fn named(name: &str, scale: usize) -> Result<Self, Error> {
        if name.ends_with(".toml") {
            return Self::read(Path::new(name), scale);
        }
        let unknown = || Error::UnknownProtocol(name.to_owned());
        let (base, border) = match name.rsplit_once("-crop") {
            Some((base, border)) => (base, Some(border.parse::<usize>().map_err(|_| unknown())?)),
            None => (name, None),
        };
        let (_, text) = FILES.iter().find(|(known, _)| *known == base).ok_or_else(unknown)?;
        let protocol = Self::parse(base, text, scale).map_err(|_| unknown())?;
        // A border that the protocol has anyway makes no other protocol of it.
        Ok(match border.filter(|border| *border != protocol.border) {
            Some(border) => Self { name: format!("{base}-crop{border}"), border, ..protocol },
            None => protocol,
        })
    }

    fn read(path: &Path, scale: usize) -> Result<Self, Error> {
        let wrong = |reason: String| Error::ProtocolFile { path: path.into(), reason };
        let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
        let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        if !name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
            || Self::named(name, 1).is_ok()
        {
            return Err(wrong("expected a file name of a to z, 0 to 9 and -, which no other protocol has".into()));
        }
        Self::parse(name, &text, scale).map_err(wrong)
    }

    fn parse(name: &str, text: &str, scale: usize) -> Result<Self, String> {
        let Settings { about, channel, grey, border, peak, ssim } =
            toml::from_str(text).map_err(|error: toml::de::Error| error.to_string())?;
        if !(peak.is_finite() && peak > 0.0) {
            return Err(format!("peak: expected a number above 0, found {peak}"));
        }
        let border = match border {
            Border::Pixels(pixels) => pixels,
            Border::Scale => scale,
            Border::ScalePlus(pixels) => pixels.saturating_add(scale),
        };
        Ok(Self { name: name.to_owned(), about, channel, grey, border, peak, ssim })
    }

    /// Name of a metric under this protocol: `psnr` becomes `psnr_y_crop4`.
    pub fn column(&self, metric: &str) -> String {
        format!("{metric}_{}", self.name).replace('-', "_")
    }

    /// The samples of `sr` and `hr` that this protocol compares: one plane for luma, three for RGB, the border cut off.
    ///
    /// The pictures have the same size, and something is left inside the border.
    pub(crate) fn planes(&self, sr: &Rgb8, hr: &Rgb8) -> Result<[Vec<Plane>; 2], Error> {
        let channel = if self.grey == Grey::AsIs && is_grey(hr) { Channel::Luma } else { self.channel };
        Ok([self.planes_of(sr, channel)?, self.planes_of(hr, channel)?])
    }

    fn planes_of(&self, picture: &Rgb8, channel: Channel) -> Result<Vec<Plane>, Error> {
        let ((height, width), border) = (picture.size(), self.border);
        let (height, width) = (height - 2 * border, width - 2 * border);
        let cropped = if border > 0 { Some(picture.crop(border, border, height, width)?) } else { None };
        let inside = cropped.as_ref().unwrap_or(picture);
        let plane = |values| Plane { height, width, values };
        let pixels = inside.pixels.as_chunks::<3>().0;
        Ok(match channel {
            Channel::YRounded => vec![plane(color::luma_rounded(inside))],
            Channel::Y => vec![plane(color::luma(inside))],
            Channel::Luma => vec![plane(color::luma_full_range(inside))],
            Channel::Rgb => {
                Vec::from([0, 1, 2].map(|c| plane(pixels.iter().map(|pixel| f64::from(pixel[c])).collect())))
            }
        })
    }
}

fn is_grey(picture: &Rgb8) -> bool {
    picture.pixels.as_chunks::<3>().0.iter().all(|[r, g, b]| r == g && g == b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> Protocol {
        Protocol::named(name, 4).unwrap()
    }

    #[test]
    fn every_named_protocol_reads_and_sets_its_border() {
        for name in Protocol::names() {
            assert_eq!(named(name).name, name);
            assert_eq!(named(&format!("{name}-crop3")).border, 3);
        }
        let borders = ["y", "y-crop4", "rgb-crop2", "basicsr-y", "ntire"].map(|name| named(name).border);
        assert_eq!(borders, [0, 4, 2, 4, 10]);
        assert_eq!(named("y-crop0"), named("y"));
        for name in ["", "Y", "y-crop", "y-crop-1", "lab", "y_crop4"] {
            assert!(Protocol::named(name, 4).unwrap_err().to_string().contains(&format!("`{name}`")));
        }
    }

    #[test]
    fn a_file_gives_a_protocol_its_name() {
        let folder = tempfile::TempDir::new().unwrap();
        let read = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            Protocol::named(path.to_str().unwrap(), 4)
        };
        let text = "about = \"ours\"\nchannel = \"y\"\nborder = { scale_plus = 1 }\npeak = 219\nssim = \"matlab\"\n";
        let protocol = read("lab-3.toml", text).unwrap();
        assert_eq!((protocol.name.as_str(), protocol.border, protocol.peak), ("lab-3", 5, 219.0));
        assert_eq!((protocol.channel, protocol.ssim), (Channel::Y, Variant::Matlab));
        for (name, text, part) in [
            ("rgb.toml", text, "no other protocol"),
            ("a b.toml", text, "file name"),
            ("a.toml", &text.replace("peak", "peek"), "peek"),
            ("b.toml", &text.replace("219", "0"), "above 0"),
        ] {
            let error = read(name, text).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains(part), "{error}");
        }
    }

    #[test]
    fn a_column_is_named_after_metric_and_protocol() {
        assert_eq!(named("y-crop4").column("psnr"), "psnr_y_crop4");
        assert_eq!(named("rgb").column("ssim"), "ssim_rgb");
    }

    #[test]
    fn the_border_is_cut_from_every_side() {
        // red counts the pixels: a 13x14 picture without a border of 1 begins at (1, 1) = 15 and ends at (11, 12) = 166
        let pixels = (0..13 * 14).flat_map(|i| [i as u8, 0, 0]).collect();
        let picture = Rgb8 { height: 13, width: 14, pixels };
        let [planes, _] = named("rgb-crop1").planes(&picture, &picture).unwrap();
        assert_eq!((planes.len(), planes[0].height, planes[0].width), (3, 11, 12));
        assert_eq!((planes[0].values[0], planes[0].values[11 * 12 - 1]), (15.0, 166.0));
    }

    #[test]
    fn grey_is_compared_as_rgb_or_as_it_is() {
        // Y of grey 100 is 16 + 219 * 100 / 255 = 101.88, rounded 102; of grey 110, 110.47, rounded 110.
        let of = |value| Rgb8 { height: 1, width: 1, pixels: vec![value; 3] };
        let value = |name| named(name).planes(&of(110), &of(100)).unwrap().map(|planes| planes[0].values[0]);
        assert_eq!(value("y"), [110.0, 102.0]);
        assert_eq!(value("y-grey").map(f64::round), [110.0, 100.0]);
        // A colour in HR, and Y is that of colour pictures: 16 + (65.481 * 255) / 255 = 81.48 for red.
        let red = Rgb8 { height: 1, width: 1, pixels: vec![255, 0, 0] };
        assert_eq!(named("y-grey").planes(&of(110), &red).unwrap()[1][0].values, [81.0]);
    }
}
