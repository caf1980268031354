//! The `spillway` binary: see `spillway --help`.

use std::process::ExitCode;

use clap::Parser as _;
use spillway::{cli::Cli, commands};

fn main() -> ExitCode {
    match commands::run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("spillway: {}", commands::explain(&error));
            ExitCode::FAILURE
        }
    }
}
