//! Set-up and the tasks of this repository, called as `cargo xtask TASK`.
//!
//! Never links libtorch, so that it compiles in seconds on a machine that has nothing yet.

mod libtorch;
mod photographs;
mod python;
mod setup;
mod tasks;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;

/// Set-up and the tasks of this repository.
#[derive(Parser)]
#[command(bin_name = "cargo xtask", after_help = "Example: cargo xtask demo --out runs/first")]
enum Task {
    /// Install libtorch into .libtorch/ and sample photographs into photographs/; does nothing when they are there
    ///
    /// Needs a C++ compiler, Python 3.10 or newer, and pip or uv. A LIBTORCH of your own is used instead of .libtorch/.
    #[command(after_help = "Example: cargo xtask setup")]
    Setup,
    /// Build `abbe` and run `abbe demo`: train, evaluate and draw figures on the sample photographs
    #[command(after_help = "Example: cargo xtask demo --out runs/first")]
    Demo {
        /// Passed on to `abbe demo`, which runs in the root of the repository
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// Check formatting, run clippy with warnings denied, run every test
    #[command(after_help = "Example: cargo xtask test psnr")]
    Test {
        /// Passed on to `cargo test --workspace`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// Kill small trainings in each precision again and again, also while they save, and compare what they go on to, bit for bit
    #[command(after_help = "Example: cargo xtask kill --times 20")]
    Kill {
        /// How often each is killed
        #[arg(long, default_value_t = 20)]
        times: u32,
    },
}

fn main() -> ExitCode {
    match run(Task::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<()> {
    let root = root()?;
    let libtorch = setup::setup(&root)?;
    match task {
        Task::Setup => {
            println!("libtorch {}: {}", libtorch::VERSION, libtorch.dir.display());
            println!("photographs: {}", root.join(photographs::FOLDER).display());
            Ok(())
        }
        Task::Demo { args } => tasks::demo(&root, &libtorch, &args),
        Task::Test { args } => tasks::test(&root, &libtorch, &args),
        Task::Kill { times } => tasks::kill(&root, &libtorch, times),
    }
}

/// The root of the repository: cargo names this crate's folder to the programs that it runs.
fn root() -> Result<PathBuf> {
    let crate_dir = std::env::var_os("CARGO_MANIFEST_DIR").context("run this program as `cargo xtask`")?;
    let crate_dir = PathBuf::from(crate_dir);
    Ok(crate_dir.parent().context("CARGO_MANIFEST_DIR has no parent folder")?.to_path_buf())
}
