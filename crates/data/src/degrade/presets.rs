use std::path::Path;

use super::Config;
use crate::Error;

/// The degradations that come with Abbe; see [`preset`].
pub const PRESETS: [&str; 3] = ["real-esrgan", "first-order", "bsrgan"];

/// The file of a degradation that comes with Abbe, in TOML, to be used as it is or copied and changed.
///
/// For any scale `real-esrgan`, the second order of Real-ESRGAN (arXiv 2107.10833), and `first-order`, its first order
/// alone; for the scales 2 and 4 `bsrgan`, the shuffled order of BSRGAN (arXiv 2103.14006). [`Error::Preset`] for
/// anything else.
pub fn preset(name: &str, scale: usize) -> Result<&'static str, Error> {
    match (name, scale) {
        ("real-esrgan", _) => Ok(include_str!("../../../../experiments/degradations/real-esrgan.toml")),
        ("first-order", _) => Ok(include_str!("../../../../experiments/degradations/first-order.toml")),
        ("bsrgan", 2) => Ok(include_str!("../../../../experiments/degradations/bsrgan-x2.toml")),
        ("bsrgan", 4) => Ok(include_str!("../../../../experiments/degradations/bsrgan-x4.toml")),
        _ => Err(Error::Preset { name: name.into(), scale }),
    }
}

impl Config {
    /// The degradation of that name at that scale (see [`preset`]), or of the TOML file at that path.
    ///
    /// [`Error::Preset`] if there is neither, [`Error::Read`], [`Error::DegradationFile`] with the key that is unknown,
    /// missing or out of its range.
    pub fn open(name: &str, scale: usize) -> Result<Self, Error> {
        let path = Path::new(name);
        if PRESETS.contains(&name) || !path.exists() {
            return parse(preset(name, scale)?, path);
        }
        let text = std::fs::read_to_string(path).map_err(|source| Error::Read { path: path.into(), source })?;
        parse(&text, path)
    }
}

fn parse(text: &str, path: &Path) -> Result<Config, Error> {
    let wrong = |reason: String| Error::DegradationFile { path: path.into(), reason };
    let config: Config = toml::from_str(text).map_err(|error| wrong(in_line(text, &error)))?;
    config.check().map_err(|error| wrong(error.to_string()))?;
    Ok(config)
}

