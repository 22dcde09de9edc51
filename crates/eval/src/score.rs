//! Two pictures in, PSNR and SSIM under one protocol out.

use abbe_data::image::Rgb8;

use crate::metric::psnr::psnr;
use crate::metric::ssim::ssim;
use crate::{Error, Protocol};

/// The metrics of one picture under one protocol; both are better when higher.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// Peak signal-to-noise ratio in dB; positive infinity for equal pictures.
    pub psnr: f64,
    /// Structural similarity in [-1, 1]; 1 for equal pictures. For RGB the mean of the three channels.
    pub ssim: f64,
}

impl Score {
    /// Names of the metrics, in the order of [`Score::values`].
    pub const METRICS: [&str; 2] = ["psnr", "ssim"];

    /// The metrics in the order of [`Score::METRICS`].
    pub fn values(&self) -> [f64; 2] {
        [self.psnr, self.ssim]
    }
}

/// Scores the restored picture `sr` against the reference `hr`, both 8-bit RGB.
///
/// # Errors
/// Pictures of different sizes, and pictures too small for the protocol's border and the window of SSIM.
pub fn score(sr: &Rgb8, hr: &Rgb8, protocol: &Protocol) -> Result<Score, Error> {
    let (sr_size, hr_size) = (sr.size(), hr.size());
    if sr_size != hr_size {
        return Err(Error::Size { sr: sr_size, hr: hr_size });
    }
    let (sr, hr) = (protocol.planes(sr)?, protocol.planes(hr)?);
    let similarity: f64 = sr.iter().zip(&hr).map(|(sr, hr)| ssim(sr, hr)).sum();
    Ok(Score { psnr: psnr(&sr, &hr), ssim: similarity / sr.len() as f64 })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use abbe_data::image::{self, Conversion};
    use abbe_data::resample::{self, Border};

    use super::*;
    use crate::Channel;

    fn picture(height: usize, width: usize, rgb: impl Fn(usize) -> [u8; 3]) -> Rgb8 {
        Rgb8 { height, width, pixels: (0..height * width).flat_map(rgb).collect() }
    }

    #[test]
    fn equal_pictures_are_perfect() {
        let hr = picture(20, 24, |i| [i as u8, (i * 7) as u8, (i * 13) as u8]);
        for protocol in [Protocol::y_crop(4), Protocol::RGB] {
            assert_eq!(score(&hr, &hr, &protocol).unwrap(), Score { psnr: f64::INFINITY, ssim: 1.0 });
        }
    }

    #[test]
    fn a_constant_error_in_rgb() {
        // error 5 everywhere: MSE 25, 10 log10(65025 / 25) = 10 log10(2601) = 34.1514 dB
        let hr = picture(12, 12, |i| [i as u8, i as u8, 100]);
        let sr = picture(12, 12, |i| [i as u8 + 5, i as u8 + 5, 105]);
        assert!((score(&sr, &hr, &Protocol::RGB).unwrap().psnr - 34.151_403_5).abs() < 1e-6);
    }

    #[test]
    fn swapped_channels_are_noticed() {
        // red 200, green 100, blue 50 against blue 200, green 100, red 50: errors 150, 0, 150, so
        // MSE = 2·150²/3 = 15000 and PSNR = 10 log10(65025 / 15000) = 6.3699 dB.
        let rgb = picture(12, 12, |_| [200, 100, 50]);
        let bgr = picture(12, 12, |_| [50, 100, 200]);
        assert!((score(&bgr, &rgb, &Protocol::RGB).unwrap().psnr - 6.369_892).abs() < 1e-5);
        // Y = 16 + (65.481·200 + 128.553·100 + 24.966·50)/255 = 122.667 and 16 + (65.481·50 + 128.553·100 + 24.966·200)/255
        // = 98.834, rounded 123 and 99: error 24, PSNR = 10 log10(65025 / 576) = 20.5266 dB.
        assert!((score(&bgr, &rgb, &Protocol::y_crop(0)).unwrap().psnr - 20.526_58).abs() < 1e-4);
    }

    #[test]
    fn unequal_sizes_are_named() {
        let error = score(&picture(12, 16, |_| [0; 3]), &picture(13, 16, |_| [0; 3]), &Protocol::RGB).unwrap_err();
        assert!(error.to_string().contains("12x16") && error.to_string().contains("13x16"), "{error}");
    }

    #[test]
    fn small_pictures_name_what_they_lack() {
        // a border of 4 around a window of 11 asks for 19 pixels
        let small = picture(18, 40, |_| [0; 3]);
        let error = score(&small, &small, &Protocol::y_crop(4)).unwrap_err().to_string();
        assert!(error.contains("18x40") && error.contains("y-crop4") && error.contains("19x19"), "{error}");
        let absurd = Protocol { channel: Channel::Y, border: usize::MAX };
        assert!(matches!(score(&small, &small, &absurd), Err(Error::TooSmall { .. })));
        let enough = picture(19, 40, |_| [0; 3]);
        assert_eq!(score(&enough, &enough, &Protocol::y_crop(4)).unwrap().ssim, 1.0);
    }

    fn assert_close(found: Score, psnr: f64, ssim: f64, what: &str) {
        assert!((found.psnr - psnr).abs() < 1e-4 && (found.ssim - ssim).abs() < 1e-5, "{what}: {found:?}");
    }

    /// Bicubic x4 on a part of a photograph against an independent implementation (tests/golden/metrics/make.py).
    #[test]
    fn a_photograph_matches_the_golden_scores() {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/metrics");
        let open = |file: &str| image::read(&golden.join(file), Conversion::Refuse).unwrap();
        let (lr, hr) = (open("lr.png"), open("hr.png"));
        assert!(lr == resample::bicubic(&hr, 24, 24, Border::Replicate));
        let sr = resample::bicubic(&lr, 96, 96, Border::Mirror);
        let text = std::fs::read_to_string(golden.join("scores.json")).unwrap();
        let scores: serde_json::Value = serde_json::from_str(&text).unwrap();
        for protocol in [Protocol::y_crop(4), Protocol::RGB] {
            let name = protocol.to_string();
            let expected = |metric: &str| scores[&name][metric].as_f64().unwrap();
            assert_close(score(&sr, &hr, &protocol).unwrap(), expected("psnr"), expected("ssim"), &name);
        }
    }

    /// Bicubic x4 on Set5 against an independent implementation (numpy) of the same conventions.
    #[test]
    fn set5_matches_the_reference() {
        let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
        let Ok(table) = std::fs::read_to_string(shared.join("reference/bicubic_x4_set5.csv")) else {
            eprintln!("skipped: {} is absent", shared.display());
            return;
        };
        let mut lines = table.lines().map(|line| line.split(',').collect::<Vec<_>>());
        let header = lines.next().unwrap();
        let column = |name: &str| header.iter().position(|column| *column == name).unwrap();
        let rows: Vec<_> = lines.filter(|line| line[0] == "Set5").collect();
        assert_eq!(rows.len(), 5);
        for line in rows {
            let open = |folder: &str| image::read(&shared.join(folder).join(line[1]), Conversion::Refuse).unwrap();
            let (lr, hr) = (open("Set5/LR_x4"), open("Set5/HR_x4"));
            let sr = resample::bicubic(&lr, hr.height, hr.width, Border::Mirror);
            for (protocol, suffix) in [(Protocol::y_crop(4), "y"), (Protocol::RGB, "rgb")] {
                let expected = |metric| line[column(&format!("{metric}_{suffix}"))].parse().unwrap();
                assert_close(score(&sr, &hr, &protocol).unwrap(), expected("psnr"), expected("ssim"), line[1]);
            }
        }
    }
}
