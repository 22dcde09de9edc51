//! Which libtorch is used, whether it is the right one, and how to put one in place.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail, ensure};

use crate::{python, setup};

/// The version that the tch crate of this workspace is made for.
pub const VERSION: &str = "2.11.0";

/// Where `cargo xtask setup` installs, below the root; `LIBTORCH` in `.cargo/config.toml` names its `torch` folder.
const FOLDER: &str = ".libtorch";

/// Measured for torch 2.11.0 with its CUDA 13 packages on Linux x86-64.
const SIZE: &str = "about 2.7 GB to download, 4.6 GB on disk (Linux x86-64; less on macOS)";

/// Free space needed while installing on Linux: the downloaded wheels and the unpacked files lie side by side.
const BYTES_NEEDED: u64 = 8_000_000_000;

/// Files that tell the version, and what precedes it in their line: libtorch archives, the Python package, CMake.
const VERSION_FILES: [(&str, &str); 3] = [
    ("build-version", ""),
    ("version.py", "__version__ ="),
    ("share/cmake/Torch/TorchConfigVersion.cmake", "set(PACKAGE_VERSION "),
];

const LIBRARY: &str = if cfg!(target_os = "macos") { "lib/libtorch.dylib" } else { "lib/libtorch.so" };
const LIBRARY_PATH: &str = if cfg!(target_os = "macos") { "DYLD_LIBRARY_PATH" } else { "LD_LIBRARY_PATH" };

/// The libtorch that everything is built against.
#[derive(Debug, PartialEq)]
pub struct Libtorch {
    /// The folder with `include` and `lib` in it.
    pub dir: PathBuf,
    /// The user's own, named by LIBTORCH, rather than the one in `.libtorch/`.
    pub own: bool,
}

impl Libtorch {
    /// Reads `variable`, the value of LIBTORCH. Cargo sets it to the default for programs that it runs, so only another
    /// value is the user's.
    pub fn locate(root: &Path, variable: Option<OsString>) -> Self {
        let default = root.join(FOLDER).join("torch");
        let dir = variable.map_or_else(|| default.clone(), PathBuf::from);
        let own = dir != default;
        Self { dir, own }
    }

    /// Refuses an unfit libtorch of the user's own; installs the default one when it is absent or of another version.
    pub fn prepare(&self, root: &Path) -> Result<()> {
        ensure!(
            !self.own || self.dir.is_absolute(),
            "LIBTORCH={} is not a full path, which build scripts need: give one, or unset LIBTORCH",
            self.dir.display()
        );
        let found = complete_version(&self.dir);
        match found.as_deref() {
            Some(version) if fits(version) => Ok(()),
            _ if self.own => bail!(refusal(&self.dir, found.as_deref())),
            _ => install(root, found.as_deref()),
        }
    }

    /// A cargo command in `root` whose programs find this libtorch.
    pub fn cargo(&self, root: &Path) -> Command {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(root);
        if !self.own {
            // As a plain `cargo build` sees it: a variable that comes and goes would rebuild what depends on it.
            cargo.env_remove("LIBTORCH");
        }
        if self.own || !rpath_reaches(root) {
            let mut paths = vec![self.dir.join("lib")];
            paths.extend(std::env::var_os(LIBRARY_PATH).iter().flat_map(std::env::split_paths));
            cargo.env(LIBRARY_PATH, std::env::join_paths(paths).unwrap_or_default());
        }
        cargo
    }

    /// The folder from which Python imports this libtorch's `torch`; none for a libtorch without Python.
    pub fn python_path(&self) -> Option<&Path> {
        self.dir.join("__init__.py").is_file().then(|| self.dir.parent())?
    }
}

/// Whether binaries lie in `root/target`, from where the relative rpath in `.cargo/config.toml` leads to `.libtorch`.
fn rpath_reaches(root: &Path) -> bool {
    std::env::current_exe().is_ok_and(|exe| exe.starts_with(root.join("target")))
}

/// The version in `dir` when headers and library are there too.
fn complete_version(dir: &Path) -> Option<String> {
    let complete = dir.join("include/ATen/ATen.h").is_file() && dir.join(LIBRARY).is_file();
    let read = |(file, key)| version_in(&fs::read_to_string(dir.join(file)).ok()?, key);
    if complete { VERSION_FILES.into_iter().find_map(read) } else { None }
}

/// The version in the first line of `text` that starts with `key`.
fn version_in(text: &str, key: &str) -> Option<String> {
    let value = text.lines().find_map(|line| line.strip_prefix(key))?;
    let version = value.trim().trim_end_matches(')').trim_matches(['\'', '"']);
    (!version.is_empty()).then(|| version.to_string())
}