/// The line, and what is wrong there, without control characters.
fn in_line(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start));
    let line = before.map_or(String::new(), |before| format!("line {}: ", before.split('\n').count()));
    format!("{line}{}", error.message()).replace(char::is_control, "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::degrade::{
        Base, Blur, Branch, Decimate, Factor, Family, Interpolation, RandomKernel, Resize, Spread, Step,
    };

    fn error(text: &str) -> String {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("mine.toml");
        std::fs::write(&path, text).unwrap();
        let error = Config::open(path.to_str().unwrap(), 4).unwrap_err().to_string();
        error.strip_prefix(&format!("{}: ", path.display())).unwrap().to_owned()
    }

    #[test]
    fn a_file_that_is_printed_and_changed_is_read() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("mine.toml");
        let text = preset("real-esrgan", 4).unwrap();
        std::fs::write(&path, text).unwrap();
        let read = |name: &str| Config::open(name, 4).unwrap();
        assert_eq!(read(path.to_str().unwrap()), read("real-esrgan"));
        std::fs::write(&path, text.replacen("threshold = 10", "threshold = 12", 1)).unwrap();
        assert_eq!(read(path.to_str().unwrap()).sharpen.unwrap().threshold, 12.0);
    }

    #[test]
    fn what_is_wrong_in_a_file_is_told_with_its_name_and_key() {
        let text = preset("real-esrgan", 4).unwrap();
        for (right, wrong, found) in [
            ("radius", "raduis", "line 10: unknown field `raduis`"),
            ("probability =", "probablity =", "unknown field `probablity`"),
            ("kinds =", "kind =", "unknown field `kind`"),
            ("isotropic =", "isotrop =", "unknown variant `isotrop`"),
            ("cutoff =", "cut =", "unexpected keys in table: cut,"),
            ("jpeg.", "jp\u{7}eg.", "line 62: "),
            ("quality = [30, 95]", "quality = [30, 105]", "steps[3].jpeg.quality: expected [low, high] with 1 <= low"),
            ("threshold = 10 ", "threshold = -1", "sharpen.threshold: expected [low, high] with 0.0 <= low"),
        ] {
            assert!(text.contains(right), "{right}");
            let error = error(&text.replacen(right, wrong, 1));
            assert!(error.contains(found), "{error}");
            assert!(!error.contains(char::is_control), "{error}");
        }
    }

    #[test]
    fn an_unknown_name_tells_what_there_is() {
        for (name, scale) in [("esrgan", 4), ("bsrgan", 3), ("absent.toml", 4)] {
            let error = Config::open(name, scale).unwrap_err().to_string();
            assert!(PRESETS.iter().all(|preset| error.contains(preset)) && error.contains(name), "{error}");
        }
        assert!(matches!(Config::open(env!("CARGO_MANIFEST_DIR"), 4), Err(Error::Read { .. })));
    }

    #[test]
    fn kernels_of_real_esrgan_are_as_likely_as_published() {
        let config = Config::open("real-esrgan", 4).unwrap();
        let Step::OneOf(second) = &config.steps[4] else { panic!("the second blur is left out at times") };
        assert_eq!(config.steps[0], Config::open("first-order", 4).unwrap().steps[0]);
        for (step, sigma) in [(&config.steps[0], [0.2, 3.0]), (&second[0].steps[0], [0.2, 1.5])] {
            let Step::Blur(blur) = step else { panic!("{step:?}") };
            let shaped = [0.45, 0.25, 0.12, 0.03, 0.12, 0.03].map(|probability| 0.9 * probability);
            let sinc = [3.0, 5.0].map(|sizes| 0.1 * sizes / 8.0); // 7, 9, 11 and 13, 15, 17, 19, 21
            assert_eq!(blur.kernels.len(), 8);
            for (kernel, probability) in blur.kernels.iter().zip(shaped.into_iter().chain(sinc)) {
                assert!((kernel.probability - probability).abs() < 1e-12, "{kernel:?}");
            }
            assert_eq!(blur.kernels[0].family, Family::Gaussian(Spread::Isotropic(sigma)));
        }
    }

    #[test]
    fn figures_of_bsrgan_follow_the_scale() {
        let [two, four] = [2, 4].map(|scale| Config::open("bsrgan", scale).unwrap());
        let Step::OneOf(branches) = &four.steps[0] else { panic!("halved first or not") };
        assert_eq!(branches[0].steps[1], two.steps[0]);
        let kernels = vec![Interpolation::Area, Interpolation::Bilinear, Interpolation::Bicubic];
        for (factor, shuffle) in [(2, &two.steps[0]), (4, &branches[1].steps[0])] {
            let Step::Shuffle(steps) = shuffle else { panic!("{shuffle:?}") };
            let scale = factor as f64;
            let bell = |spread| RandomKernel { probability: 0.5, size: [7, 25], family: Family::Gaussian(spread) };
            let ellipse = Spread::AnisotropicVariance([0.01, 4.0 + scale]);
            let blur =
                Step::Blur(Blur { kernels: vec![bell(ellipse), bell(Spread::Isotropic([0.01, 2.0 + 0.2 * scale]))] });
            assert_eq!(steps[..2], [blur.clone(), blur]);
            let by = Factor::OneOver([1.0, 2.0 * scale]);
            let resize = Step::Resize(Resize { of: Base::Picture, factor: by, kernels: kernels.clone() });
            let decimate = Step::Decimate(Decimate { factor, sigma: [0.1, 0.6 * scale] });
            let branch = |probability, step| Branch { probability, steps: vec![step] };
            assert_eq!(steps[2], Step::OneOf(vec![branch(0.75, resize), branch(0.25, decimate)]));
        }
    }
}
