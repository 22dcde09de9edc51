//! A column of pictures in a Parquet schema, and its values.

use std::panic::{AssertUnwindSafe, catch_unwind};

use parquet::basic::{ConvertedType, LogicalType, Type as Physical};
use parquet::column::reader::ColumnReaderImpl;
use parquet::data_type::{ByteArray, ByteArrayType};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use parquet::file::reader::RowGroupReader;
use parquet::schema::types::{ColumnDescriptor, SchemaDescriptor};

use super::pages::Pages;

/// Which leaves of the schema a column of pictures is made of.
pub struct Column {
    /// The files' bytes.
    pub bytes: usize,
    /// Their paths, where it has any.
    pub path: Option<usize>,
}

impl Column {
    /// The column of this name, when it is there and holds pictures.
    pub fn find(schema: &SchemaDescriptor, name: &str) -> Option<Self> {
        let leaf = |wanted: &[&str], fits: fn(&ColumnDescriptor) -> bool| {
            let at = schema.columns().iter().position(|column| column.path().parts() == wanted);
            at.filter(|&at| fits(&schema.column(at)))
        };
        let bytes = leaf(&[name], is_binary).or_else(|| leaf(&[name, "bytes"], is_binary))?;
        Some(Column { bytes, path: leaf(&[name, "path"], is_text) })
    }
}

fn is_binary(column: &ColumnDescriptor) -> bool {
    column.physical_type() == Physical::BYTE_ARRAY && column.max_rep_level() == 0 && !says_text(column)
}

fn is_text(column: &ColumnDescriptor) -> bool {
    column.physical_type() == Physical::BYTE_ARRAY && column.max_rep_level() == 0
}

fn says_text(column: &ColumnDescriptor) -> bool {
    matches!(column.logical_type_ref(), Some(LogicalType::String)) || column.converted_type() == ConvertedType::UTF8
}

/// The columns there are, each with what it holds.
pub fn listed(schema: &SchemaDescriptor) -> String {
    let said = |column: &parquet::schema::types::ColumnDescPtr| {
        let holds = if says_text(column) { "text".into() } else { column.physical_type().to_string().to_lowercase() };
        format!("`{}` ({holds})", column.path().string().escape_debug())
    };
    schema.columns().iter().map(said).collect::<Vec<_>>().join(", ")
}

/// The values of one leaf in one row group, in order.
pub struct Cells {
    reader: ColumnReaderImpl<ByteArrayType>,
    /// The definition level of a value that is there; less is null.
    present: i16,
}

impl Cells {
    /// At the first row.
    pub fn open(group: &dyn RowGroupReader, leaf: usize) -> Result<Self> {
        let present = group.metadata().column(leaf).column_descr().max_def_level();
        let column = group.metadata().column(leaf).column_descr_ptr();
        let pages = careful(|| group.get_column_page_reader(leaf))?;
        Ok(Cells { reader: ColumnReaderImpl::new(column, Box::new(Pages(pages))), present })
    }

    /// The next values, at most `rows` of them, `None` for null; empty at the end.
    pub fn next(&mut self, rows: usize) -> Result<Vec<Option<ByteArray>>> {
        let (mut levels, mut values) = (Vec::new(), Vec::new());
        careful(|| self.reader.read_records(rows, Some(&mut levels), None, &mut values))?;
        if self.present == 0 {
            return Ok(values.into_iter().map(Some).collect());
        }
        let mut values = values.into_iter();
        let value = |level: &i16| if *level == self.present { values.next() } else { None };
        Ok(levels.iter().map(value).collect())
    }
}

/// Whether a column of a row group lies within a file of this length.
pub fn is_within(chunk: &ColumnChunkMetaData, length: u64) -> bool {
    let start = chunk.dictionary_page_offset().unwrap_or(chunk.data_page_offset());
    let [start, size] = [start, chunk.compressed_size()].map(u64::try_from);
    start.is_ok_and(|start| size.is_ok_and(|size| start.checked_add(size).is_some_and(|end| end <= length)))
}

/// What a column of a table unpacks to, as the table says.
pub fn size(table: &ParquetMetaData, leaf: usize) -> u64 {
    let sizes = table.row_groups().iter().map(|group| group.column(leaf).uncompressed_size());
    sizes.fold(0, |sum, size| sum.saturating_add(size.try_into().unwrap_or(u64::MAX)))
}

/// Damage that the `parquet` crate (60.1) meets with a panic is an error too.
pub fn careful<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    let damaged = |_| Err(ParquetError::General("the file is damaged".into()));
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(damaged)
}
