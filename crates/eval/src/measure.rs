//! Two pictures in, the metrics under one protocol out.

use abbe_data::image::Rgb8;
use abbe_data::resample::{Border, bicubic};

use crate::metric::{Compute, Metric};
use crate::{Error, Protocol};

/// One picture in the versions that metrics compare.
#[derive(Clone, Copy, Debug)]
pub struct Versions<'a> {
    /// The restored picture.
    pub sr: &'a Rgb8,
    /// The reference, of the same size.
    pub hr: &'a Rgb8,
    /// What SR was made from, which `lr_psnr` needs; not larger than HR.
    pub lr: Option<&'a Rgb8>,
}

/// The metrics under one protocol, in their order.
///
/// # Errors
/// SR and HR of different sizes, pictures too small for a metric inside the protocol's border, `lr_psnr` without LR, and
/// LPIPS, which follows no protocol.
pub fn measure(picture: &Versions, protocol: &Protocol, metrics: &[&Metric]) -> Result<Vec<f64>, Error> {
    let (sr, hr) = (picture.sr.size(), picture.hr.size());
    if sr != hr {
        return Err(Error::Size { sr, hr });
    }
    check(hr, protocol, metrics)?;
    let [sr, hr] = protocol.planes(picture.sr, picture.hr)?;
    let value = |metric: &&Metric| match metric.compute() {
        Compute::Planes(compute) => Ok(compute(&sr, &hr, protocol)),
        Compute::Downscaled(compute) => {
            let lr = picture.lr.ok_or(Error::NoLr { metric: metric.name })?;
            let protocol = at_lr(protocol, picture.hr, lr);
            check(lr.size(), &protocol, &[metric])?;
            let again = bicubic(picture.sr, lr.height, lr.width, Border::Replicate);
            let [again, lr] = protocol.planes(&again, lr)?;
            Ok(compute(&again, &lr, &protocol))
        }
        Compute::Alone(compute) => compute(&sr),
        Compute::Lpips(_) => Err(Error::NoProtocol { metric: metric.name }),
    };
    metrics.iter().map(value).collect()
}

/// Whether pictures of this size, (height, width) in pixels, are large enough for every metric under the protocol.
///
/// # Errors
/// [`Error::TooSmall`] with the first metric that they are too small for.
pub fn check((height, width): (usize, usize), protocol: &Protocol, metrics: &[&Metric]) -> Result<(), Error> {
    for metric in metrics {
        let least = protocol.border.saturating_mul(2).saturating_add(metric.least);
        if height.min(width) < least {
            let protocol = protocol.name.clone();
            return Err(Error::TooSmall { height, width, protocol, metric: metric.name, least });
        }
    }
    Ok(())
}

