//! Pictures out of the columns of Parquet tables, a few rows at a time, each file as its bytes stand in the table.
//!
//! A column of pictures is either binary, or what the `datasets` library writes for its `Image` feature: a struct of `bytes`
//! and `path`.

mod column;
mod pages;

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};

use crate::Error;
use crate::error::escaped;
use crate::event::{Event, Observer, tell};
use crate::unpack::{Allowance, beside};
use column::{Cells, Column, careful};

/// Rows in memory at once.
const ROWS: usize = 8;

/// Rows of a table at most: five million pictures.
const MOST_ROWS: usize = 5_000_000;

/// Bytes of a name at most: discs take 255 (`NAME_MAX` of Linux), some of which the ending needs.
const MOST_NAME: usize = 240;

/// A file of the table.
struct Shard {
    path: PathBuf,
    length: u64,
    reader: SerializedFileReader<File>,
}

/// Writes the pictures of each column of the table `shards` to its folder, unless that is there; gives the number of rows.
///
/// All pictures of a row bear one name, so that LR and HR find each other: the name of the file in the first column that
/// gives every row another one, else the number of the row, from 0. What the bytes begin with decides the ending.
///
/// All pictures together may have 50 times the bytes of the shards and 64 MiB more, as may what a shard says that one of its
/// columns unpacks to.
///
/// # Errors
/// A shard that is none, a column that is not there or not of pictures, a row without a picture, more bytes than may come out,
/// the disc, the observer. Folders that were not there before are then not there.
pub fn extract(shards: &[PathBuf], columns: &[(&str, PathBuf)], observer: Observer) -> Result<usize, Error> {
    let shards = shards.iter().map(|path| Shard::open(path)).collect::<Result<Vec<_>, _>>()?;
    let names = names(&shards, columns)?;
    let columns: Vec<_> = columns.iter().filter(|(_, folder)| !folder.exists()).collect();
    let parcels = columns.iter().map(|(_, folder)| beside(folder)).collect::<Result<Vec<_>, _>>()?;
    let total = Some((names.len() * columns.len()) as u64);
    tell(observer, Event::Begin { what: "writing pictures", total, done: 0 })?;
    let mut allowance = Allowance::of(shards.iter().map(|shard| shard.length).sum());
    for ((column, _), parcel) in columns.iter().zip(&parcels) {
        let root = parcel.path().join("all");
        fs::create_dir(&root).map_err(Error::io("make the folder", &root))?;
        let mut rest = names.as_slice();
        for shard in &shards {
            rest = shard.write(column, rest, &root, &mut allowance, observer)?;
        }
    }
    tell(observer, Event::End)?;
    for ((_, folder), parcel) in columns.iter().zip(&parcels) {
        fs::rename(parcel.path().join("all"), folder).map_err(Error::io("write", folder))?;
    }
    Ok(names.len())
}

impl Shard {
    fn open(path: &Path) -> Result<Self, Error> {
        let file = File::open(path).map_err(Error::io("read", path))?;
        let length = file.metadata().map_err(Error::io("read", path))?.len();
        let wrong =
            |reason: &str| Error::Parquet { path: path.into(), reason: format!("expected a Parquet file: {reason}") };
        let said = |error: ParquetError| wrong(&escaped(error));
        let reader = careful(|| SerializedFileReader::new(file)).map_err(said)?;
        let mut chunks = reader.metadata().row_groups().iter().flat_map(|group| group.columns());
        if !chunks.all(|chunk| column::is_within(chunk, length)) {
            return Err(wrong("its index points out of the file"));
        }
        Ok(Shard { path: path.into(), length, reader })
    }

    /// How many rows it has; an error where its groups of rows do not make as many as it says.
    fn rows(&self) -> Result<usize, Error> {
        let metadata = self.reader.metadata();
        let said = metadata.file_metadata().num_rows();
        let of_groups = metadata.row_groups().iter().try_fold(0_i64, |rows, group| rows.checked_add(group.num_rows()));
        let rows = usize::try_from(said).ok().filter(|_| of_groups == Some(said));
        rows.ok_or_else(|| self.wrong(format!("expected a table of {said} rows, found other numbers in its groups")))
    }

    fn wrong(&self, reason: String) -> Error {
        Error::Parquet { path: self.path.clone(), reason }
    }

    fn column(&self, name: &str) -> Result<Column, Error> {
        let schema = self.reader.metadata().file_metadata().schema_descr();
        let missing = || Error::Column { path: self.path.clone(), column: name.into(), there: column::listed(schema) };
        Column::find(schema, name).ok_or_else(missing)
    }

