//! The command `spillway-loadtest`.

use clap::{Parser, Subcommand};
use spillway_loadtest::{chat, floor, hls, link, load};

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
    Link(Box<link::Options>),
    /// Publishes to a WHIP server and watches over WHEP, counts every packet, and reports.
    Run(Box<load::Options>),
    /// Plays low-latency HLS with many clients, and counts stalls, latency and bytes.
    Hls(Box<hls::Options>),
    /// Talks in a channel's chat with many clients, and checks that each hears everything once, in one order.
    Chat(Box<chat::Options>),
    /// Measures what rewriting, sealing and sending a packet costs on this machine, in a bare loop.
    Floor(floor::Options),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Chat(options) => chat::run(*options).await,
        Command::Link(options) => link::run(*options).await,
        Command::Floor(options) => floor::run(&options),
        Command::Hls(options) => hls::run(*options).await,
        Command::Run(options) => load::run(*options).await,
    }
}
