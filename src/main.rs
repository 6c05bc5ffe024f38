//! `lookout`: tell a camera, in words, what to look out for.

use std::process::ExitCode;

use clap::Parser;
use lookout::cli::Command;

/// Tell a camera, in words, what to look out for.
#[derive(Parser)]
#[command(name = "lookout", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    match Arguments::parse().command.run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("lookout: {error:#}");
            ExitCode::FAILURE
        }
    }
}
