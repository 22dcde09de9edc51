//! torchvision's files of weights: where PyTorch keeps them, and what their names promise.

use std::path::{Path, PathBuf};

/// Where PyTorch's hub keeps a file of this name: `$TORCH_HOME/hub/checkpoints`, else
/// `$XDG_CACHE_HOME/torch/hub/checkpoints`, else `~/.cache/torch/hub/checkpoints`.
pub fn hub_path(file: &str) -> PathBuf {
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default());
    let cache = || std::env::var_os("XDG_CACHE_HOME").map_or_else(|| home().join(".cache"), PathBuf::from);
    let torch = std::env::var_os("TORCH_HOME").map_or_else(|| cache().join("torch"), PathBuf::from);
    torch.join("hub/checkpoints").join(file)
}

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
