//! Text that comes from files, made harmless for a terminal.

use anyhow::Result;
use serde::Serialize;

/// JSON in which every character beyond printable ASCII is escaped, so that names are exact and no terminal obeys them.
///
/// # Errors
/// A value that JSON does not have.
pub fn ascii_json(value: &impl Serialize) -> Result<String> {
    Ok(ascii(&serde_json::to_string_pretty(value)?))
}

/// A text in JSON, made so.
pub fn ascii(json: &str) -> String {
    let mut ascii = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_ascii() && c != '\x7f' {
            ascii.push(c);
        } else {
            c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| ascii.push_str(&format!("\\u{unit:04x}")));
        }
    }
    ascii
}

/// At most `most` characters, with control characters escaped.
pub fn short(text: &str, most: usize) -> String {
    let harmless = |c: char| if matches!(c, '\'' | '"') { c.to_string() } else { c.escape_debug().to_string() };
    let escaped: String = text.chars().take(most + 1).map(harmless).collect();
    cut(escaped.chars(), most)
}

/// At most `most` characters of text that is harmless.
pub fn cut(text: impl Iterator<Item = char>, most: usize) -> String {
    let mut text = text.peekable();
    let start: String = text.by_ref().take(most).collect();
    if text.peek().is_some() { start + "..." } else { start }
}

/// How many tensors.
pub fn tensors(count: usize) -> String {
    if count == 1 { "1 tensor".into() } else { format!("{count} tensors") }
}

/// What to say of tensors that hold NaN or infinite numbers, with the first names; none where there are none.
pub fn not_finite(names: &[&str]) -> Option<String> {
    let shown: Vec<_> = names.iter().take(5).map(|name| short(name, 100)).collect();
    let more = if names.len() > shown.len() { ", ..." } else { "" };
    let hold = if names.len() == 1 { "holds" } else { "hold" };
    let text = || format!("{} {hold} numbers that are not finite: {}{more}", tensors(names.len()), shown.join(", "));
    (!names.is_empty()).then(text)
}

/// The width of a column for these texts, up to a limit: a longer one moves its own row alone.
pub fn width(texts: &[String], least: usize) -> usize {
    texts.iter().map(|text| text.chars().count()).max().unwrap_or(0).clamp(least, 60)
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
        assert_eq!([short("it's\u{1b}", 20), short("abcdef", 3)], ["it's\\u{1b}", "abc..."]);
    }
}
