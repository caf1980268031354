//! The command `spillway-loadtest`.

use clap::{Parser, Subcommand};
use spillway_loadtest::link;

/// Load and network conditions for testing Spillway.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Joins two network namespaces by a link with loss, delay and a limited rate.
    Link(link::Options),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Link(options) => link::run(options).await,
    }
}
