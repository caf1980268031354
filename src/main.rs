//! The `spillway` binary: see `spillway --help`.

use std::process::ExitCode;

use clap::Parser as _;
use spillway::{cli::Cli, commands};

/// Gives memory of viewers who left back to the system, which glibc's allocator doesn't: what others still use lies between.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    match commands::run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("spillway: {}", commands::explain(&error));
            ExitCode::FAILURE
        }
    }
}
