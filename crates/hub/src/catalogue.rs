//! What each name stands for: the table inside the program, and the user's own.

use std::collections::BTreeMap;
use std::path::{Component, Path};

use serde::Deserialize;

use crate::{Error, digest};

/// Data sets and weights by name.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    /// In the order of the list.
    #[serde(rename = "dataset", default)]
    pub datasets: Vec<Dataset>,
}

/// One row: a data set, or a file of weights.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dataset {
    /// What a user types; no `/`.
    pub name: String,
    /// One line.
    pub what: String,
    /// How many pictures; absent for weights.
    pub pictures: Option<u64>,
    /// As its makers state it.
    pub licence: String,
    /// The folder of the HR pictures, relative to [`crate::Places::data`]; absent for weights.
    pub hr: Option<String>,
    /// The folders of LR pictures by scale, as `x2`, `x3`, `x4`, `x8`.
    #[serde(default)]
    pub lr: BTreeMap<String, String>,
    /// What there is to fetch.
    #[serde(rename = "part", default)]
    pub parts: Vec<Part>,
}

/// One thing to fetch.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Within the data set; no `/`.
    pub name: String,
    /// Where it is.
    pub source: Source,
    /// What becomes of it here.
    pub form: Form,
    /// Bytes to fetch, perhaps rounded; for the list alone.
    pub size: Option<u64>,
    /// SHA-256 in hexadecimal, or its first 8 digits or more. Absent where none is known.
    pub sha256: Option<String>,
}

/// Where a part is.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Source {
    /// A file on a web server.
    Url(String),
    /// A file of a data set on the Hugging Face hub, or several where the name has a `*`.
    Hub {
        /// `OWNER/NAME`.
        repo: String,
        /// Its path there.
        file: String,
        /// A branch, tag or commit.
        #[serde(default = "main")]
        revision: String,
    },
}

fn main() -> String {
    "main".into()
}

/// What becomes of a part here. Folders are relative to [`crate::Places::data`].
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Form {
    /// A zip archive, unpacked into this folder.
    Zip(String),
    /// A tar archive, unpacked into this folder.
    Tar(String),
    /// A tar archive compressed with gzip, unpacked into this folder.
    Tgz(String),
    /// A table in Parquet: the pictures of each of these columns are written to its folder.
    Parquet(BTreeMap<String, String>),
    /// A file, kept under this name in PyTorch's cache.
    Weights(String),
}

impl Catalogue {
    /// The table inside the program.
    ///
    /// # Errors
    /// None that a tested program can meet.
    pub fn built_in() -> Result<Self, Error> {
        Self::parse(include_str!("catalogue.toml"), Path::new("the built-in catalogue"))
    }

    /// The table inside the program, with the rows of `files` added; a name that comes again replaces the earlier row.
    ///
    /// # Errors
    /// A file that cannot be read, is not TOML, or has a row that could not be fetched: file, row and reason.
    pub fn with(files: &[impl AsRef<Path>]) -> Result<Self, Error> {
        let mut catalogue = Self::built_in()?;
        for path in files {
            let path = path.as_ref();
            let text = std::fs::read_to_string(path).map_err(Error::io("read", path))?;
            for dataset in Self::parse(&text, path)?.datasets {
                match catalogue.datasets.iter_mut().find(|known| known.name == dataset.name) {
                    Some(known) => *known = dataset,
                    None => catalogue.datasets.push(dataset),
                }
            }
        }
        Ok(catalogue)
    }

    fn parse(text: &str, path: &Path) -> Result<Self, Error> {
        let wrong = |reason: String| Error::Catalogue { path: path.into(), reason };
        let catalogue: Catalogue = toml::from_str(text).map_err(|error| wrong(error.to_string().trim_end().into()))?;
        for (index, dataset) in catalogue.datasets.iter().enumerate() {
            let said = |reason: String| wrong(format!("`{}`: {reason}", dataset.name.escape_debug()));
            if catalogue.datasets[..index].iter().any(|earlier| earlier.name == dataset.name) {
                return Err(said("two rows have this name; rename one".into()));
            }
            dataset.check().map_err(said)?;
        }
        Ok(catalogue)
    }

