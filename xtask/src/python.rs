//! The Python interpreter, and installing packages with it into a folder of this repository.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, anyhow, bail, ensure};

use crate::setup::{instructions, starts};
use crate::tasks::step;

/// The lowest version for which torch has a package.
const LOWEST: (u32, u32) = (3, 10);

/// What is asked of an interpreter: its version, its full path, the ending of compiled modules.
const QUESTION: &str = "import sys, sysconfig; print(sys.version_info[0], sys.version_info[1]); \
                        print(sys.executable); print(sysconfig.get_config_var('EXT_SUFFIX'))";

/// A Python interpreter that is new enough.
#[derive(Debug, PartialEq)]
pub struct Python {
    /// Full path of the program.
    pub program: PathBuf,
    /// Major and minor version.
    pub version: (u32, u32),
    /// How compiled modules for it end, such as `.cpython-312-x86_64-linux-gnu.so`.
    pub module_suffix: String,
}

/// Finds `python3`, or the program that ABBE_PYTHON names.
pub fn find() -> Result<Python> {
    let name = std::env::var_os("ABBE_PYTHON").unwrap_or_else(|| "python3".into());
    let answer = Command::new(&name).args(["-c", QUESTION]).output();
    let python = answer.ok().and_then(|answer| parse(&String::from_utf8_lossy(&answer.stdout)));
    let how = instructions("python3 python3-pip", "python3 python3-pip", "brew install python");
    let Some(python) = python else {
        bail!("no Python: `{}` does not run. {how}", name.display());
    };
    let (major, minor) = python.version;
    ensure!(
        python.version >= LOWEST,
        "{} is Python {major}.{minor}; 3.10 or newer is needed. {how}\n  \
         or name a newer one that is already here: ABBE_PYTHON=/path/to/python3",
        python.program.display()
    );
    Ok(python)
}

fn parse(answer: &str) -> Option<Python> {
    let mut lines = answer.lines();
    let (major, minor) = lines.next()?.split_once(' ')?;
    Some(Python {
        version: (major.parse().ok()?, minor.parse().ok()?),
        program: lines.next()?.into(),
        module_suffix: lines.next()?.to_string(),
    })
}

impl Python {
    /// Installs what `arguments` name into the folder `target`, with uv if it is there and pip otherwise.
    /// Temporary files go to `scratch`: the system's folder for them may be too small for libtorch.
    pub fn install(&self, arguments: &[&str], target: &Path, scratch: &Path) -> Result<()> {
        let mut command = self.installer()?;
        command.arg("--target").arg(target).args(arguments).env("TMPDIR", scratch);
        // Settings that protect the user's own packages; they would refuse --target, which touches none of those.
        command.envs([("PIP_USER", "0"), ("PIP_REQUIRE_VIRTUALENV", "0"), ("PIP_ROOT_USER_ACTION", "ignore")]);
        let (major, minor) = self.version;
        step(&mut command).map_err(|error| {
            anyhow!(
                "{error:#}. The installer says why above. Usual causes:\n  \
                 no network: try again with one; behind a proxy set HTTPS_PROXY, with a package index of your own \
                 PIP_INDEX_URL (for uv: UV_DEFAULT_INDEX)\n  \
                 no package for Python {major}.{minor}: name another Python with ABBE_PYTHON=/path/to/python3"
            )
        })
    }

    /// The command that installs packages, up to its arguments.
    fn installer(&self) -> Result<Command> {
        if starts(Command::new("uv").arg("--version")) {
            let mut uv = Command::new("uv");
            uv.args(["pip", "install", "--python"]).arg(&self.program);
            return Ok(uv);
        }
        ensure!(
            starts(Command::new(&self.program).args(["-m", "pip", "--version"])),
            "no pip and no uv: `{} -m pip --version` fails. {}",
            self.program.display(),
            instructions("python3-pip", "python3-pip", "python3 -m ensurepip")
        );
        let mut pip = Command::new(&self.program);
        pip.args(["-m", "pip", "install", "--disable-pip-version-check"]);
        Ok(pip)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answer_of_an_interpreter_is_parsed() {
        let python = parse("3 12\n/usr/bin/python3\n.cpython-312-x86_64-linux-gnu.so\n").unwrap();
        assert_eq!(python.version, (3, 12));
        assert_eq!(python.program, Path::new("/usr/bin/python3"));
        assert_eq!(python.module_suffix, ".cpython-312-x86_64-linux-gnu.so");
        assert!(python.version >= LOWEST && (3, 9) < LOWEST);
        assert_eq!(parse(""), None);
        assert_eq!(parse("3 x\n/usr/bin/python3\n.so\n"), None);
    }
}