/// Whether `version` is the right one; what follows a plus sign names the build (`+cpu`, `+cu130`).
fn fits(version: &str) -> bool {
    version.split('+').next() == Some(VERSION)
}

fn refusal(dir: &Path, found: Option<&str>) -> String {
    let dir = dir.display();
    let found = found.map_or_else(
        || format!("holds no libtorch (include/ATen/ATen.h, {LIBRARY} and a version file were looked for)"),
        |version| format!("is libtorch {version}"),
    );
    format!(
        "LIBTORCH={dir} {found}; libtorch {VERSION} is needed. Give the full path of a libtorch {VERSION}, \
         or unset LIBTORCH: `cargo xtask setup` then installs one into {FOLDER}/"
    )
}

fn install(root: &Path, found: Option<&str>) -> Result<()> {
    let python = python::find()?;
    let place = root.join(FOLDER);
    if let Some(version) = found {
        println!("{} holds libtorch {version}; {VERSION} is needed and replaces it", place.display());
    } else if place.exists() {
        println!("{} holds no complete libtorch; it is replaced", place.display());
    }
    println!("Installing libtorch {VERSION} into {}: {SIZE}", place.display());
    if cfg!(target_os = "linux") {
        setup::check_space(root, BYTES_NEEDED)?;
    }
    setup::in_scratch(root, |scratch| {
        let new = scratch.join("libtorch");
        python.install(&[&format!("torch=={VERSION}")], &new, scratch)?;
        let version = complete_version(&new.join("torch"));
        ensure!(
            version.as_deref().is_some_and(fits),
            "the installed torch package is {}, {VERSION} was asked for",
            version.as_deref().unwrap_or("incomplete")
        );
        setup::replace(&place, &new, scratch)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_another_value_than_cargos_default_is_the_users_own() {
        let root = Path::new("/repo");
        let default = Libtorch { dir: "/repo/.libtorch/torch".into(), own: false };
        assert_eq!(Libtorch::locate(root, None), default);
        assert_eq!(Libtorch::locate(root, Some("/repo/.libtorch/torch".into())), default);
        let own = Libtorch { dir: "/opt/libtorch".into(), own: true };
        assert_eq!(Libtorch::locate(root, Some("/opt/libtorch".into())), own);
        assert!(Libtorch::locate(root, Some("".into())).own);
    }

    #[test]
    fn version_is_read_from_each_kind_of_file() {
        let found = |text: &str, file: usize| version_in(text, VERSION_FILES[file].1);
        assert_eq!(found("2.11.0+cpu\n", 0).as_deref(), Some("2.11.0+cpu"));
        let python = "__all__ = ['__version__', 'cuda']\n__version__ = '2.11.0+cu130'\n";
        assert_eq!(found(python, 1).as_deref(), Some("2.11.0+cu130"));
        assert_eq!(found("set(PACKAGE_VERSION \"2.10.0\")\n", 2).as_deref(), Some("2.10.0"));
        assert_eq!(found("", 0), None);
        assert_eq!(found("debug = False\n", 1), None);
    }

    #[test]
    fn builds_of_the_right_version_fit_and_others_do_not() {
        assert!(fits("2.11.0") && fits("2.11.0+cpu") && fits("2.11.0+cu130"));
        assert!(!fits("2.11.1") && !fits("2.1.0") && !fits("2.11.0a0") && !fits(""));
    }

    #[test]
    fn own_libtorch_must_be_complete_and_of_the_right_version() {
        let folder = tempfile::tempdir().unwrap();
        let own = Libtorch { dir: folder.path().into(), own: true };
        let refused = || own.prepare(Path::new("/repo")).unwrap_err().to_string();
        fs::write(folder.path().join("build-version"), "2.10.0+cpu\n").unwrap();
        assert!(refused().contains("holds no libtorch"));
        fs::create_dir_all(folder.path().join("include/ATen")).unwrap();
        fs::create_dir_all(folder.path().join("lib")).unwrap();
        fs::write(folder.path().join("include/ATen/ATen.h"), "").unwrap();
        fs::write(folder.path().join(LIBRARY), "").unwrap();
        assert!(refused().contains("is libtorch 2.10.0+cpu; libtorch 2.11.0 is needed"));
        fs::write(folder.path().join("build-version"), "2.11.0+cpu\n").unwrap();
        own.prepare(Path::new("/repo")).unwrap();
    }
}
