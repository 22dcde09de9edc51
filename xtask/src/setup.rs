//! `cargo xtask setup`: the order of things, and what its parts share.

use std::fs::{self, File, TryLockError};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::libtorch::Libtorch;
use crate::photographs;

/// Makes sure of the compiler, libtorch and the photographs. Prints nothing and takes no time when all is there.
pub fn setup(root: &Path) -> Result<Libtorch> {
    let _lock = lock(root)?;
    check_compiler()?;
    let libtorch = Libtorch::locate(root, std::env::var_os("LIBTORCH"));
    libtorch.prepare(root)?;
    photographs::prepare(root)?;
    Ok(libtorch)
}

/// Holds off a second installation in the same repository until the file is dropped.
pub fn lock(root: &Path) -> Result<File> {
    let path = root.join("Cargo.toml");
    let file = File::open(&path).with_context(|| format!("cannot open {}", path.display()))?;
    if let Err(TryLockError::WouldBlock) = file.try_lock() {
        println!("Another set-up is running in this repository; waiting for it");
        file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
    }
    Ok(file)
}

/// The build scripts compile C++ with CXX, or `c++` where that is not set.
fn check_compiler() -> Result<()> {
    let compiler = std::env::var("CXX").unwrap_or_else(|_| "c++".into());
    if compiler_starts(&compiler) {
        return Ok(());
    }
    if let Some(other) = ["g++", "clang++"].into_iter().find(|name| starts(Command::new(name).arg("--version"))) {
        bail!("no C++ compiler named {compiler}, but {other} is here: set CXX={other}");
    }
    let how = instructions("g++", "gcc-c++", "xcode-select --install");
    bail!("no C++ compiler: `{compiler} --version` fails. {how}")
}

/// Whether the compiler that `CXX` names is there: a path, or a program after its wrapper and before its options
/// (`ccache g++ -m64`), as the build scripts read it.
fn compiler_starts(compiler: &str) -> bool {
    let mut words = compiler.split_whitespace();
    let program = words.next().unwrap_or_default();
    starts(Command::new(compiler).arg("--version")) || starts(Command::new(program).args(words).arg("--version"))
}

/// Whether `command` starts and succeeds; its output is dropped.
pub fn starts(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

/// How to get a missing program: package names for apt and dnf, a whole command for macOS.
pub fn instructions(apt: &str, dnf: &str, macos: &str) -> String {
    format!(
        "To install it:\n  Debian, Ubuntu: sudo apt install {apt}\n  Fedora: sudo dnf install {dnf}\n  macOS: {macos}"
    )
}

/// Refuses to begin what would fill the disk. Where `df` tells nothing, nothing is refused.
pub fn check_space(root: &Path, needed: u64) -> Result<()> {
    let df = Command::new("df").arg("-Pk").arg(root).output();
    let free = df.ok().and_then(|df| free_bytes(&String::from_utf8_lossy(&df.stdout)));
    let gb = |bytes: u64| bytes as f64 / 1e9;
    if let Some(free) = free {
        ensure!(
            free >= needed,
            "installing needs {:.1} GB of free disk space, {} has {:.1} GB: free some and run this again",
            gb(needed),
            root.display(),
            gb(free)
        );
    }
    Ok(())
}

/// Free space in the output of `df -Pk` (POSIX): the fourth column of the second line, in units of 1024 bytes.
fn free_bytes(df: &str) -> Option<u64> {
    let blocks: u64 = df.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()?;
    blocks.checked_mul(1024)
}

/// Runs `work` with an empty folder on the same disk as the result, so that finished files are renamed into place and
/// an interrupted installation is never taken for a whole one. The folder is removed afterwards.
pub fn in_scratch(root: &Path, work: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let scratch = root.join(".setup");
    remove(&scratch)?;
    fs::create_dir(&scratch).with_context(|| format!("cannot create {}", scratch.display()))?;
    let done = work(&scratch);
    done.and(remove(&scratch))
}

fn remove(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    Ok(())
}

/// Puts the folder `new` at `place`. What was there moves to `scratch` whole, so that no moment leaves a part of it.
pub fn replace(place: &Path, new: &Path, scratch: &Path) -> Result<()> {
    if place.exists() {
        rename(place, &scratch.join("old"))?;
    }
    rename(new, place)
}

/// `fs::rename` with an error that names both paths.
pub fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).with_context(|| format!("cannot move {} to {}", from.display(), to.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_space_is_the_fourth_column() {
        let df = "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/vda 1000 400 600 40% /\n";
        assert_eq!(free_bytes(df), Some(600 * 1024));
        assert_eq!(free_bytes("df: no such file\n"), None);
    }

    #[test]
    fn a_compiler_may_follow_its_wrapper() {
        // Any program with `--version` serves; rustc is there wherever this test is.
        assert!(compiler_starts("rustc") && compiler_starts(" rustc -v "));
        assert!(!compiler_starts("") && !compiler_starts("no-such-compiler rustc"));
    }

    #[test]
    fn failed_work_leaves_the_old_folder_and_no_scratch() {
        let root = tempfile::tempdir().unwrap();
        let place = root.path().join("place");
        let install = |text: &'static str, fail: bool| {
            let place = place.clone();
            in_scratch(root.path(), move |scratch| {
                let new = scratch.join("new");
                fs::create_dir(&new)?;
                fs::write(new.join("version"), text)?;
                ensure!(!fail, "interrupted");
                replace(&place, &new, scratch)
            })
        };
        install("1", false).unwrap();
        install("2", true).unwrap_err();
        assert_eq!(fs::read_to_string(place.join("version")).unwrap(), "1");
        install("3", false).unwrap();
        assert_eq!(fs::read_to_string(place.join("version")).unwrap(), "3");
        assert!(!root.path().join(".setup").exists());
    }
}