    /// The parts of `name`: all of a data set, or with `NAME/PART` one of them.
    ///
    /// # Errors
    /// No such name, or no such part of it; with the names there are.
    pub fn find(&self, name: &str) -> Result<(&Dataset, Vec<&Part>), Error> {
        let (name, part) = name.split_once('/').map_or((name, None), |(name, part)| (name, Some(part)));
        let listed = |names: Vec<&str>| names.join(", ");
        let dataset = self.datasets.iter().find(|dataset| dataset.name == name).ok_or_else(|| Error::Unknown {
            name: name.into(),
            known: listed(self.datasets.iter().map(|dataset| dataset.name.as_str()).collect()),
        })?;
        let parts: Vec<&Part> =
            dataset.parts.iter().filter(|known| part.is_none_or(|part| known.name == part)).collect();
        if parts.is_empty() {
            return Err(Error::Unknown {
                name: format!("{name}/{}", part.unwrap_or_default()),
                known: listed(dataset.parts.iter().map(|part| part.name.as_str()).collect()),
            });
        }
        Ok((dataset, parts))
    }
}

impl Dataset {
    fn check(&self) -> Result<(), String> {
        is_name(&self.name)?;
        if self.parts.is_empty() {
            return Err("expected at least one [[dataset.part]]".into());
        }
        for folder in self.hr.iter().chain(self.lr.values()) {
            is_below(folder)?;
        }
        for scale in self.lr.keys() {
            let number = scale.strip_prefix('x').and_then(|number| number.parse::<usize>().ok());
            number.filter(|&number| number >= 2).ok_or(format!("lr: expected keys such as x4, found `{scale}`"))?;
        }
        for (index, part) in self.parts.iter().enumerate() {
            is_name(&part.name)?;
            if self.parts[..index].iter().any(|earlier| earlier.name == part.name) {
                return Err(format!("two parts are called `{}`", part.name));
            }
            part.check().map_err(|reason| format!("part `{}`: {reason}", part.name))?;
        }
        Ok(())
    }
}

impl Part {
    fn check(&self) -> Result<(), String> {
        match &self.form {
            Form::Zip(folder) | Form::Tar(folder) | Form::Tgz(folder) | Form::Weights(folder) => is_below(folder)?,
            Form::Parquet(columns) if columns.is_empty() => return Err("parquet: expected at least one column".into()),
            Form::Parquet(columns) => columns.values().try_for_each(|folder| is_below(folder))?,
        }
        match &self.source {
            Source::Url(url) if !url.starts_with("https://") && !url.starts_with("http://") => {
                return Err(format!("url: expected https:// or http://, found `{}`", url.escape_debug()));
            }
            Source::Url(url) => {
                is_below(file_name(url)).map_err(|_| "url: expected one that ends in a file's name".to_owned())?;
            }
            Source::Hub { repo, file, revision } => {
                [repo, file, revision].into_iter().try_for_each(|text| is_below(text))?;
                let stars = file.matches('*').count();
                if stars > usize::from(matches!(self.form, Form::Parquet(_))) || (stars > 0 && self.sha256.is_some()) {
                    return Err("file: expected no `*`, or one in the shards of a Parquet table without sha256".into());
                }
            }
        }
        match &self.sha256 {
            Some(digits) if !digest::is_prefix(digits) => Err(format!(
                "sha256: expected 8 to 64 hexadecimal digits in lower case, found `{}`",
                digits.escape_debug()
            )),
            _ => Ok(()),
        }
    }
}

/// The last part of an address, without a query.
pub(crate) fn file_name(url: &str) -> &str {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    path.rsplit('/').next().unwrap_or_default()
}

fn is_name(name: &str) -> Result<(), String> {
    let plain = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
    if !name.is_empty() && name.chars().all(plain) {
        return Ok(());
    }
    Err(format!("expected a name of letters, digits, `-`, `_` and `.`, found `{}`", name.escape_debug()))
}

