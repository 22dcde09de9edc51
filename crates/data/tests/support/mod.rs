//! Python, when it is at hand.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A path in the repository.
pub fn repository(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name)
}

/// Python with the packages that `cargo xtask setup` fetched, or those that ABBE_PYTHON and ABBE_PYTHONPATH name.
pub fn python() -> Command {
    let packages = std::env::var("ABBE_PYTHONPATH")
        .unwrap_or_else(|_| format!("{}:{}", repository(".libtorch").display(), repository(".python").display()));
    let mut command = Command::new(std::env::var("ABBE_PYTHON").unwrap_or_else(|_| "python3".into()));
    command.env("PYTHONPATH", packages);
    command
}

/// Whether Python finds a package; a message when it does not.
pub fn has(package: &str) -> bool {
    let import = format!("import {package}");
    let has = python().args(["-c", &import]).output().is_ok_and(|output| output.status.success());
    if !has {
        println!("skipped: no Python with {package}; name one with ABBE_PYTHON and ABBE_PYTHONPATH");
    }
    has
}
