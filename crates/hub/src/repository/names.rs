//! What the hub calls things, which becomes files here and addresses there.

use std::path::{Component, Path};

use ureq::http::HeaderMap;

/// The first of these headers that is a commit or hash in hexadecimal: it becomes the name of a file.
pub fn hexadecimal(header: &HeaderMap, names: &[&str]) -> Option<String> {
    let value = names.iter().find_map(|name| header.get(*name))?.to_str().ok()?.trim_matches('"');
    is_hexadecimal(value).then(|| value.to_owned())
}

/// Whether it can be a commit or hash.
pub fn is_hexadecimal(value: &str) -> bool {
    (8..=64).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether a file of this name lies in the folder that it is put in.
pub fn is_below(file: &str) -> bool {
    let normal = Path::new(file).components().all(|component| matches!(component, Component::Normal(_)));
    normal && !file.contains('\\') && !file.chars().any(char::is_control)
}

/// A path as it stands in an address (RFC 3986, section 2).
pub fn encoded(file: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    file.bytes().map(|byte| if plain(byte) { char::from(byte).into() } else { format!("%{byte:02X}") }).collect()
}

/// Of a shard, `NAME-00003-of-00020.parquet`: `NAME`, and the digits of how many there are.
pub fn shard(file: &str) -> Option<(&str, &str)> {
    let (before, after) = file.rsplit_once("-of-")?;
    let digits =
        after.split(|character: char| !character.is_ascii_digit()).next().filter(|digits| !digits.is_empty())?;
    Some((before.rsplit_once('-')?.0, digits))
}

/// A shard that is not among as many as it says: itself, that number, and those there.
pub fn incomplete<'a>(file: &'a str, files: &[String]) -> Option<(&'a str, usize, usize)> {
    let (name, digits) = shard(file)?;
    let (begin, end) = (format!("{name}-"), format!("-of-{digits}"));
    let of_same = |other: &&String| other.starts_with(&begin) && other.contains(&end);
    let (wanted, found) = (digits.parse().ok()?, files.iter().filter(of_same).count());
    (wanted != found).then_some((file, wanted, found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_encoded_for_an_address() {
        assert_eq!(encoded("data/train-00000.parquet"), "data/train-00000.parquet");
        assert_eq!(encoded("a b/50%#1=ä.zip"), "a%20b/50%25%231%3D%C3%A4.zip");
    }

    #[test]
    fn shards_must_be_as_many_as_they_say() {
        let files = |names: &[&str]| names.iter().map(|name| format!("data/{name}.parquet")).collect::<Vec<_>>();
        let missing = |names: &[&str]| {
            let files = files(names);
            files.iter().find_map(|file| incomplete(file, &files)).map(|(_, wanted, found)| (wanted, found))
        };
        assert_eq!(missing(&["train-00000-of-00002", "train-00001-of-00002", "test-00000-of-00001"]), None);
        assert_eq!(missing(&["train-00000-of-00002", "test-00000-of-00001"]), Some((2, 1)));
        assert_eq!((shard("a-0-of-2.x"), shard("all-of-them.x"), shard("a-0-of-x")), (Some(("a", "2")), None, None));
        assert_eq!(missing(&["0000", "0001", "train"]), None);
    }
}
