//! Pictures in the columns of Parquet tables.

use std::fs;
use std::sync::Arc;

use abbe_hub::{Form, Source};
use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use crate::support::{Machine, files, has, part, png, read};

/// What stands in one row of a column.
#[derive(Clone)]
pub enum Cell {
    /// A struct of bytes and path, as the `datasets` library writes it; both may be null.
    Picture(Vec<u8>, Option<String>),
    /// Plain binary.
    Binary(Vec<u8>),
    /// Text.
    Text(&'static str),
    /// Null, in a column of structs.
    Null,
}

/// A table in Parquet, with row groups of 7 rows.
pub fn table(columns: &[(&str, Vec<Cell>)]) -> Vec<u8> {
    compressed(columns, Compression::SNAPPY)
}

fn compressed(columns: &[(&str, Vec<Cell>)], compression: Compression) -> Vec<u8> {
    let fields: Vec<String> = columns
        .iter()
        .map(|(name, cells)| match cells[0] {
            Cell::Picture(..) | Cell::Null => {
                format!("optional group {name} {{ optional binary bytes; optional binary path (UTF8); }}")
            }
            Cell::Binary(_) => format!("required binary {name};"),
            Cell::Text(_) => format!("optional binary {name} (UTF8);"),
        })
        .collect();
    let schema = parse_message_type(&format!("message schema {{ {} }}", fields.join(" "))).unwrap();
    let properties = WriterProperties::builder().set_compression(compression).build();
    let mut writer = SerializedFileWriter::new(Vec::new(), Arc::new(schema), Arc::new(properties)).unwrap();
    let rows = columns[0].1.len();
    for begin in (0..rows).step_by(7) {
        let mut group = writer.next_row_group().unwrap();
        for leaf in columns.iter().flat_map(|(_, cells)| leaves(&cells[begin..rows.min(begin + 7)])) {
            let values: Vec<ByteArray> = leaf.iter().filter_map(|(value, _)| value.clone()).collect();
            let levels: Vec<i16> = leaf.iter().map(|(_, level)| *level).collect();
            let mut column = group.next_column().unwrap().unwrap();
            column.typed::<ByteArrayType>().write_batch(&values, Some(&levels), None).unwrap();
            column.close().unwrap();
        }
        group.close().unwrap();
    }
    writer.into_inner().unwrap()
}

/// The leaves of a column: each value, and the level at which it is defined.
fn leaves(cells: &[Cell]) -> Vec<Vec<(Option<ByteArray>, i16)>> {
    let bytes = |cell: &Cell| match cell {
        Cell::Picture(bytes, _) => (Some(bytes.clone().into()), 2),
        Cell::Binary(bytes) => (Some(bytes.clone().into()), 0),
        Cell::Text(text) => (Some((*text).into()), 1),
        Cell::Null => (None, 0),
    };
    let path = |cell: &Cell| match cell {
        Cell::Picture(_, Some(path)) => (Some(path.as_str().into()), 2),
        Cell::Picture(_, None) => (None, 1),
        _ => (None, 0),
    };
    let first = cells.iter().map(bytes).collect();
    match cells[0] {
        Cell::Picture(..) | Cell::Null => vec![first, cells.iter().map(path).collect()],
        _ => vec![first],
    }
}

/// Reads these columns of a table that was put there by hand; gives the machine, and what is said.
fn extract(bytes: &[u8], columns: &[&str]) -> (Machine, Result<(), String>) {
    let machine = Machine::new();
    fs::create_dir_all(&machine.places.data).unwrap();
    fs::write(machine.places.data.join("t.parquet"), bytes).unwrap();
    let columns = columns.iter().map(|column| (column.to_string(), format!("P/{column}"))).collect();
    let source = Source::Url("http://127.0.0.1:9/t.parquet".into());
    let result = machine.fetch(&part(source, Form::Parquet(columns), None)).map(|_| ());
    (machine, result)
}

fn written(bytes: &[u8], columns: &[&str]) -> Vec<String> {
    let (machine, result) = extract(bytes, columns);
    result.unwrap();
    files(&machine.places.data.join("P"))
}

#[track_caller]
fn refused(bytes: &[u8], columns: &[&str], parts: &[&str]) {
    let (machine, result) = extract(bytes, columns);
    has(&result.unwrap_err(), parts);
    let left: Vec<String> = machine.files().into_iter().filter(|file| !file.contains("t.parquet")).collect();
    assert!(left.iter().all(|file| file.ends_with(".lock")), "{left:?}");
}

fn picture(text: &str, path: Option<&str>) -> Cell {
    Cell::Picture(png(text), path.map(str::to_owned))
}

#[test]
fn both_forms_are_written_as_they_stand_under_one_name_per_row() {
    let hr = vec![picture("a", Some("x/0801.png")), picture("b", Some("x/0802.png"))];
    let lr = vec![Cell::Binary(png("c")), Cell::Binary(vec![0xff, 0xd8, 0xff, 0xe0, 1])];
    for compression in
        [Compression::UNCOMPRESSED, Compression::GZIP(Default::default()), Compression::ZSTD(ZstdLevel::default())]
    {
        let bytes = compressed(&[("hr", hr.clone()), ("lr", lr.clone())], compression);
        let (machine, result) = extract(&bytes, &["hr", "lr"]);
        result.unwrap();
        let root = machine.places.data.join("P");
        assert_eq!(files(&root), ["hr/0801.png", "hr/0802.png", "lr/0801.png", "lr/0802.jpg"]);
        assert_eq!((read(root.join("hr/0802.png")), read(root.join("lr/0801.png"))), (png("b"), png("c")));
        assert!(!machine.notes.lock().unwrap().is_empty()); // its hash, seen for the first time
    }
}

#[test]
fn rows_without_names_of_their_own_are_numbered() {
    let same = vec![picture("a", Some("image.png")), picture("b", Some("image.png"))];
    let some = vec![picture("a", Some("a.png")), picture("b", None)];
    for cells in [same, some, vec![Cell::Binary(png("a")), Cell::Binary(png("b"))]] {
        assert_eq!(written(&table(&[("img", cells)]), &["img"]), ["img/0000.png", "img/0001.png"]);
    }
    // Ten thousand and one rows need five digits.
    let many = written(&table(&[("img", vec![Cell::Binary(png("a")); 10_001])]), &["img"]);
    assert_eq!((many.len(), many[0].as_str(), many[10_000].as_str()), (10_001, "img/00000.png", "img/10000.png"));
}

#[test]
fn a_column_that_is_not_there_or_holds_no_pictures_is_told_with_those_that_are() {
    let columns = [("hr", vec![picture("a", None)]), ("file", vec![Cell::Text("a.png")])];
    let there = ["`hr.bytes` (byte_array)", "`hr.path` (text)", "`file` (text)"];
    refused(&table(&columns), &["lr"], &[&["column `lr`"][..], &there].concat());
    refused(&table(&columns), &["file"], &[&["column `file`"][..], &there].concat());
}

#[test]
fn a_row_without_a_picture_is_named() {
    let cells = |last: Cell| vec![picture("a", None), picture("b", None), last];
    refused(&table(&[("hr", cells(Cell::Null))]), &["hr"], &["column `hr`, row 2", "found none"]);
    let text = Cell::Picture(b"DIV2K/0801.png".into(), None);
    refused(&table(&[("hr", cells(text))]), &["hr"], &["column `hr`, row 2", "PNG, JPEG"]);
}

#[test]
fn a_bomb_is_refused() {
    // 70 MiB in one picture that hardly takes any room, as the table itself says of its column; nothing is unpacked.
    let mut large = png("a");
    large.resize(70 << 20, 0);
    let bytes = compressed(&[("hr", vec![Cell::Binary(large)])], Compression::ZSTD(ZstdLevel::default()));
    let limit = |bytes: &[u8]| (bytes.len() * 50 + (64 << 20)).to_string();
    assert!(bytes.len() < 100_000);
    refused(&bytes, &["hr"], &["t.parquet: column `hr`: more than", &limit(&bytes), "bomb", "remove the file"]);
    // 160 rows that share one picture of 512 KiB: a group holds it once, so that the columns are small.
    let mut shared = png("b");
    shared.resize(1 << 19, 0);
    let bytes = compressed(&[("lr", vec![Cell::Binary(shared); 160])], Compression::ZSTD(ZstdLevel::default()));
    let last = (bytes.len() * 50 + (64 << 20)) >> 19; // so many pictures fit
    assert!((128..160).contains(&last), "{last}");
    refused(&bytes, &["lr"], &["t.parquet: column `lr`", &format!("row {last}: more than"), &limit(&bytes), "bomb"]);
}

#[test]
fn a_damaged_file_is_an_error_and_no_panic() {
    let good = table(&[("hr", (0..8).map(|i| picture(&i.to_string(), Some(&format!("{i}.png")))).collect())]);
    refused(b"<html>", &["hr"], &["t.parquet", "expected a Parquet file"]);
    refused(&good[..good.len() - 1], &["hr"], &["expected a Parquet file"]);
    let mut survived = 0;
    for at in (0..good.len()).step_by(7) {
        let mut bad = good.clone();
        bad[at] ^= 0x55;
        survived += usize::from(extract(&bad, &["hr"]).1.is_ok()); // a picture's own bytes are not ours to judge
    }
    assert!(survived < good.len() / 7);
}
