use image::ImageFormat;
use jpeg_encoder::{ChromaSubsamplingMethod, ColorType, Encoder, SamplingFactor};
use serde::{Deserialize, Serialize};

use super::check::range;
use super::planes::Planes;
use super::trace::Applied;
use crate::Error;
use crate::image::Rgb8;
use crate::random::Draws;

/// Compression as a JPEG file, and back: baseline, chroma averaged over 2x2 pixels (4:2:0), the example tables of ITU-T
/// T.81 scaled by the quality, all as libjpeg does it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Jpeg {
    /// Range of libjpeg's quality, in 1..=100, each whole number equally likely.
    pub quality: [u8; 2],
}

impl Jpeg {
    pub(super) fn check(&self, key: &str) -> Result<(), Error> {
        range(format!("{key}.quality"), self.quality, 1, 100)
    }

    pub(super) fn apply(&self, picture: &Planes, draws: &mut Draws) -> Result<(Planes, Applied), Error> {
        let [least, most] = self.quality;
        let quality = least + draws.below(u32::from(most - least) + 1) as u8;
        Ok((Planes::from(&compress(&picture.to_rgb8()?, quality)?), Applied::Jpeg { quality }))
    }
}

/// The picture as it comes out of a JPEG file of the given quality, 1 to 100.
fn compress(picture: &Rgb8, quality: u8) -> Result<Rgb8, Error> {
    let (height, width) = picture.size();
    let file = encode(picture, quality).map_err(|reason| Error::Jpeg { height, width, reason })?;
    let decoded = image::load_from_memory_with_format(&file, ImageFormat::Jpeg).map_err(|error| Error::Jpeg {
        height,
        width,
        reason: error.to_string(),
    })?;
    Rgb8::new(height, width, decoded.into_rgb8().into_raw())
}

/// The bytes of the JPEG file, or the reason why there are none.
fn encode(picture: &Rgb8, quality: u8) -> Result<Vec<u8>, String> {
    let side = |length| u16::try_from(length).map_err(|_| "a side is longer than 65535".to_owned());
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, quality);
    encoder.set_sampling_factor(SamplingFactor::R_4_2_0);
    encoder.set_chroma_subsampling_method(ChromaSubsamplingMethod::Average);
    encoder
        .encode(&picture.pixels, side(picture.width)?, side(picture.height)?, ColorType::Rgb)
        .map_err(|error| error.to_string())?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Purpose;

    /// Smooth areas, edges and texture.
    fn picture(height: usize, width: usize) -> Rgb8 {
        let pixel = |y: usize, x: usize| {
            let texture = if (x / 16 + y / 16).is_multiple_of(2) { (x * y) % 64 } else { 0 };
            [(4 * x) % 200 + texture / 2, 3 * y % 256, 40 + texture].map(|value| value as u8)
        };
        let pixels = (0..height).flat_map(|y| (0..width).flat_map(move |x| pixel(y, x))).collect();
        Rgb8::new(height, width, pixels).unwrap()
    }

    #[test]
    fn error_falls_as_quality_rises() {
        let picture = picture(96, 80);
        let error = |quality| {
            let compressed = compress(&picture, quality).unwrap();
            let pairs = picture.pixels.iter().zip(&compressed.pixels);
            pairs.map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2)).sum::<f64>()
        };
        let errors = [1, 10, 30, 50, 70, 95].map(error);
        assert!(errors.is_sorted_by(|a, b| a > b), "{errors:?}");
    }

    #[test]
    fn the_file_has_the_tables_of_its_quality() {
        // T.81's tables begin with 16 (luma) and 17 (chroma); libjpeg multiplies by 5000 / q % below 50, else by
        // 200 - 2 q %, and rounds: 30 gives 166 %, 26.56 and 28.22; 75 gives 50 %, 8 and 8.5; 95 gives 10 %, 1.6, 1.7.
        for (quality, luma, chroma) in [(30, 27, 28), (50, 16, 17), (75, 8, 9), (95, 2, 2), (100, 1, 1)] {
            let file = encode(&picture(16, 16), quality).unwrap();
            let tables: Vec<u8> = file.windows(4).enumerate().filter(|(_, bytes)| bytes[..2] == [0xff, 0xdb]).fold(
                Vec::new(),
                |mut firsts, (at, bytes)| {
                    let end = at + 2 + usize::from(u16::from_be_bytes([bytes[2], bytes[3]]));
                    firsts.extend(file[at + 4..end].chunks_exact(65).map(|table| table[1]));
                    firsts
                },
            );
            assert_eq!(tables, [luma, chroma], "quality {quality}");
        }
    }

    #[test]
    fn libjpeg_gives_nearly_the_same_pixels() {
        let golden = include_str!("../../tests/golden/degrade/jpeg.txt");
        assert_eq!(golden.lines().count(), 3);
        for line in golden.lines() {
            let mut numbers = line.split(' ').map(|number| number.parse::<u8>().unwrap());
            let quality = numbers.next().unwrap();
            let ours = compress(&picture(32, 48), quality).unwrap();
            let error: Vec<f64> = ours.pixels.iter().zip(numbers).map(|(a, b)| f64::from(a.abs_diff(b))).collect();
            assert_eq!(error.len(), ours.pixels.len());
            let mean = error.iter().sum::<f64>() / error.len() as f64;
            assert!(mean < 0.8, "quality {quality}: {mean}");
        }
    }

    #[test]
    fn every_quality_of_the_range_is_drawn_and_no_other() {
        let flat = Planes { height: 1, width: 1, values: vec![0.5; 3] };
        let mut draws = Draws::new(0, Purpose::Degradation, 0, 0);
        let applied = |_| Jpeg { quality: [30, 35] }.apply(&flat, &mut draws).unwrap().1;
        let applied: Vec<Applied> = (0..200).map(applied).collect();
        let drawn = |quality: &u8| applied.contains(&Applied::Jpeg { quality: *quality });
        assert!((1..=100).filter(drawn).eq(30..=35));
    }

    #[test]
    fn grey_flat_areas_survive_and_every_size_is_kept() {
        for (height, width) in [(1, 1), (7, 9), (8, 16), (33, 17)] {
            let flat = Rgb8::new(height, width, vec![128; 3 * height * width]).unwrap();
            assert_eq!(compress(&flat, 30).unwrap(), flat);
            assert_eq!(compress(&picture(height, width), 95).unwrap().size(), (height, width));
        }
    }

    #[test]
    fn chroma_is_halved_in_both_directions() {
        // Red and blue pixels by turns: their chroma averages out over 2x2 pixels even at quality 100.
        for transposed in [false, true] {
            let red = |y: usize, x: usize| (if transposed { y } else { x }) % 2 == 0;
            let pixel = |y, x| if red(y, x) { [180u8, 60, 60] } else { [60, 60, 180] };
            let pixels = (0..32).flat_map(|y| (0..32).flat_map(move |x| pixel(y, x))).collect();
            let compressed = compress(&Rgb8::new(32, 32, pixels).unwrap(), 100).unwrap();
            let at = 3 * (16 * 32 + 16);
            let [red, _, blue] = compressed.pixels[at..at + 3] else { unreachable!() };
            assert!(red.abs_diff(blue) < 30, "{red} {blue}");
        }
    }
}
