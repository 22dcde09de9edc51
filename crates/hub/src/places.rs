//! Where things are on this machine, as the environment says it to other tools too.

use std::ffi::OsString;
use std::path::PathBuf;

/// Folders, and how the Hugging Face hub is spoken to.
#[derive(Debug, Clone)]
pub struct Places {
    /// Where data sets are unpacked: `$ABBE_DATA`, else `data` in the working folder.
    pub data: PathBuf,
    /// Where PyTorch keeps weights: `$TORCH_HOME/hub/checkpoints`, else `torch/hub/checkpoints` in the user's cache.
    pub torch: PathBuf,
    /// The hub's cache: `$HF_HUB_CACHE`, `$HUGGINGFACE_HUB_CACHE`, `$HF_HOME/hub`, else `huggingface/hub` in the user's
    /// cache.
    pub hub: PathBuf,
    /// `$HF_ENDPOINT`; absent: the hub itself.
    pub endpoint: Option<String>,
    /// `$HF_TOKEN`, else the text of `$HF_TOKEN_PATH`, else of `$HF_HOME/token`, where `hf auth login` leaves it.
    pub token: Option<String>,
    /// `$HF_HUB_OFFLINE`: whether the hub must not be spoken to.
    pub offline: bool,
    /// The user's own catalogue, where there is one: `$ABBE_CATALOGUE`, else `abbe/catalogue.toml` in the user's
    /// configuration (`$XDG_CONFIG_HOME`, `~/.config`).
    pub catalogue: Option<PathBuf>,
}

impl Places {
    /// As the environment says.
    pub fn from_env() -> Self {
        Self::of(&|name| std::env::var_os(name))
    }

    /// As `variable` answers for the environment. A variable that is set to nothing counts as not set.
    pub fn of(variable: &dyn Fn(&str) -> Option<OsString>) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let path = |name: &str| set(name).map(PathBuf::from);
        let text = |name: &str| set(name).and_then(|value| value.into_string().ok());
        let home = path("HOME").or_else(|| path("USERPROFILE")).unwrap_or_default();
        let cache = path("XDG_CACHE_HOME").unwrap_or_else(|| home.join(".cache"));
        let config = path("XDG_CONFIG_HOME").unwrap_or_else(|| home.join(".config"));
        let face = path("HF_HOME").unwrap_or_else(|| cache.join("huggingface"));
        let own = config.join("abbe/catalogue.toml");
        let token_file = path("HF_TOKEN_PATH").unwrap_or_else(|| face.join("token"));
        let token = text("HF_TOKEN").or_else(|| std::fs::read_to_string(token_file).ok());
        let yes = |value: String| ["1", "on", "yes", "true"].contains(&value.to_lowercase().as_str());
        Places {
            data: path("ABBE_DATA").unwrap_or_else(|| "data".into()),
            torch: path("TORCH_HOME").unwrap_or_else(|| cache.join("torch")).join("hub/checkpoints"),
            hub: path("HF_HUB_CACHE").or_else(|| path("HUGGINGFACE_HUB_CACHE")).unwrap_or_else(|| face.join("hub")),
            endpoint: text("HF_ENDPOINT").map(|endpoint| endpoint.trim_end_matches('/').to_owned()),
            token: token.map(|token| token.trim().to_owned()).filter(|token| !token.is_empty()),
            offline: text("HF_HUB_OFFLINE").is_some_and(yes),
            catalogue: path("ABBE_CATALOGUE").or_else(|| Some(own).filter(|own| own.is_file())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn places(variables: &[(&str, &str)]) -> Places {
        Places::of(&|name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into()))
    }

    #[test]
    fn without_variables_everything_is_where_other_tools_look() {
        let found = places(&[("HOME", "/home/none"), ("TORCH_HOME", "")]);
        assert_eq!(found.data, Path::new("data"));
        assert_eq!(found.torch, Path::new("/home/none/.cache/torch/hub/checkpoints"));
        assert_eq!(found.hub, Path::new("/home/none/.cache/huggingface/hub"));
        assert_eq!((found.endpoint, found.token, found.catalogue, found.offline), (None, None, None, false));
    }

    #[test]
    fn variables_move_it() {
        let cache = places(&[("HOME", "/h"), ("XDG_CACHE_HOME", "/c")]);
        assert_eq!(cache.torch, Path::new("/c/torch/hub/checkpoints"));
        assert_eq!(cache.hub, Path::new("/c/huggingface/hub"));
        let moved = places(&[
            ("TORCH_HOME", "/t"),
            ("HF_HOME", "/f"),
            ("HF_ENDPOINT", "http://mirror/"),
            ("HF_TOKEN", "hf_x\n"),
            ("HF_HUB_OFFLINE", "True"),
            ("ABBE_DATA", "/d"),
            ("ABBE_CATALOGUE", "/own.toml"),
        ]);
        assert_eq!(moved.torch, Path::new("/t/hub/checkpoints"));
        assert_eq!((moved.hub.as_path(), moved.data.as_path()), (Path::new("/f/hub"), Path::new("/d")));
        assert_eq!((moved.endpoint.as_deref(), moved.token.as_deref()), (Some("http://mirror"), Some("hf_x")));
        assert!(moved.offline && moved.catalogue.as_deref() == Some(Path::new("/own.toml")));
        assert_eq!(places(&[("HF_HOME", "/f"), ("HF_HUB_CACHE", "/e")]).hub, Path::new("/e"));
        assert!(!places(&[("HF_HUB_OFFLINE", "0")]).offline);
    }

    #[test]
    fn the_token_is_read_from_its_file() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("token"), "hf_file\n").unwrap();
        let home = folder.path().to_str().unwrap();
        assert_eq!(places(&[("HF_HOME", home)]).token.as_deref(), Some("hf_file"));
        assert_eq!(places(&[("HF_HOME", home), ("HF_TOKEN", "hf_set")]).token.as_deref(), Some("hf_set"));
    }
}
