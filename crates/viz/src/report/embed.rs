//! Files inside the page.

use std::path::Path;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The bytes as an address that holds them itself.
pub(super) fn data_uri(mime: &str, bytes: &[u8]) -> String {
    format!("data:{mime};base64,{}", STANDARD.encode(bytes))
}

/// A PNG or SVG file as such an address.
pub(super) fn file_uri(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let is_svg = path.extension().is_some_and(|ending| ending == "svg");
    Ok(data_uri(if is_svg { "image/svg+xml" } else { "image/png" }, &bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_travel_in_base_64() {
        // RFC 4648, section 10: "foob" is Zm9vYg==
        assert_eq!(data_uri("text/plain", b"foob"), "data:text/plain;base64,Zm9vYg==");
    }
}
