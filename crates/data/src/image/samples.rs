//! Samples of 8 and 16 bits, each as the other, and as planes of floats and back.

use std::borrow::Cow;

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

fn planes<T: Copy>(samples: &[T], channels: usize, to_f32: impl Fn(T) -> f32) -> Vec<f32> {
    let plane = |channel| samples.iter().skip(channel).step_by(channels);
    (0..channels).flat_map(plane).map(|&sample| to_f32(sample)).collect()
}

/// The first value of each plane of `area` values, then the second of each, and so on.
pub(super) fn interleaved<T>(area: usize, planes: &[f32], to_sample: impl Fn(f32) -> T) -> Vec<T> {
    let planes: Vec<&[f32]> = planes.chunks_exact(area).collect();
    (0..area).flat_map(|at| planes.iter().map(move |plane| plane[at])).map(to_sample).collect()
}