    /// Calls `each` with every value of a leaf, in order.
    fn cells(
        &self,
        name: &str,
        leaf: usize,
        mut each: impl FnMut(Option<&[u8]>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let wrong = |reason: String| self.wrong(format!("column `{}`: {reason}", name.escape_debug()));
        let broken = |error: ParquetError| wrong(escaped(error));
        let (size, allowance) = (column::size(self.reader.metadata(), leaf), Allowance::of(self.length));
        allowance.check(size).map_err(wrong)?;
        for group in 0..self.reader.num_row_groups() {
            let group = careful(|| self.reader.get_row_group(group)).map_err(broken)?;
            let mut cells = Cells::open(&*group, leaf).map_err(broken)?;
            let mut left = usize::try_from(group.metadata().num_rows()).unwrap_or(0);
            while left > 0 {
                let values = cells.next(ROWS.min(left)).map_err(broken)?;
                if values.is_empty() {
                    return Err(wrong(format!("ends {left} rows early")));
                }
                left -= values.len();
                values.iter().try_for_each(|value| each(value.as_ref().map(|value| value.data())))?;
            }
        }
        Ok(())
    }

    /// Writes the pictures of one column under the first of `names`; gives the names that are left.
    fn write<'n>(
        &self,
        column: &str,
        names: &'n [String],
        root: &Path,
        allowance: &mut Allowance,
        observer: Observer,
    ) -> Result<&'n [String], Error> {
        let mut names = names.iter();
        let mut row = 0;
        self.cells(column, self.column(column)?.bytes, |bytes| {
            let wrong = |what: &str| self.wrong(format!("column `{}`, row {row}: {what}", column.escape_debug()));
            let bytes = bytes.ok_or_else(|| wrong("expected the bytes of a picture, found none"))?;
            let ending = ending(bytes).ok_or_else(|| wrong("expected a PNG, JPEG, WebP, BMP or TIFF file"))?;
            let name = names.next().ok_or_else(|| wrong("there are more rows than the file says"))?;
            allowance.take(bytes.len() as u64).map_err(|reason| wrong(&reason))?;
            let path = root.join(format!("{name}.{ending}"));
            let written = File::create_new(&path).and_then(|mut file| file.write_all(bytes));
            written.map_err(Error::io("write", &path))?;
            row += 1;
            tell(observer, Event::Advance(1))
        })?;
        Ok(names.as_slice())
    }
}

/// A name for every row of the table.
fn names(shards: &[Shard], columns: &[(&str, PathBuf)]) -> Result<Vec<String>, Error> {
    let add = |rows: usize, shard: &Shard| Ok(rows.saturating_add(shard.rows()?));
    let rows = shards.iter().try_fold(0, add)?;
    if let (Some(first), false) = (shards.first(), (1..=MOST_ROWS).contains(&rows)) {
        return Err(first.wrong(format!("expected 1 to {MOST_ROWS} rows in all, found {rows}")));
    }
    for (column, _) in columns {
        if let Some(names) = names_of(shards, column)?.filter(|names| names.len() == rows) {
            return Ok(names);
        }
    }
    let digits = rows.saturating_sub(1).to_string().len().max(4);
    Ok((0..rows).map(|row| format!("{row:0digits$}")).collect())
}

/// The names that a column gives its pictures, when every row has one and no two are the same.
fn names_of(shards: &[Shard], column: &str) -> Result<Option<Vec<String>>, Error> {
    let (mut names, mut seen, mut fine) = (Vec::new(), HashSet::new(), true);
    for shard in shards {
        let Some(leaf) = shard.column(column)?.path else { return Ok(None) };
        shard.cells(column, leaf, |path| {
            let stem = path.and_then(stem).filter(|stem| seen.insert(stem.to_lowercase()));
            fine &= stem.is_some();
            names.extend(stem);
            Ok(())
        })?;
    }
    Ok(fine.then_some(names))
}

/// The name of the file at this path, without its ending, where that can name a file here.
fn stem(path: &[u8]) -> Option<String> {
    let name = std::str::from_utf8(path).ok()?.rsplit(['/', '\\']).next()?;
    let stem = Path::new(name).file_stem()?.to_str()?;
    let plain =
        stem.len() <= MOST_NAME && !stem.starts_with('.') && !stem.contains(':') && !stem.chars().any(char::is_control);
    plain.then(|| stem.to_owned())
}

/// The ending of a picture's file, by the bytes that it begins with.
fn ending(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x89, b'P', b'N', b'G', ..] => Some("png"),
        [0xff, 0xd8, 0xff, ..] => Some("jpg"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("webp"),
        [b'B', b'M', ..] => Some("bmp"),
        [b'I', b'I', 42, 0, ..] | [b'M', b'M', 0, 42, ..] => Some("tif"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_gives_a_name_only_when_it_can_name_a_file_here() {
        for (path, name) in
            [("0001.png", "0001"), ("a/b/0001x4.png", "0001x4"), ("C:\\a\\b.png", "b"), ("a.b.png", "a.b")]
        {
            assert_eq!(stem(path.as_bytes()).as_deref(), Some(name), "{path}");
        }
        for path in [&[b'a'; 241][..], b"", b"a/", b"..", b".png", b"a\nb.png", b"a:b.png", b"caf\xe9.png"] {
            assert_eq!(stem(path), None, "{}", path.escape_ascii());
        }
    }

    #[test]
    fn the_first_bytes_decide_the_ending() {
        assert_eq!(ending(b"\x89PNG\r\n"), Some("png"));
        assert_eq!(ending(&[0xff, 0xd8, 0xff, 0xe0]), Some("jpg"));
        assert_eq!(ending(b"RIFF\x00\x00\x00\x00WEBPVP8 "), Some("webp"));
        assert_eq!((ending(b"BM"), ending(b"II*\0"), ending(b"MM\0*")), (Some("bmp"), Some("tif"), Some("tif")));
        assert_eq!((ending(b""), ending(b"RIFF1234WAVE"), ending(b"0001.png")), (None, None, None));
    }
}
