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
}