/// A relative path that stays below where it begins.
fn is_below(path: &str) -> Result<(), String> {
    let normal = Path::new(path).components().all(|component| matches!(component, Component::Normal(_)));
    if !path.is_empty() && normal && !path.contains('\\') && !path.chars().any(char::is_control) {
        return Ok(());
    }
    Err(format!("expected a relative path without `..`, found `{}`", path.escape_debug()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: &str = "[[dataset]]\nname = \"mine\"\nwhat = \"my own\"\nlicence = \"mine\"\nhr = \"mine\"\nlr = { x4 = \"mine4\" }\n\
        [[dataset.part]]\nname = \"all\"\nsource = { url = \"https://example.org/mine.zip\" }\nform = { zip = \"mine\" }\n\
        sha256 = \"0123456789abcdef\"\n";

    fn said(text: &str) -> String {
        Catalogue::parse(text, Path::new("own.toml")).map_or_else(|error| error.to_string(), |_| "fine".into())
    }

    #[test]
    fn every_built_in_row_can_be_fetched_and_found() {
        let catalogue = Catalogue::built_in().unwrap();
        for name in
            "div2k div2k-valid set5 set14 bsd100 urban100 flickr2k cifar100 vgg19 alexnet squeezenet1_1 lpips-alex"
                .split(' ')
        {
            assert!(catalogue.find(name).is_ok(), "{name}");
        }
        for dataset in &catalogue.datasets {
            let (found, parts) = catalogue.find(&dataset.name).unwrap();
            assert_eq!((found.name.as_str(), parts.len()), (dataset.name.as_str(), dataset.parts.len()));
            // What a row promises is a folder, or lies in a folder, that one of its parts makes.
            for promised in dataset.hr.iter().chain(dataset.lr.values()) {
                let makes = |part: &&&Part| match &part.form {
                    Form::Zip(folder) | Form::Tar(folder) | Form::Tgz(folder) => {
                        Path::new(promised).starts_with(folder)
                    }
                    Form::Parquet(columns) => columns.values().any(|folder| folder == promised),
                    Form::Weights(_) => false,
                };
                assert!(parts.iter().any(|part| makes(&part)), "{}: nothing makes {promised}", dataset.name);
            }
        }
    }

    #[test]
    fn the_weights_of_torchvision_bear_the_first_digits_of_their_hash() {
        for part in Catalogue::built_in().unwrap().datasets.iter().flat_map(|dataset| &dataset.parts) {
            if let (Form::Weights(file), Some(sha256)) = (&part.form, &part.sha256) {
                assert!(file.ends_with(&format!("-{}.pth", &sha256[..8])), "{file}: {sha256}");
            }
        }
    }

    #[test]
    fn a_part_is_named_after_a_slash_and_what_is_not_there_is_listed() {
        let catalogue = Catalogue::built_in().unwrap();
        let (_, parts) = catalogue.find("div2k/x4").unwrap();
        assert_eq!(parts.iter().map(|part| part.name.as_str()).collect::<Vec<_>>(), ["x4"]);
        let unknown = |name: &str| catalogue.find(name).unwrap_err().to_string();
        assert!(unknown("div3k").contains("div2k, div2k-valid"), "{}", unknown("div3k"));
        assert!(unknown("div2k/x5").contains("hr, x2, x3, x4"), "{}", unknown("div2k/x5"));
    }

    #[test]
    fn a_users_file_adds_and_replaces() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("own.toml");
        std::fs::write(&path, format!("{ROW}{}", ROW.replace("\"mine\"\nwhat", "\"set5\"\nwhat"))).unwrap();
        let (mine, built_in) = (Catalogue::with(&[&path]).unwrap(), Catalogue::built_in().unwrap());
        assert_eq!(mine.datasets.len(), built_in.datasets.len() + 1);
        assert_eq!(mine.find("set5").unwrap().0.what, "my own");
        let missing = Catalogue::with(&[folder.path().join("none.toml")]).unwrap_err().to_string();
        assert!(missing.contains("none.toml"), "{missing}");
    }

    #[test]
    fn a_wrong_row_is_named_with_its_file() {
        assert_eq!(said(ROW), "fine");
        for (right, wrong, part) in [
            ("name = \"mine\"", "name = \"a/b\"", "`a/b`"),
            ("hr = \"mine\"", "hr = \"../mine\"", "`../mine`"),
            ("zip = \"mine\"", "zip = \"/mine\"", "`/mine`"),
            ("zip = \"mine\"", "rar = \"mine\"", "rar"),
            ("x4 =", "four =", "`four`"),
            ("https://", "ftp://", "ftp"),
            ("mine.zip", "", "file's name"),
            ("0123456789abcdef", "0123456789ABCDEF", "0123456789ABCDEF"),
            ("0123456789abcdef", "0123", "`0123`"),
            ("licence", "license", "license"),
        ] {
            let error = said(&ROW.replace(right, wrong));
            assert!(error.contains("own.toml") && error.contains(part), "{error}");
        }
        assert!(said(&format!("{ROW}{ROW}")).contains("two rows have this name"));
    }
}
