//! Pictures made smaller and larger, against exact arithmetic and against Pillow.

use abbe_data::image::Rgb8;
use abbe_data::resample::{Border, Kernel, Method, Resampler, bicubic};
use anyhow::{Result, bail, ensure};
use tch::{Device, Tensor};

use crate::check::{Check, Unit, largest};
use crate::golden::difference;
use crate::hashed::{INPUT, hashed};

const PART: &str = "resampling";

/// By border and size: of `crates/data/tests/golden/bicubic.py`.
const EXACT: &str = include_str!("../../data/tests/golden/bicubic.txt");

/// A height and width to which Pillow brought 24 x 36 numbers, and how far from the border its result is compared: it leaves
/// out what lies beyond the border, as no method here does.
const SIZES: [(usize, usize, i64); 3] = [(12, 18, 3), (8, 12, 3), (48, 72, 7)];

pub fn checks() -> Vec<Check> {
    let borders = [("bicubic-replicate", Border::Replicate), ("bicubic-mirror", Border::Mirror)];
    let exact = borders.map(|(name, border)| {
        let reference = "MATLAB's imresize by 8-bit passes, in exact fractions: x1/4, x1/3, x1/2, x2";
        Check::new(PART, name, reference, Unit::Levels, move || levels(border))
    });
    let kernels = [Kernel::Box, Kernel::Bilinear, Kernel::Bicubic, Kernel::Lanczos3].map(|kernel| {
        let reference = "Pillow 13.0.0, float32, away from the border: x1/3, x1/2, x2";
        Check::new(PART, format!("{kernel}-float"), reference, Unit::Relative, move || pillow(kernel)).within(1e-6)
    });
    exact.into_iter().chain(kernels).collect()
}

/// The picture that bicubic.py computes with.
fn picture() -> Result<Rgb8> {
    let value = |y: usize, x: usize, c: usize| ((37 * y * y + 11 * x * x + 5 * x * y + 83 * c + 7) % 256) as u8;
    let pixels = (0..12).flat_map(|y| (0..24).flat_map(move |x| (0..3).map(move |c| value(y, x, c))));
    Ok(Rgb8::new(12, 24, pixels.collect())?)
}

/// The largest difference of a value, over all sizes.
fn levels(border: Border) -> Result<f64> {
    let name = if border == Border::Mirror { "mirror" } else { "replicate" };
    largest(EXACT.lines().filter_map(|line| line.strip_prefix(name)).map(|line| {
        let numbers = line.split_whitespace().map(str::parse).collect::<Result<Vec<usize>, _>>()?;
        let [height, width, expected @ ..] = numbers.as_slice() else { bail!("a line without a size is stored") };
        let found = bicubic(&picture()?, *height, *width, border).pixels;
        ensure!(found.len() == expected.len(), "found {} values, expected {}", found.len(), expected.len());
        let differences = found.iter().zip(expected).map(|(&found, &expected)| usize::from(found).abs_diff(expected));
        Ok(differences.max().unwrap_or_default() as f64)
    }))
}

fn pillow(kernel: Kernel) -> Result<f64> {
    let picture = hashed(&[24, 36], INPUT, 1.0, Device::Cpu) + 0.5;
    let picture = Vec::<f32>::try_from(picture.view(-1))?;
    let method = Method { kernel, antialias: true, border: Border::Mirror };
    largest(SIZES.map(|(height, width, margin)| {
        let resized = Resampler::to_size((24, 36), (height, width), &method)?.planes(&picture)?;
        let (rows, columns) = (height as i64, width as i64);
        let inside = Tensor::from_slice(&resized).view([rows, columns]);
        let inside = inside.narrow(0, margin, rows - 2 * margin).narrow(1, margin, columns - 2 * margin);
        difference(&inside, &format!("resampling.{kernel}.{height}x{width}"))
    }))
}
