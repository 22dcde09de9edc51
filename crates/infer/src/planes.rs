//! Tiles of grey or colour, with opacity or without, through a network of RGB.

use abbe_models::bicubic;
use tch::{Kind, TchError, Tensor};

use crate::engine::{Engine, Forward};

/// What enlarges the opacity of pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Alpha {
    /// The network, which sees it as a grey picture: edges as sharp as those of the colours.
    #[default]
    Network,
    /// Bicubic interpolation.
    Bicubic,
}

/// LR pixels on each side over which the colours of SR are compared with those of LR.
const REACH: i64 = 8;

impl Alpha {
    /// What is to enlarge the opacity of these LR pixels, `[N, planes, h, w]` in a row with `area` pixels in a plane: opaque ones
    /// stay so, and need no network.
    pub(crate) fn of(self, pixels: &[f32], planes: usize, area: usize) -> Self {
        let mut opacity = pixels.chunks_exact(area).skip(planes - 1).step_by(planes).flatten();
        if planes.is_multiple_of(2) && opacity.any(|opacity| *opacity < 1.0) { self } else { Alpha::Bicubic }
    }
}

/// `[N, planes, h, w]` (1 or 3 of colour, multiplied by the opacity, and the opacity if there is one) to the same `scale`
/// times as high and wide, by `forward`.
///
/// Grey is seen as three equal channels, whose mean is taken. Opacity that does not change within the reach of bicubic
/// interpolation stays as it is, whatever the network makes of it: an opaque picture does not become transparent.
pub(crate) fn enlarge(engine: &Engine, forward: &Forward, alpha: Alpha, lr: &Tensor) -> Result<Tensor, TchError> {
    let [n, planes] = [0, 1].map(|axis| lr.size()[axis]);
    let channels = if planes < 3 { 1 } else { 3 };
    let color = lr.f_narrow(1, 0, channels)?.f_expand([-1, 3, -1, -1], false)?;
    let color_of = |sr: Tensor| if channels == 1 { sr.f_mean_dim([1].as_slice(), true, Kind::Float) } else { Ok(sr) };
    if planes == channels {
        return color_of(forward(&color.f_contiguous()?)?);
    }
    let opacity = lr.f_narrow(1, channels, 1)?;
    let scale = engine.scale as i64;
    let (color, enlarged) = match alpha {
        Alpha::Network => {
            let sr = forward(&Tensor::f_cat(&[&color, &opacity.f_expand([-1, 3, -1, -1], false)?], 0)?)?;
            (sr.f_narrow(0, 0, n)?, sr.f_narrow(0, n, n)?.f_mean_dim([1].as_slice(), true, Kind::Float)?)
        }
        Alpha::Bicubic => (forward(&color.f_contiguous()?)?, bicubic::upscale(&opacity, scale)),
    };
    Tensor::f_cat(&[color_of(color)?, where_it_changes(&opacity, &enlarged, scale)?], 1)
}

/// `enlarged`, but `opacity` where it is the same in all pixels within [`bicubic::RADIUS`].
fn where_it_changes(opacity: &Tensor, enlarged: &Tensor, scale: i64) -> Result<Tensor, TchError> {
    let highest = |xs: &Tensor| {
        let (side, pad) = (2 * bicubic::RADIUS + 1, bicubic::RADIUS);
        xs.f_max_pool2d([side, side], [1, 1], [pad, pad], [1, 1], false)
    };
    let flat = highest(opacity)?.f_add(&highest(&opacity.f_neg()?)?)?; // 0 where highest and lowest are the same
    let size = [enlarged.size()[2], enlarged.size()[3]];
    let nearest = |xs: &Tensor| xs.f_upsample_nearest2d(size, scale as f64, scale as f64);
    nearest(opacity)?.f_where_self(&nearest(&flat)?.f_eq(0.0)?, enlarged)
}

/// How much farther than the network a pixel whose colours are matched sees.
pub(crate) const MATCH_RADIUS: usize = REACH as usize + bicubic::RADIUS as usize;

/// `sr` with the low frequencies of the colours of `lr`: what its means under LR pixels lack, averaged over 17x17 of them and
/// enlarged by bicubic interpolation, is added. Opacity stays.
pub(crate) fn match_colors(sr: &Tensor, lr: &Tensor, scale: i64) -> Result<Tensor, TchError> {
    let channels = if lr.size()[1] < 3 { 1 } else { 3 };
    let colors = |xs: &Tensor| xs.f_narrow(1, 0, channels);
    let mean = |xs: &Tensor, side: i64, stride: i64| {
        xs.f_avg_pool2d([side, side], [stride, stride], [0, 0], false, true, None)
    };
    let lacking = colors(lr)?.f_sub(&mean(&colors(sr)?, scale, scale)?)?.f_replication_pad2d([REACH; 4])?;
    let matched = colors(sr)?.f_add(&bicubic::upscale(&mean(&lacking, 2 * REACH + 1, 1)?, scale))?;
    Tensor::f_cat(&[matched, sr.f_narrow(1, channels, lr.size()[1] - channels)?], 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_opacity_below_one_needs_the_network() {
        // Two pictures of a grey and an opacity plane, two pixels each.
        let opaque = [0.5, 0.5, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0];
        assert_eq!(Alpha::Network.of(&opaque, 2, 2), Alpha::Bicubic);
        let mut half = opaque;
        half[7] = 0.5;
        assert_eq!(
            [Alpha::Network, Alpha::Bicubic].map(|alpha| alpha.of(&half, 2, 2)),
            [Alpha::Network, Alpha::Bicubic]
        );
        assert_eq!(Alpha::Network.of(&half[..3], 3, 1), Alpha::Bicubic); // three colours and no opacity
    }
}
