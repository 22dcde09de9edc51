//! Text that comes from files, made harmless for a terminal.

use std::fmt::Write;

use anyhow::Result;
use serde::Serialize;

/// JSON in which every character beyond printable ASCII is escaped, so that names are exact and no terminal obeys them.
///
/// # Errors
/// A value that JSON does not have.
pub fn ascii_json(value: &impl Serialize) -> Result<String> {
    let text = serde_json::to_string_pretty(value)?;
    let mut ascii = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii() && c != '\x7f' {
            ascii.push(c);
        } else {
            c.encode_utf16(&mut [0; 2]).iter().try_for_each(|unit| write!(ascii, "\\u{unit:04x}"))?;
        }
    }
    Ok(ascii)
}

/// At most `most` characters, with control characters escaped.
pub fn short(text: &str, most: usize) -> String {
    let mut escaped: String = text.chars().take(most + 1).flat_map(char::escape_debug).collect();
    if escaped.chars().count() > most {
        escaped = escaped.chars().take(most).chain("...".chars()).collect();
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_is_printed() {
        // U+009B begins a terminal's command in 8 bits, U+1F600 needs two units in JSON.
        let json = ascii_json(&"a\u{1b}\u{9b}\u{1f600}\n").unwrap();
        assert_eq!(json, r#""a\u001b\u009b\ud83d\ude00\n""#);
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), "a\u{1b}\u{9b}\u{1f600}\n");
        assert_eq!([short("ab\u{1b}", 20), short("abcdef", 3)], ["ab\\u{1b}", "abc..."]);
    }
}