/// The protocol with a border as wide at LR as it is at HR.
fn at_lr(protocol: &Protocol, hr: &Rgb8, lr: &Rgb8) -> Protocol {
    let scale = (hr.height / lr.height.max(1)).max(1);
    Protocol { border: protocol.border.div_ceil(scale), ..protocol.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(height: usize, width: usize, rgb: impl Fn(usize) -> [u8; 3]) -> Rgb8 {
        Rgb8 { height, width, pixels: (0..height * width).flat_map(rgb).collect() }
    }

    fn of(sr: &Rgb8, hr: &Rgb8, protocol: &str, metric: &str) -> Result<f64, Error> {
        let protocol = Protocol::named(protocol, 4)?;
        Ok(measure(&Versions { sr, hr, lr: None }, &protocol, &[Metric::named(metric)?])?[0])
    }

    #[test]
    fn a_constant_error_in_rgb() {
        // error 5 everywhere: MSE 25, 10 log10(65025 / 25) = 10 log10(2601) = 34.1514 dB
        let hr = picture(12, 12, |i| [i as u8, i as u8, 100]);
        let sr = picture(12, 12, |i| [i as u8 + 5, i as u8 + 5, 105]);
        assert!((of(&sr, &hr, "rgb", "psnr").unwrap() - 34.151_403_5).abs() < 1e-6);
    }

    #[test]
    fn swapped_channels_are_noticed() {
        // red 200, green 100, blue 50 against blue 200, green 100, red 50: errors 150, 0, 150, so
        // MSE = 2·150²/3 = 15000 and PSNR = 10 log10(65025 / 15000) = 6.3699 dB.
        let rgb = picture(12, 12, |_| [200, 100, 50]);
        let bgr = picture(12, 12, |_| [50, 100, 200]);
        assert!((of(&bgr, &rgb, "rgb", "psnr").unwrap() - 6.369_892).abs() < 1e-5);
        // Y = 16 + (65.481·200 + 128.553·100 + 24.966·50)/255 = 122.667 and 16 + (65.481·50 + 128.553·100 + 24.966·200)/255
        // = 98.902, rounded 123 and 99: error 24, PSNR = 10 log10(65025 / 576) = 20.5266 dB.
        assert!((of(&bgr, &rgb, "y", "psnr").unwrap() - 20.526_58).abs() < 1e-4);
        // Not rounded, (65.481 - 24.966)·150/255 = 23.8324: 20 log10(255 / 23.8324) = 20.5875 dB.
        assert!((of(&bgr, &rgb, "basicsr-y-crop0", "psnr").unwrap() - 20.587465).abs() < 1e-4);
        // In full range (0.299 - 0.114)·150 = 27.75: 20 log10(255 / 27.75) = 19.2655 dB.
        assert!((of(&bgr, &rgb, "pyiqa", "psnr").unwrap() - 19.265544).abs() < 1e-4);
    }

    #[test]
    fn sr_that_keeps_lr_is_told_from_sr_that_does_not() {
        let hr = picture(32, 32, |i| [(i % 32 * 7) as u8, (i / 32 * 5) as u8, 100]);
        let lr = bicubic(&hr, 8, 8, Border::Replicate);
        let shifted = Rgb8 { pixels: hr.pixels.iter().map(|value| value + 5).collect(), ..hr };
        let lr_psnr = |sr: &Rgb8| {
            let (protocol, versions) = (Protocol::named("rgb", 4).unwrap(), Versions { sr, hr: &hr, lr: Some(&lr) });
            measure(&versions, &protocol, &[Metric::named("lr_psnr").unwrap()]).unwrap()[0]
        };
        // Resampling keeps a constant: 5 more at HR are 5 more at LR, 34.1514 dB as above.
        assert_eq!(lr_psnr(&hr), f64::INFINITY);
        assert!((lr_psnr(&shifted) - 34.151_403_5).abs() < 1e-6);
        let error = of(&hr, &hr, "rgb", "lr_psnr").unwrap_err().to_string();
        assert!(error.contains("lr_psnr"), "{error}");
    }

    #[test]
    fn unequal_sizes_are_named() {
        let (a, b) = (picture(12, 16, |_| [0; 3]), picture(13, 16, |_| [0; 3]));
        let error = of(&a, &b, "rgb", "psnr").unwrap_err().to_string();
        assert!(error.contains("12x16") && error.contains("13x16"), "{error}");
    }

    #[test]
    fn small_pictures_name_what_they_lack() {
        // a border of 4 around a window of 11 asks for 19 pixels
        let small = picture(18, 40, |_| [0; 3]);
        let error = of(&small, &small, "y-crop4", "ssim").unwrap_err().to_string();
        assert!(error.contains("18x40") && error.contains("y-crop4") && error.contains("19x19"), "{error}");
        let absurd = format!("y-crop{}", usize::MAX);
        assert!(matches!(of(&small, &small, &absurd, "psnr"), Err(Error::TooSmall { .. })));
        let enough = picture(19, 40, |_| [0; 3]);
        assert_eq!(of(&enough, &enough, "y-crop4", "ssim").unwrap(), 1.0);
    }
}
