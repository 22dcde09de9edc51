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
        let shown =
            |error: toml::de::Error| error.to_string().replace(|c: char| c.is_control() && c != '\n', "\u{fffd}");
        let catalogue: Catalogue = toml::from_str(text).map_err(|error| wrong(shown(error).trim_end().into()))?;
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
            number
                .filter(|&number| number >= 2)
                .ok_or(format!("lr: expected keys such as x4, found `{}`", scale.escape_debug()))?;
        }
        for (index, part) in self.parts.iter().enumerate() {
            is_name(&part.name)?;
            if self.parts[..index].iter().any(|earlier| earlier.name == part.name) {
                return Err(format!("two parts are called `{}`", part.name));
            }
            part.check().map_err(|reason| format!("part `{}`: {reason}", part.name))?;
        }
        let folders: Vec<_> = self.parts.iter().flat_map(|part| part.form.folders()).map(Path::new).collect();
        let meets = |(index, folder): (usize, &&Path)| {
            folders[..index].iter().any(|other| folder.starts_with(other) || other.starts_with(folder))
        };
        match folders.iter().enumerate().find(|place| meets(*place)) {
            Some((_, folder)) => Err(format!("`{}` is, or lies in, the folder of two parts", folder.display())),
            None => Ok(()),
        }
    }
}

impl Form {
    /// What appears on the disc, below the data.
    fn folders(&self) -> Vec<&str> {
        match self {
            Form::Zip(folder) | Form::Tar(folder) | Form::Tgz(folder) => vec![folder],
            Form::Parquet(columns) => columns.values().map(String::as_str).collect(),
            Form::Weights(_) => Vec::new(),
        }
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
            Source::Url(url) if !is_address(url) => {
                return Err(format!("url: expected https:// or http://, found `{}`", url.escape_debug()));
            }
            Source::Url(url) => {
                let file = file_name(url);
                is_below(file).map_err(|_| "url: expected one that ends in a file's name".to_owned())?;
                // The file lies among the folders for a while.
                if self.form.folders().iter().any(|folder| Path::new(folder).starts_with(file)) {
                    return Err(format!(
                        "the file `{file}` of the url would lie where a folder is to be; name another folder"
                    ));
                }
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

fn is_address(url: &str) -> bool {
    let web = url.starts_with("https://") || url.starts_with("http://");
    web && !url.chars().any(|character| character.is_control() || character.is_whitespace())
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
mod tests;
