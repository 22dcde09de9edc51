//! `abbe data`

mod degrade;

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
    Degrade(degrade::Arguments),
}

/// Does what the subcommand says.
///
/// # Errors
/// Those of the subcommand.
pub fn run(arguments: &Arguments) -> Result<()> {
    match &arguments.command {
        Command::Degrade(arguments) => degrade::run(arguments),
    }
}
