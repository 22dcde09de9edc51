//! What the names of torchvision's files of weights promise.

use std::path::Path;

/// The first eight digits of a file's SHA-256, in which torchvision's names end; none for a name of another form.
pub fn promised(file: &str) -> Option<&str> {
    let (_, digits) = Path::new(file).file_stem()?.to_str()?.rsplit_once('-')?;
    (digits.len() == 8 && digits.chars().all(|c| c.is_ascii_hexdigit())).then_some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{lpips, vgg};

    #[test]
    fn a_name_promises_a_hash_only_in_torchvisions_form() {
        assert_eq!(promised("a/vgg19-dcbb9e9d.pth"), Some("dcbb9e9d"));
        assert_eq!(promised("vgg19.pth"), None);
        assert_eq!(promised("my-weights.pth"), None);
        assert!(vgg::Net::ALL.iter().all(|net| promised(net.file()).is_some()));
        assert!(lpips::Net::ALL.iter().all(|net| promised(net.file()).is_some()));
    }
}
