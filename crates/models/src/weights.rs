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
pub fn promised(file: &Path) -> Option<&str> {
    let (_, digits) = file.file_stem()?.to_str()?.rsplit_once('-')?;
    (digits.len() == 8 && digits.chars().all(|c| c.is_ascii_hexdigit())).then_some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_promises_a_hash_only_in_torchvisions_form() {
        assert_eq!(promised(Path::new("a/vgg19-dcbb9e9d.pth")), Some("dcbb9e9d"));
        assert_eq!(promised(Path::new("vgg19.pth")), None);
        assert_eq!(promised(Path::new("my-weights.pth")), None);
    }
}
