//! `abbe data`

mod bench;
mod check;
mod degrade;
mod prepare;

use anyhow::Result;
use clap::Subcommand;

/// Make and look at training data
#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Prepare(prepare::Arguments),
    Check(check::Arguments),
    Degrade(degrade::Arguments),
    Bench(bench::Arguments),
}

/// Does what the subcommand says.
///
/// # Errors
/// Those of the subcommand.
pub fn run(arguments: &Arguments) -> Result<()> {
    match &arguments.command {
        Command::Prepare(arguments) => prepare::run(arguments),
        Command::Check(arguments) => check::run(arguments),
        Command::Degrade(arguments) => degrade::run(arguments),
        Command::Bench(arguments) => bench::run(arguments),
    }
}
