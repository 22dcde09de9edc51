//! The pages of a column as the `parquet` crate may have them.

use parquet::basic::Encoding;
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};

/// Pages of byte arrays, each looked at before it is decoded.
///
/// The `parquet` crate (60.1) makes room for as many values as a dictionary, or the header of a delta encoding, says that it
/// has; no memory holds what a damaged one may say, and a process that asks for it is ended. So a dictionary must be as long as
/// it says (four bytes for the length of each value), and delta encodings, which `pyarrow` and so the `datasets` library write
/// only when told to, are refused.
pub struct Pages(pub Box<dyn PageReader>);

impl PageReader for Pages {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let page = self.0.get_next_page()?;
        page.as_ref().map_or(Ok(()), check)?;
        Ok(page)
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.0.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.0.skip_next_page()
    }

    fn at_record_boundary(&mut self) -> Result<bool> {
        self.0.at_record_boundary()
    }
}

impl Iterator for Pages {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

fn check(page: &Page) -> Result<()> {
    let (values, most) = (page.num_values(), page.buffer().len() / 4);
    match (page, page.encoding()) {
        (Page::DictionaryPage { .. }, _) if values as usize > most => {
            Err(ParquetError::General(format!("a dictionary of {values} values has room for {most} at most")))
        }
        (_, Encoding::PLAIN | Encoding::PLAIN_DICTIONARY | Encoding::RLE_DICTIONARY) => Ok(()),
        (_, other) => Err(ParquetError::General(format!(
            "expected plain pages or a dictionary, found {other}; write the table again with one of these"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dictionary_is_as_long_as_it_says() {
        let said = |num_values, encoding| {
            let buf = [0; 8].as_slice().into(); // two values of no bytes
            check(&Page::DictionaryPage { buf, num_values, encoding, is_sorted: false })
                .map_err(|error| error.to_string())
        };
        assert_eq!(said(2, Encoding::PLAIN), Ok(()));
        assert!(said(3, Encoding::PLAIN).unwrap_err().contains("3 values has room for 2"));
        assert!(said(2, Encoding::DELTA_BYTE_ARRAY).unwrap_err().contains("DELTA_BYTE_ARRAY"));
    }
}
