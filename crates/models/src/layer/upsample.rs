use tch::Tensor;

use super::SubPixelConv2d;
use crate::{Keys, Path};

/// Enlargement by convolutions and pixel shuffles: one by 3 for scale 3, else one by 2 per doubling (Lim et al., arXiv
/// 1707.02921). The convolutions' names are the even numbers, as in a PyTorch `Sequential` with the shuffles between them.
pub struct Upsample(Vec<SubPixelConv2d>);

impl Upsample {
    /// Registers the convolutions `0`, `2`, ... under `path`. `scale` is 3 or a power of two.
    pub fn new(path: Path, channels: i64, scale: i64) -> Self {
        let (factor, count) = if scale == 3 { (3, 1) } else { (2, i64::from(scale.ilog2())) };
        Upsample((0..count).map(|i| SubPixelConv2d::new(&path / (2 * i), channels, channels, factor)).collect())
    }

    /// `[N, channels, h, w]` to `[N, channels, h * scale, w * scale]`.
    pub fn forward(&self, xs: &Tensor) -> Tensor {
        self.0.iter().fold(xs.shallow_clone(), |xs, conv| conv.forward(&xs))
    }

    /// How far into the input an output pixel sees when `reach` pixels of the output around it count.
    pub fn radius(&self, reach: i64) -> i64 {
        self.0.iter().rev().fold(reach, |reach, conv| conv.radius(reach))
    }

    /// The scale that the convolutions under `name` tell: each has `factor^2` times as many channels out as in. None where a
    /// file's shapes make no sense.
    pub fn scale_of(keys: &Keys, name: &str) -> Option<i64> {
        let shapes = (0..).map_while(|i| keys.shape::<4>(&format!("{name}.{}.weight", 2 * i)));
        let factors = shapes.map(|[c_out, c_in, ..]| c_out.checked_div(c_in)?.checked_isqrt());
        factors.into_iter().try_fold(1i64, |scale, factor| scale.checked_mul(factor?))
    }
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;
    use crate::Store;

    #[test]
    fn shapes_tell_the_scale_and_the_radius_is_counted_backwards() {
        for (scale, count, radius) in [(2, 1, 2), (3, 1, 2), (4, 2, 2), (8, 3, 2)] {
            let store = Store::new(Device::Cpu);
            let upsample = Upsample::new(&store.root() / "up", 3, scale);
            let state = store.state_dict();
            assert_eq!((Upsample::scale_of(&Keys(&state), "up"), upsample.0.len()), (Some(scale), count));
            // 1 pixel of the output: within 1 pixel of the input of each shuffle, and each convolution adds 1.
            assert_eq!(upsample.radius(1), radius);
        }
        assert_eq!(Upsample::scale_of(&Keys(&[("up.0.weight".into(), empty())].into_iter().collect()), "up"), None);
    }

    /// A hostile file's weight: no channels at all.
    fn empty() -> abbe_checkpoint::Tensor {
        abbe_checkpoint::Tensor::from_f32(&[0, 0, 3, 3], &[])
    }
}
