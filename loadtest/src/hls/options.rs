//! The options of `spillway-loadtest hls`.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use url::Url;

use super::playlist::Wish;
use crate::units::time;

const MOST_CLIENTS: usize = 20_000;

/// Plays low-latency HLS with many clients, and counts stalls, latency and bytes.
#[derive(Args, Debug, Clone)]
pub struct Options {
    /// The multivariant playlist: `http://127.0.0.1:8080/hls/demo/index.m3u8`.
    #[arg(long)]
    pub url: Url,
    /// Players.
    #[arg(long, default_value_t = 100)]
    pub clients: usize,
    /// Players begun each second.
    #[arg(long, default_value_t = 50.0)]
    pub rate: f64,
    /// From the last beginning to the measured window.
    #[arg(long, default_value = "5s", value_parser = time)]
    pub settle: Duration,
    /// The measured window.
    #[arg(long, default_value = "30s", value_parser = time)]
    pub duration: Duration,
    /// What is played, with its sound: `lowest`, `highest`, or a rendition's directory such as `360p`.
    #[arg(long, default_value = "lowest")]
    pub rendition: Wish,
    /// Parts are asked for when they're listed, not when they're hinted.
    #[arg(long)]
    pub no_hints: bool,
    /// Token to watch with.
    #[arg(long, env = "SPILLWAY_LOADTEST_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
    /// Each player comes from an address of this network, such as 127.1.0.0/16; without, from the system's choice.
    #[arg(long)]
    pub sources: Option<ipnet::IpNet>,
    /// The server's process, if it is on this machine: its CPU and memory are part of the report.
    #[arg(long)]
    pub server_pid: Option<u32>,
    /// Writes the report as JSON.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// Options that make no sense together or by themselves.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum OptionsError {
    /// TLS isn't spoken.
    #[error(
        "only http:// is spoken: run the load test beside the server, or before a proxy that takes TLS off"
    )]
    Scheme,
    /// Nobody plays, or too many.
    #[error("--clients is 1 to {MOST_CLIENTS}")]
    Clients,
    /// Nobody ever begins.
    #[error("--rate is above 0")]
    Rate,
    /// There's nothing to measure in no time.
    #[error("--duration is a second at least")]
    Duration,
}

impl Options {
    /// Whether they make sense.
    pub fn check(&self) -> Result<(), OptionsError> {
        if self.url.scheme() != "http" {
            return Err(OptionsError::Scheme);
        }
        if !(1..=MOST_CLIENTS).contains(&self.clients) {
            return Err(OptionsError::Clients);
        }
        if !(self.rate.is_finite() && self.rate > 0.0) {
            return Err(OptionsError::Rate);
        }
        if self.duration < Duration::from_secs(1) {
            return Err(OptionsError::Duration);
        }
        Ok(())
    }

    /// The address that a player comes from.
    pub fn source(&self, player: usize) -> Option<IpAddr> {
        let network = self.sources?;
        // More addresses than players aren't needed.
        let count = network.hosts().take(MOST_CLIENTS).count();
        network.hosts().nth(player % count.max(1))
    }
}
