//! The tasks `demo`, `test` and `kill`.

use std::ffi::OsString;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

use crate::libtorch::Libtorch;
use crate::python::{self, Python};
use crate::setup;

/// Becomes `abbe demo ARGS`, built for release: its exit status is this program's, and Ctrl-C reaches it directly.
/// Returns only if cargo cannot be started.
pub fn demo(root: &Path, libtorch: &Libtorch, args: &[OsString]) -> Result<()> {
    let mut cargo = libtorch.cargo(root);
    cargo.args(["run", "--release", "--package", "abbe", "--", "demo"]).args(args);
    Err(cargo.exec()).with_context(|| format!("cannot start {cargo:?}"))
}

/// Formatting, lints and tests, Python interop among them; stops at the first that fails. `args` go to `cargo test`.
pub fn test(root: &Path, libtorch: &Libtorch, args: &[OsString]) -> Result<()> {
    let start = Instant::now();
    let python = python::find()?;
    let python_path = python_path(libtorch, &python, prepare_packages(root, &python)?)?;
    step(libtorch.cargo(root).args(["fmt", "--all", "--check"]))?;
    step(libtorch.cargo(root).args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    let mut tests = libtorch.cargo(root);
    tests.args(["test", "--workspace"]).args(args);
    tests.env("ABBE_PYTHON", &python.program).env("ABBE_PYTHONPATH", python_path);
    step(&mut tests)?;
    println!("All passed in {:.0} s", start.elapsed().as_secs_f64());
    Ok(())
}

/// The tests that kill trainings, which `test` runs too, with so many kills each.
pub fn kill(root: &Path, libtorch: &Libtorch, times: u32) -> Result<()> {
    let mut tests = libtorch.cargo(root);
    tests.args(["test", "--workspace", "--test", "abbe", "--", "resume::"]);
    step(tests.env("ABBE_KILLS", times.to_string()))
}

/// Runs `command` and prints it with the time it took; an error names the command.
pub fn step(command: &mut Command) -> Result<()> {
    let line = line_of(command);
    println!("==> {line}");
    let start = Instant::now();
    let status = command.status().with_context(|| format!("cannot start `{line}`"))?;
    ensure!(status.success(), "`{line}` failed ({status})");
    println!("    {:.1} s", start.elapsed().as_secs_f64());
    Ok(())
}

/// A command as one would type it: the program without its folder, then the arguments.
fn line_of(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let words = program.file_name().into_iter().chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// Installs what `tests/python/requirements.txt` lists into `.python/` and returns that folder. A copy of the list, with
/// the version of Python, is written last: while it matches, there is nothing to do.
fn prepare_packages(root: &Path, python: &Python) -> Result<PathBuf> {
    let _lock = setup::lock(root)?;
    let list = root.join("tests/python/requirements.txt");
    let place = root.join(".python");
    let wanted = fs::read_to_string(&list).with_context(|| format!("cannot read {}", list.display()))?;
    let wanted = format!("{wanted}# {}\n", python.module_suffix);
    if fs::read_to_string(place.join("installed.txt")).is_ok_and(|installed| installed == wanted) {
        return Ok(place);
    }
    println!("Installing the Python packages of {} into {}", list.display(), place.display());
    setup::in_scratch(root, |scratch| {
        let new = scratch.join("python");
        let list = list.to_str().context("the path of this repository is not UTF-8")?;
        python.install(&["--quiet", "--no-deps", "--requirement", list], &new, scratch)?;
        fs::write(new.join("installed.txt"), wanted).context("cannot write .python/installed.txt")?;
        setup::replace(&place, &new, scratch)
    })?;
    Ok(place)
}

/// Where the interop tests import from: torch beside libtorch, then `packages`.
fn python_path(libtorch: &Libtorch, python: &Python, packages: PathBuf) -> Result<OsString> {
    let mut folders = vec![packages];
    match libtorch.python_path() {
        None => {
            println!("LIBTORCH has no Python part: the interop tests use the torch of {}", python.program.display())
        }
        Some(folder) => {
            let module = folder.join(format!("torch/_C{}", python.module_suffix));
            if !module.is_file() {
                bail!(
                    "the torch in {} was installed for another Python than {} (there is no {}). Name that Python with \
                     ABBE_PYTHON=/path/to/python3, or delete the folder and run `cargo xtask setup`",
                    folder.display(),
                    python.program.display(),
                    module.display()
                );
            }
            folders.insert(0, folder.to_path_buf());
        }
    }
    std::env::join_paths(folders).context("the path of this repository contains a colon")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_step_names_its_command() {
        let error = step(Command::new("sh").args(["-c", "exit 3"])).unwrap_err().to_string();
        assert!(error.contains("`sh -c exit 3` failed") && error.contains('3'), "{error}");
        let error = step(&mut Command::new("no-such-program")).unwrap_err().to_string();
        assert!(error.contains("cannot start `no-such-program`"), "{error}");
    }
}
