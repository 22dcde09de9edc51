//! A method applied to every test picture and scored.

use abbe_data::image::Rgb8;
use abbe_data::pair::Pair;
use abbe_data::resample::{self, Border};
use abbe_infer::{notice, upscale};
use abbe_models::SrModel;

use crate::{Error, Measures, Method, Versions};

/// What turns LR into SR.
pub enum Upscaler {
    /// Bicubic interpolation as MATLAB's imresize does it: 8-bit passes, mirrored border.
    Bicubic,
    /// A network.
    Network(Box<dyn SrModel>),
}

impl Upscaler {
    /// SR for `lr`: `scale` times as high and wide.
    ///
    /// # Errors
    /// A network of another scale, or one that fails on the picture.
    pub fn upscale(&self, lr: &Rgb8, scale: usize) -> Result<Rgb8, Error> {
        match self {
            Upscaler::Bicubic => Ok(resample::bicubic(lr, lr.height * scale, lr.width * scale, Border::Mirror)),
            Upscaler::Network(model) if model.scale() as usize != scale => {
                Err(Error::Scale { network: model.scale() as usize, asked: scale })
            }
            Upscaler::Network(model) => Ok(upscale(model.as_ref(), lr)?),
        }
    }

    /// What must be known of the SR for `lr`: that it was made in tiles which may differ from the whole.
    pub fn notice(&self, lr: &Rgb8) -> Option<String> {
        match self {
            Upscaler::Bicubic => None,
            Upscaler::Network(model) => notice(model.as_ref(), lr),
        }
    }
}

/// Upscales and scores every pair. Each SR picture is handed to `keep` with its pair before the next is made; an error of
/// `keep` ends the evaluation.
///
/// # Errors
/// Those of [`Upscaler::upscale`] and of scoring, with the picture's name, and those of `keep`.
pub fn evaluate<E: From<Error>>(
    name: &str,
    upscaler: &Upscaler,
    pairs: &[Pair],
    measures: &Measures,
    mut keep: impl FnMut(&Pair, &Rgb8) -> Result<(), E>,
) -> Result<Method, E> {
    let mut rows = Vec::new();
    for pair in pairs {
        let named = |error| Error::Picture { picture: pair.name.clone(), source: Box::new(error) };
        let sr = upscaler.upscale(&pair.lr, measures.scale).map_err(named)?;
        keep(pair, &sr)?;
        let versions = Versions { sr: &sr, hr: &pair.hr, lr: Some(&pair.lr) };
        rows.push(measures.row(&pair.name, &versions)?);
    }
    Ok(Method { name: name.to_owned(), rows })
}
