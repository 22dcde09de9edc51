//! `abbe data`

mod check;

use anyhow::Result;

/// Look after pictures before they are used
#[derive(clap::Subcommand)]
pub enum Command {
    Check(check::Arguments),
}

/// Runs the one that was asked for.
///
/// # Errors
/// Its own.
pub fn run(command: &Command) -> Result<()> {
    match command {
        Command::Check(arguments) => check::run(arguments),
    }
}
