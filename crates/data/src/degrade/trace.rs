use std::fmt;

use serde::Serialize;

use super::Interpolation;
use super::kernel::{Ellipse, Shape};

/// What one step did, with every number that it drew but the noise of single pixels.
///
/// Sizes are `(height, width)`. As text it is one line, such as `JPEG, quality 63`; as JSON an object whose key is the
/// step's name in a configuration.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Applied {
    /// A blur.
    Blur {
        /// Rows and columns of the kernel.
        size: usize,
        /// Its weights.
        shape: Shape,
    },
    /// A change of size.
    Resize {
        /// The size before.
        from: (usize, usize),
        /// The size after.
        to: (usize, usize),
        /// How pixels were made.
        kernel: Interpolation,
    },
    /// A blur of which every n-th pixel was kept.
    Decimate {
        /// The size before.
        from: (usize, usize),
        /// The size after.
        to: (usize, usize),
        /// Standard deviation of the blur in pixels.
        sigma: f64,
    },
    /// Noise of equal strength everywhere.
    GaussianNoise(GaussianKind),
    /// Noise that grows with the intensity.
    PoissonNoise {
        /// By how much it was multiplied.
        scale: f64,
        /// Whether it was the same in all channels.
        grey: bool,
    },
    /// Compression as JPEG.
    Jpeg {
        /// libjpeg's quality, 1 to 100.
        quality: u8,
    },
}

/// How the noise of a pixel's channels belongs together; numbers are in 8-bit levels.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GaussianKind {
    /// Each channel has its own.
    Colour {
        /// Standard deviation of each.
        sigma: f64,
    },
    /// One for all channels.
    Grey {
        /// Its standard deviation.
        sigma: f64,
    },
    /// A matrix times three independent normal draws.
    Correlated {
        /// A row for each channel; the covariance is this matrix times its transpose.
        mixture: [[f64; 3]; 3],
    },
}

impl fmt::Display for Applied {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Blur { shape: Shape::Delta, .. } => write!(formatter, "no blur"),
            Self::Blur { size, shape } => write!(formatter, "blur {size}×{size}, {shape}"),
            Self::Resize { from, to, .. } if from == to => write!(formatter, "no resize"),
            Self::Resize { from, to, kernel } => {
                let kernel = format!("{kernel:?}").to_lowercase();
                write!(formatter, "resize {} to {}, {kernel}", times(from), times(to))
            }
            Self::Decimate { from, to, sigma } => {
                write!(formatter, "decimate {} to {}, sigma {sigma:.2}", times(from), times(to))
            }
            Self::GaussianNoise(kind) => write!(formatter, "Gaussian noise, {kind}"),
            Self::PoissonNoise { scale, grey } => {
                write!(formatter, "Poisson noise, {}, scale {scale:.2}", if *grey { "grey" } else { "colour" })
            }
            Self::Jpeg { quality } => write!(formatter, "JPEG, quality {quality}"),
        }
    }
}

impl fmt::Display for GaussianKind {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Colour { sigma } => write!(formatter, "colour, sigma {sigma:.1}"),
            Self::Grey { sigma } => write!(formatter, "grey, sigma {sigma:.1}"),
            Self::Correlated { mixture } => {
                let [red, green, blue] = mixture.map(|row| row.iter().map(|x| x * x).sum::<f64>().sqrt());
                write!(formatter, "correlated, sigma {red:.1}, {green:.1}, {blue:.1}")
            }
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Delta => write!(formatter, "delta"),
            Self::Sinc { cutoff } => write!(formatter, "sinc, cutoff {cutoff:.2}"),
            Self::Gaussian(ellipse) => write!(formatter, "Gaussian, {ellipse}"),
            Self::GeneralisedGaussian { ellipse, beta } => {
                write!(formatter, "generalised Gaussian, {ellipse}, beta {beta:.2}")
            }
            Self::Plateau { ellipse, beta } => write!(formatter, "plateau, {ellipse}, beta {beta:.2}"),
        }
    }
}

impl fmt::Display for Ellipse {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        let [first, second] = self.sigma;
        if first == second {
            return write!(formatter, "sigma {first:.2}");
        }
        // half a turn changes nothing
        write!(formatter, "sigma {first:.2} × {second:.2} at {:.0}°", self.angle.to_degrees().rem_euclid(180.0))
    }
}

fn times((height, width): &(usize, usize)) -> String {
    format!("{height}×{width}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_is_one_line() {
        let ellipse = Ellipse { sigma: [1.5, 0.25], angle: -std::f64::consts::FRAC_PI_2 };
        let blur = |shape| Applied::Blur { size: 7, shape }.to_string();
        assert_eq!(blur(Shape::Delta), "no blur");
        assert_eq!(blur(Shape::Gaussian(ellipse)), "blur 7×7, Gaussian, sigma 1.50 × 0.25 at 90°");
        let circle = Ellipse { sigma: [1.5; 2], angle: 0.0 };
        assert_eq!(blur(Shape::Plateau { ellipse: circle, beta: 1.0 }), "blur 7×7, plateau, sigma 1.50, beta 1.00");
        let resize = Applied::Resize { from: (8, 9), to: (2, 3), kernel: Interpolation::Imresize };
        assert_eq!(resize.to_string(), "resize 8×9 to 2×3, imresize");
        // The deviation of a channel is the length of its row: 3, 4, 0 make 5.
        let mixture = [[3.0, 4.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 2.0]];
        let noise = Applied::GaussianNoise(GaussianKind::Correlated { mixture });
        assert_eq!(noise.to_string(), "Gaussian noise, correlated, sigma 5.0, 1.0, 2.0");
    }
}
