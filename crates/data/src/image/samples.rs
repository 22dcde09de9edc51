//! Samples of 8 and 16 bits, each as the other, and as planes of floats and back.

use std::borrow::Cow;
use std::ops::Range;

use crate::Error;

/// Whole numbers of 8 or 16 bits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Samples {
    /// 0 to 255.
    Eight(Vec<u8>),
    /// 0 to 65535.
    Sixteen(Vec<u16>),
}

impl Samples {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Eight(samples) => samples.len(),
            Self::Sixteen(samples) => samples.len(),
        }
    }

    pub(super) fn slice(&self, range: Range<usize>) -> Self {
        match self {
            Self::Eight(samples) => Self::Eight(samples[range].to_vec()),
            Self::Sixteen(samples) => Self::Sixteen(samples[range].to_vec()),
        }
    }

    /// As 8 bits: 16 bits are divided by 257 and rounded.
    pub fn to_u8(&self) -> Cow<'_, [u8]> {
        match self {
            Self::Eight(samples) => samples.into(),
            Self::Sixteen(samples) => samples.iter().map(|&sample| ((u32::from(sample) + 128) / 257) as u8).collect(),
        }
    }

    /// As 16 bits: 8 bits are multiplied by 257, which loses nothing.
    pub fn to_u16(&self) -> Cow<'_, [u16]> {
        match self {
            Self::Eight(samples) => samples.iter().map(|&sample| u16::from(sample) * 257).collect(),
            Self::Sixteen(samples) => samples.into(),
        }
    }

    /// In [0, 1], one plane for each of the channels that the samples go through in turn.
    pub(super) fn to_planes_f32(&self, channels: usize) -> Vec<f32> {
        match self {
            Self::Eight(samples) => planes(samples, channels, |sample| f32::from(sample) / 255.0),
            Self::Sixteen(samples) => planes(samples, channels, |sample| f32::from(sample) / 65535.0),
        }
    }

    /// Samples of the same depth from `[channels, height, width]` floats, clamped to [0, 1] and rounded half away from
    /// zero; [`Error::NotFinite`] for a NaN or an infinity.
    pub(super) fn with_planes_f32(&self, height: usize, width: usize, planes: &[f32]) -> Result<Self, Error> {
        check_finite(height, width, planes)?;
        let area = height * width;
        Ok(match self {
            Self::Eight(_) => Self::Eight(interleaved(area, planes, |value| quantised(value, 255.0) as u8)),
            Self::Sixteen(_) => Self::Sixteen(interleaved(area, planes, |value| quantised(value, 65535.0) as u16)),
        })
    }
}

/// [`Error::NotFinite`] for the first NaN or infinity of `[channels, height, width]` floats.
pub(super) fn check_finite(height: usize, width: usize, planes: &[f32]) -> Result<(), Error> {
    let Some(at) = planes.iter().position(|value| !value.is_finite()) else { return Ok(()) };
    let area = height * width;
    Err(Error::NotFinite { value: planes[at], channel: at / area, row: at % area / width, column: at % width })
}

/// A float as a whole number from 0 to `largest`: clamped to [0, 1], multiplied, rounded half away from zero.
pub(super) fn quantised(value: f32, largest: f32) -> f32 {
    (value.clamp(0.0, 1.0) * largest).round()
}

/// The first sample of each pixel, then the second of each, and so on.
pub(super) fn planes<T: Copy>(samples: &[T], channels: usize, to_f32: impl Fn(T) -> f32) -> Vec<f32> {
    let mut planes = Vec::with_capacity(samples.len());
    for channel in 0..channels {
        planes.extend(samples.chunks_exact(channels).map(|pixel| to_f32(pixel[channel])));
    }
    planes
}

/// The first value of each plane of `area` values, then the second of each, and so on.
pub(super) fn interleaved<T: Copy + Default>(area: usize, planes: &[f32], to_sample: impl Fn(f32) -> T) -> Vec<T> {
    let channels = planes.len() / area;
    let mut samples = vec![T::default(); planes.len()];
    for (channel, plane) in planes.chunks_exact(area).enumerate() {
        for (pixel, &value) in samples.chunks_exact_mut(channels).zip(plane) {
            pixel[channel] = to_sample(value);
        }
    }
    samples
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixteen_bits_become_eight_by_rounding_and_back_exactly() {
        // 65535 / 255 = 257. 128 is just less than half of it, 129 just more; 257 * 1.5 = 385.5 lies between 385 and 386.
        let sixteen = Samples::Sixteen(vec![0, 128, 129, 257, 385, 386, 65535 - 129, 65535 - 128, 65535]);
        assert_eq!(*sixteen.to_u8(), [0, 0, 1, 1, 1, 2, 254, 255, 255]);
        let eight = Samples::Eight((0..=255).collect());
        assert_eq!(eight.to_u16()[254..], [254 * 257, 65535]);
        assert_eq!(Samples::Sixteen(eight.to_u16().into()).to_u8(), eight.to_u8());
    }

    #[test]
    fn planes_follow_one_another_and_come_back_at_each_depth() {
        // Two pixels of three channels: 0, 51, 255 and 102, 153, 204, fifths of 255.
        let eight = Samples::Eight(vec![0, 51, 255, 102, 153, 204]);
        let sixteen = Samples::Sixteen(eight.to_u16().into());
        for samples in [eight, sixteen] {
            let planes = samples.to_planes_f32(3);
            assert_eq!(planes, [0.0, 0.4, 0.2, 0.6, 1.0, 0.8]);
            assert_eq!(samples.with_planes_f32(1, 2, &planes).unwrap(), samples);
        }
        let every = Samples::Sixteen((0..=65535).collect());
        assert_eq!(every.with_planes_f32(256, 256, &every.to_planes_f32(1)).unwrap(), every);
    }

    #[test]
    fn a_value_that_is_not_finite_is_named() {
        // Of 2 rows of 2, plane 1 begins at 4, so 7 is its last value.
        let mut planes = [0.5; 12];
        planes[7] = f32::INFINITY;
        let error = Samples::Eight(vec![]).with_planes_f32(2, 2, &planes).unwrap_err().to_string();
        assert!(error.starts_with("value inf in channel 1, row 1, column 1: expected finite numbers"), "{error}");
    }
}
