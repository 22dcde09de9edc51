//! The pickle of a zip container with two storages, so that tensors can be made; its checksums are always right.

#![no_main]

use std::io::{Cursor, Write};

use libfuzzer_sys::fuzz_target;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

fuzz_target!(|pickle: &[u8]| {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let records = [("data.pkl", pickle), ("data/0", &[0; 24]), ("data/1", &[0; 64]), ("version", b"3\n")];
    for (name, bytes) in records {
        zip.start_file(format!("archive/{name}"), stored).unwrap();
        zip.write_all(bytes).unwrap();
    }
    let bytes = zip.finish().unwrap().into_inner();
    let _ = abbe_checkpoint::open_bytes(&bytes);
    let _ = abbe_checkpoint::inspect_bytes(&bytes);
});
