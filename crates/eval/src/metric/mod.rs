//! The metrics themselves, on planes of samples; which samples those are is the protocol's business.

pub(crate) mod psnr;
pub(crate) mod ssim;

/// Peak value of a sample: all planes hold 8-bit values, 0 to 255.
pub(crate) const PEAK: f64 = 255.0;

/// One channel of a picture, row by row, values 0 to 255.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plane {
    pub height: usize,
    pub width: usize,
    pub values: Vec<f64>,
}

impl Plane {
    pub(crate) fn row(&self, y: usize) -> &[f64] {
        &self.values[y * self.width..(y + 1) * self.width]
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::Plane;

    /// A plane whose value at (row, column) is `f(row, column)`.
    pub(crate) fn plane(height: usize, width: usize, f: impl Fn(usize, usize) -> f64) -> Plane {
        let values = (0..height * width).map(|i| f(i / width, i % width)).collect();
        Plane { height, width, values }
    }
}
