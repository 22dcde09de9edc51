//! A picture through a network, tile by tile.

use abbe_data::image::Rgb8;
use abbe_models::{SrModel, bicubic};
use tch::{Kind, TchError};

use crate::engine::Engine;
use crate::planes::Alpha;
use crate::tiled::{Tiled, Tiling};

/// Side of a tile's core in LR pixels: large enough that its surroundings cost little, small enough for any machine.
const TILE: usize = 192;
/// What a tile is seen with around it at most, in LR pixels: RRDBNet of 23 blocks would ask for 349, which is more than the
/// tile itself. With random weights of up to He's variance its result differs from that of the whole picture by 4e-6 of the
/// output's deviation, which is rounding; it was not measured with trained ones.
pub const OVERLAP: usize = 64;
/// SR pixels of the largest picture that is run whole rather than in tiles which overlap by less than the network sees: x4
/// with 64 channels in float32, one layer's output takes 1 GiB then, and the pass about 4.
const WHOLE: usize = 1 << 22;

/// Why a picture could not be upscaled.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// libtorch failed, most often because memory ran out.
    #[error("upscaling a tile of {height}x{width} pixels failed; free memory, or run on another device")]
    Tile {
        /// Rows that the network was given.
        height: usize,
        /// Columns that the network was given.
        width: usize,
        /// libtorch's reason.
        source: TchError,
    },
    /// A stop was asked for.
    #[error("stopped before the picture was done")]
    Stopped,
    /// A picture that ends before its last row.
    #[error("expected {expected} rows of LR pixels at least, found {found}; the picture's file is damaged: replace it")]
    Rows {
        /// Rows that are needed.
        expected: usize,
        /// Rows that came.
        found: usize,
    },
    /// The perceptual distance of these pictures cannot be had.
    #[error(transparent)]
    Lpips(#[from] abbe_models::Error),
    /// The picture's size and its pixels do not agree, or a value of SR is not finite.
    #[error(transparent)]
    Picture(#[from] abbe_data::Error),
}

/// SR for `picture`: 8-bit RGB in and out, `scale` times as high and wide, clamped to [0, 1] and rounded half up. A network of
/// one colour enlarges luma (ITU-R BT.601); Cb and Cr are then enlarged by bicubic interpolation.
///
/// A picture is cut into tiles, which cannot be seen in the result. Networks that see more than 64 LR pixels far (RRDBNet), or
/// all of the picture (RCAN), are run on the whole of it, up to 2^22 SR pixels; of larger ones each tile is seen with 64 LR
/// pixels around it, and [`notice`] says so. Memory is therefore bounded for pictures of any size.
///
/// # Errors
/// When libtorch fails on a tile, and when the network makes a value that is not finite.
pub fn upscale(model: &dyn SrModel, picture: &Rgb8) -> Result<Rgb8, Error> {
    let (side, radius) = cut(model, picture);
    upscale_by(model, picture, side, radius)
}

/// What must be known of a picture whose tiles are seen with less around them than the network sees; none for all others.
pub fn notice(model: &dyn SrModel, picture: &Rgb8) -> Option<String> {
    let (side, radius) = cut(model, picture);
    let seen = match model.radius() {
        i64::MAX => "all of a picture".into(),
        radius => format!("{radius} pixels far"),
    };
    (radius < exact(model) && side < picture.height.max(picture.width)).then(|| {
        format!(
            "a picture of {}x{} LR pixels is too large for a network that sees {seen} to be run whole; it was run in tiles that \
             overlap by {radius}, which may differ slightly from the whole",
            picture.height, picture.width
        )
    })
}

/// The side of a tile's core, and what is seen around it.
fn cut(model: &dyn SrModel, picture: &Rgb8) -> (usize, usize) {
    let pixels = picture.height * picture.width * (model.scale() * model.scale()) as usize;
    match exact(model) {
        radius if radius <= OVERLAP => (TILE, radius),
        radius if pixels <= WHOLE => (picture.height.max(picture.width), radius),
        _ => (TILE, OVERLAP),
    }
}

/// What is seen around a tile that cannot be told from the whole: colours beside a network of luma are bicubic.
fn exact(model: &dyn SrModel) -> usize {
    model.radius().max(bicubic::RADIUS) as usize
}

fn upscale_by(model: &dyn SrModel, picture: &Rgb8, side: usize, radius: usize) -> Result<Rgb8, Error> {
    let engine = Engine::of(model, Kind::Float);
    let (height, width) = (picture.height * engine.scale, picture.width * engine.scale);
    let mut sr = Vec::with_capacity(3 * height * width);
    let tiling = Tiling { side, overlap: radius, batch: 1, alpha: Alpha::Network, match_colors: false };
    let source = Box::new(std::iter::once_with(|| Ok(picture.to_planes_f32())));
    for strip in Tiled::new(&engine, tiling, (picture.size(), 3), source, &|| false, &|_| {}) {
        let strip = strip?;
        sr.extend(Rgb8::from_planes_f32(strip.len() / 3 / width, width, &strip)?.pixels);
    }
    Ok(Rgb8::new(height, width, sr)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use abbe_models::{Config, build, rrdbnet, srcnn, srresnet, srvgg};
    use tch::Tensor;

    /// A picture without any regularity: a hash of the position.
    fn noise(height: usize, width: usize) -> Rgb8 {
        let pixels = (0..height * width * 3).map(|i| ((i as u32).wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        Rgb8::new(height, width, pixels).unwrap()
    }

    /// Whether a picture comes out the same in one tile and in tiles of `side`.
    fn assert_no_seams(config: &Config, [height, width]: [usize; 2], side: usize) {
        tch::manual_seed(3);
        let model = build(config, tch::Device::Cpu).unwrap();
        let picture = noise(height, width);
        let whole = upscale_by(model.as_ref(), &picture, height.max(width), exact(&*model)).unwrap();
        let tiled = upscale_by(model.as_ref(), &picture, side, exact(&*model)).unwrap();
        let largest = whole.pixels.iter().zip(&tiled.pixels).map(|(a, b)| a.abs_diff(*b)).max();
        // Float sums may differ in the last bit between tile sizes, so a value on the edge may round the other way.
        assert!(largest <= Some(1), "{config:?}: {largest:?}");
        let scale = model.scale() as usize;
        assert_eq!((whole.height, whole.width), (height * scale, width * scale));
    }

    #[test]
    fn tiles_cannot_be_seen() {
        for (input, bicubic_skip) in [(srresnet::Input::Lr, true), (srresnet::Input::Bicubic, false)] {
            let norm = srresnet::Norm::None;
            let paper = srresnet::Config::paper(4);
            let config = srresnet::Config { blocks: 2, channels: 8, norm, input, bicubic_skip, ..paper };
            assert_no_seams(&config.into(), [37, 50], 16);
        }
    }

    #[test]
    fn tiles_cannot_be_seen_by_a_network_of_convolutions() {
        for scale in [1, 3] {
            let general = srvgg::Config::general(scale);
            assert_no_seams(&srvgg::Config { convs: 3, channels: 6, ..general }.into(), [37, 50], 16);
        }
    }

    /// No side and hardly a border between tiles is a multiple of 4; the radius is up to 83, so that tiles differ in what they see.
    #[test]
    fn tiles_cannot_be_seen_by_a_network_that_unshuffles() {
        for scale in [1, 2, 4] {
            let paper = rrdbnet::Config::paper(scale);
            assert_no_seams(&rrdbnet::Config { blocks: 1, channels: 6, growth: 4, ..paper }.into(), [45, 183], 48);
        }
    }

    #[test]
    fn a_network_that_sees_far_is_run_whole_or_in_tiles_that_say_so() {
        let blocks = |blocks| {
            let config = rrdbnet::Config { blocks, channels: 1, growth: 1, ..rrdbnet::Config::paper(4) };
            build(&config.into(), tch::Device::Cpu).unwrap()
        };
        // 15 pixels per block and 4 around them (the doublings' 2, the body's 2): 3 blocks see 49 pixels far, 23 see 349.
        let (near, far) = (blocks(3), blocks(23));
        let picture = |side| Rgb8::new(side, side, vec![0; side * side * 3]).unwrap();
        // 512 * 512 * 4^2 is 2^22.
        let cuts = |model: &dyn SrModel| [512, 513].map(|side| cut(model, &picture(side)));
        assert_eq!(cuts(&*near), [(TILE, 49); 2]);
        assert_eq!(cuts(&*far), [(512, 349), (TILE, OVERLAP)]);
        assert!(notice(&*near, &picture(513)).is_none() && notice(&*far, &picture(512)).is_none());
        let notice = notice(&*far, &picture(513)).unwrap();
        assert!(["513x513", "349", "64"].iter().all(|part| notice.contains(part)), "{notice}");
    }

    /// An SRCNN of luma with 1x1 kernels, whose three weights and biases are these.
    fn luma_network(scale: i64, weights: [f64; 3], biases: [f64; 3]) -> Box<dyn SrModel> {
        let config = srcnn::Config { scale, kernels: [1; 3], channels: [1; 2], colors: 1 };
        let model = build(&Config::Srcnn(config), tch::Device::Cpu).unwrap();
        let values = weights.into_iter().zip(biases).flat_map(|(weight, bias)| [weight, bias]);
        for (mut parameter, value) in model.store().parameters().into_iter().zip(values) {
            let _ = tch::no_grad(|| parameter.fill_(value));
        }
        model
    }

    #[test]
    fn a_network_of_luma_keeps_the_colour() {
        // Y becomes 127.5 everywhere. Red has Cb = 128 - 37.797 and Cr = 128 + 112. The share of Y in R, G and B alike is
        // (127.5 - 16) * 255 / 219 = 129.83. R: + 1.596 * 112 = 308.6, clamped. G: + 0.3918 * 37.797 - 0.8130 * 112 = 53.6.
        // B: - 2.0172 * 37.797 = 53.6.
        let model = luma_network(2, [0.0; 3], [0.0, 0.0, 0.5]);
        let red = Rgb8::new(1, 1, vec![255, 0, 0]).unwrap();
        assert_eq!(upscale(model.as_ref(), &red).unwrap().pixels, [255, 54, 54].repeat(4));
    }

    #[test]
    fn what_is_not_finite_is_an_error_and_no_white_picture() {
        let picture = Rgb8::new(1, 1, vec![255; 3]).unwrap();
        for bias in [f64::INFINITY, f64::NAN] {
            let error = upscale(luma_network(2, [0.0; 3], [0.0, 0.0, bias]).as_ref(), &picture).unwrap_err();
            assert!(matches!(error, Error::Picture(abbe_data::Error::NotFinite { .. })), "{error}");
        }
    }

    #[test]
    fn a_network_that_leaves_luma_as_bicubic_made_it_gives_the_bicubic_picture() {
        // Conversion and interpolation are linear, so their order does not matter.
        let mut picture = noise(21, 17);
        picture.pixels.iter_mut().for_each(|value| *value = 64 + *value / 2); // overshoots stay within 0 and 255
        let model = luma_network(3, [1.0; 3], [0.0; 3]);
        let sr = upscale_by(model.as_ref(), &picture, 8, exact(&*model)).unwrap();
        let lr = Tensor::from_slice(&picture.to_planes_f32()).view([1, 3, 21, 17]);
        let expected = Vec::<f32>::try_from(bicubic::upscale(&lr, 3).view(-1)).unwrap();
        let expected = Rgb8::from_planes_f32(63, 51, &expected).unwrap();
        let largest = sr.pixels.iter().zip(&expected.pixels).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(largest <= Some(1), "{largest:?}"); // a value on the edge may round the other way
    }
}
