//! Whole files: the container is told by the first bytes, so each target differs from the others by its seeds alone.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = abbe_checkpoint::open_bytes(bytes);
    let _ = abbe_checkpoint::inspect_bytes(bytes);
});
