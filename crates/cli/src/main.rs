//! The command line: parse, call, print.

mod ascii;
mod command;
mod device;
mod guard;
mod measures;
mod method;
mod output;
mod progress;
mod stop;
mod timing;
mod validation;
mod workflow;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Super-resolution research workbench: train SRCNN and SRGAN, judge them, draw the figures, exchange weights with PyTorch.
#[derive(Parser)]
#[command(name = "abbe", version, max_term_width = 110)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Demo(command::demo::Arguments),
    Train(command::train::Arguments),
    Eval(command::eval::Arguments),
    Fetch(command::fetch::Arguments),
    Score(command::score::Arguments),
    Upscale(command::upscale::Arguments),
    Figures(command::figures::Arguments),
    Report(command::report::Arguments),
    Inspect(command::inspect::Arguments),
    Convert(command::convert::Arguments),
    Export(command::export::Arguments),
    Models(command::models::Arguments),
    Data(command::data::Arguments),
    Selfcheck(command::selfcheck::Arguments),
    /// Time what Abbe does
    #[command(subcommand)]
    Bench(Bench),
}

#[derive(Subcommand)]
enum Bench {
    Train(command::bench_train::Arguments),
    Upscale(command::bench_upscale::Arguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    stop::listen();
    guard::install();
    let result = guard::guard(|| match arguments.command {
        Command::Demo(arguments) => command::demo::run(&arguments),
        Command::Train(arguments) => command::train::run(&arguments),
        Command::Eval(arguments) => command::eval::run(&arguments),
        Command::Fetch(arguments) => command::fetch::run(&arguments),
        Command::Score(arguments) => command::score::run(&arguments),
        Command::Upscale(arguments) => command::upscale::run(&arguments),
        Command::Figures(arguments) => command::figures::run(&arguments),
        Command::Report(arguments) => command::report::run(&arguments),
        Command::Inspect(arguments) => command::inspect::run(&arguments),
        Command::Convert(arguments) => command::convert::run(&arguments),
        Command::Export(arguments) => command::export::run(&arguments),
        Command::Models(arguments) => command::models::run(&arguments),
        Command::Data(arguments) => command::data::run(&arguments),
        Command::Selfcheck(arguments) => command::selfcheck::run(&arguments),
        Command::Bench(Bench::Train(arguments)) => command::bench_train::run(&arguments),
        Command::Bench(Bench::Upscale(arguments)) => command::bench_upscale::run(&arguments),
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            if stop::requested() { ExitCode::from(130) } else { ExitCode::FAILURE }
        }
    }
}
