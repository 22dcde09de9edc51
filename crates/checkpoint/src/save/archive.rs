//! Writing PyTorch's zip container.

use std::io::Write;

use crate::Value;
use crate::archive::{CARD, MAX_NOTE, PROVENANCE};
use crate::error::{Fault, refuse};
use crate::pickle::Ids;
use crate::pickle::write::{self, Pickled};
use crate::zip::Writer;

/// Writes the records in the order and layout of `torch.save` 2.11, then our own two.
pub(super) fn write(out: impl Write, prefix: &str, value: &Value, card: Option<&str>) -> Result<(), Fault> {
    let Pickled { pickle, storages } = write::write(value, Ids::Zip)?;
    let mut zip = Writer::new(out, prefix);
    zip.record("data.pkl", &pickle)?;
    zip.record(".format_version", b"1")?;
    zip.record(".storage_alignment", b"64")?;
    zip.record("byteorder", b"little")?;
    for (key, storage) in storages.iter().enumerate() {
        zip.record(&format!("data/{key}"), &storage.bytes)?;
    }
    zip.record("version", b"3\n")?;
    zip.record(".data/serialization_id", serialization_id(&pickle, storages.len()).as_bytes())?;
    if let Some(card) = card {
        if card.len() as u64 > MAX_NOTE {
            return refuse(format!("a card of {} bytes, expected at most {MAX_NOTE}", card.len()));
        }
        zip.record(CARD, card.as_bytes())?;
    }
    zip.record(PROVENANCE, super::PROVENANCE.as_bytes())?;
    zip.finish()?;
    Ok(())
}

/// Forty digits that differ between checkpoints of different structure; no reader checks them.
fn serialization_id(pickle: &[u8], storages: usize) -> String {
    format!("{storages:020}{:020}", crc32fast::hash(pickle))
}
