//! The discriminators that training can be against, under one trait: the table of their names in experiment files.
//!
//! DCGAN's is not among them: its pictures have 64x64 pixels and lie in [-1, 1].

use serde::{Deserialize, Serialize};
use tch::{Device, Tensor};

use crate::layer::{ConvNorm, leaky_relu};
use crate::{Error, Network};

/// A network that judges pictures: `[N, colors, h, w]` in [0, 1] to logits, above 0 where they look real.
pub trait CriticModel: Network {
    /// The logits of `forward`, `[N, 1]`, or `[N, 1, h', w']` where places are judged one by one; and what feature matching
    /// compares: the outputs `[N, C, h'', w'']` of the rectifiers behind the convolutions, in the order in which they run.
    fn forward_with_features(&self, pictures: &Tensor, train: bool) -> (Tensor, Vec<Tensor>);
}

macro_rules! critics {
    ($($(#[$doc:meta])* $name:literal $variant:ident($module:ident::$network:ident),)*) => {
        /// A discriminator, as written in experiment files: its name, then the keys of its network.
        #[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
        pub enum Config {
            $($(#[$doc])* #[serde(rename = $name)] $variant(crate::$module::Config),)*
        }

        impl From<Config> for crate::Config {
            fn from(config: Config) -> Self {
                match config {
                    $(Config::$variant(config) => config.into(),)*
                }
            }
        }

        impl Config {
            /// The discriminator's name in experiment files.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Config::$variant(_) => $name,)*
                }
            }

            /// The discriminator on `device`, with PyTorch's first values: `tch::manual_seed` decides them.
            ///
            /// # Errors
            /// [`Error::Config`] when a value is out of range.
            pub fn build(&self, device: Device) -> Result<Box<dyn CriticModel>, Error> {
                match self {
                    $(Config::$variant(config) => Ok(Box::new(crate::$module::$network::new(config, device)?)),)*
                }
            }
        }
    };
}

critics! {
    /// SRGAN's, for patches of one size.
    "srgan" Srgan(discriminator::Discriminator),
    /// The same for patches of any size, as in leftthomas's project.
    "leftthomas" Leftthomas(leftthomas_discriminator::LeftthomasDiscriminator),
    /// ESRGAN's.
    "vgg_style" VggStyle(vgg_style_discriminator::VggStyleDiscriminator),
    /// Real-ESRGAN's.
    "unet" UNet(unet_discriminator::UNetDiscriminator),
    /// pix2pix's.
    "patchgan" PatchGan(patchgan_discriminator::PatchGanDiscriminator),
}

/// Of the leaky rectifiers, below zero.
pub(crate) const SLOPE: f64 = 0.2;

/// Convolutions that run one after the other, each with a rectifier behind it: the last output, and all of them.
pub(crate) fn rectified(convs: &[ConvNorm], pictures: &Tensor, train: bool) -> (Tensor, Vec<Tensor>) {
    let mut xs = pictures.shallow_clone();
    let layer = |conv: &ConvNorm| {
        xs = leaky_relu(&conv.forward(&xs, train), SLOPE);
        xs.shallow_clone()
    };
    let outputs = convs.iter().map(layer).collect();
    (xs, outputs)
}

#[cfg(test)]
mod tests {
    use tch::Kind;

    use super::*;
    use crate::{discriminator, leftthomas_discriminator, patchgan_discriminator};
    use crate::{unet_discriminator, vgg_style_discriminator};

    /// Each with two channels, its patch, and the sides of its features.
    fn critics() -> [(Config, i64, Vec<i64>); 5] {
        let (colors, channels) = (3, 2);
        let srgan = vec![32, 16, 16, 8, 8, 4, 4, 2];
        [
            (Config::Srgan(discriminator::Config { patch: 32, channels }), 32, srgan.clone()),
            (Config::Leftthomas(leftthomas_discriminator::Config { channels }), 32, srgan),
            (
                Config::VggStyle(vgg_style_discriminator::Config { patch: 128, colors, channels }),
                128,
                vec![128, 64, 64, 32, 32, 16, 16, 8, 8, 4],
            ),
            (Config::UNet(unet_discriminator::Config { colors, channels }), 24, vec![24, 12, 6, 3, 6, 12, 24, 24, 24]),
            (Config::PatchGan(patchgan_discriminator::Config { colors, channels, layers: 3 }), 40, vec![20, 10, 5, 4]),
        ]
    }

    #[test]
    fn features_lie_one_behind_the_other_on_the_way_to_the_logits() {
        for (config, side, sides) in critics() {
            let network = config.build(Device::Cpu).unwrap();
            let picture = Tensor::rand([2, 3, side, side], (Kind::Float, Device::Cpu)).set_requires_grad(true);
            let (logits, features) = network.forward_with_features(&picture, false);
            assert!(logits.equal(&network.forward(&picture, false)), "{config:?}");
            assert_eq!(features.iter().map(|xs| xs.size()[3]).collect::<Vec<_>>(), sides, "{config:?}");
            let places: Vec<_> = [&picture].into_iter().chain(&features).chain([&logits]).collect();
            for pair in places.windows(2) {
                let gradient = Tensor::run_backward(&[pair[1].sum(Kind::Float)], &[pair[0]], true, false);
                assert!(gradient[0].abs().max().double_value(&[]) > 0.0, "{config:?}");
            }
        }
    }

    #[test]
    fn names_are_those_of_experiment_files() {
        for (config, ..) in critics() {
            let text = serde_json::to_string(&config).unwrap();
            assert!(text.starts_with(&format!("{{\"{}\":", config.name())), "{text}");
        }
        let error = serde_json::from_str::<Config>("{\"srcnn\":{}}").unwrap_err().to_string();
        assert!(error.contains("`srgan`") && error.contains("`patchgan`"), "{error}");
    }
}
