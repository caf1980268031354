//! The options of `spillway-loadtest chat`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use url::Url;

use super::log::MOST_ENTRIES;
use super::taps;
use crate::units::time;

const MOST_VIEWERS: usize = 20_000;
/// Messages a second of one writer: the server reads no more than 50 frames a second of one client.
const MOST_OF_ONE: f64 = 40.0;

/// By which way clients talk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Transport {
    /// As those without a peer connection do.
    Websocket,
    /// On data channels of a WHEP session, which has sound beside them.
    Datachannel,
}

impl Transport {
    /// For people to read.
    pub fn name(self) -> &'static str {
        match self {
            Self::Websocket => "WebSockets",
            Self::Datachannel => "data channels",
        }
    }
}

/// Talks in a channel's chat with many clients, and checks that each hears everything once, in one order.
#[derive(Args, Debug, Clone)]
pub struct Options {
    /// The node: `http://127.0.0.1:8080`.
    #[arg(long)]
    pub url: Url,
    /// The channel, which must exist.
    #[arg(long, default_value = "demo")]
    pub channel: String,
    /// Clients, all of whom listen.
    #[arg(long, default_value_t = 100)]
    pub viewers: usize,
    /// How they are connected.
    #[arg(long, value_enum, default_value_t = Transport::Websocket)]
    pub transport: Transport,
    /// Clients who write as well.
    #[arg(long, default_value_t = 20)]
    pub writers: usize,
    /// Messages a second of all writers together.
    #[arg(long, default_value_t = 20.0)]
    pub rate: f64,
    /// Taps a second of all clients together, told as reactions.
    #[arg(long, default_value_t = 0.0)]
    pub taps: f64,
    /// Clients that join each second.
    #[arg(long, default_value_t = 200.0)]
    pub join_rate: f64,
    /// From the last joining to the first message.
    #[arg(long, default_value = "1s", value_parser = time)]
    pub settle: Duration,
    /// For how long messages are written: the measured window.
    #[arg(long, default_value = "10s", value_parser = time)]
    pub duration: Duration,
    /// How long clients may take at the end to hear what was written, and to be answered.
    #[arg(long, default_value = "10s", value_parser = time)]
    pub linger: Duration,
    /// Token that each client says hello with.
    #[arg(long, env = "SPILLWAY_LOADTEST_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
    /// Each client comes from an address of this network; without, on loopback, from one of 127.1.0.0/16.
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
        "--url must be http://HOST:PORT: run the load test beside the server, or before a proxy that takes TLS off"
    )]
    Url,
    /// Not a channel's name.
    #[error("--channel is 1 to 64 letters, digits, _ and -")]
    Channel,
    /// Nobody listens, or too many.
    #[error("--viewers is 1 to {MOST_VIEWERS}")]
    Viewers,
    /// More write than there are.
    #[error("--writers is at most --viewers")]
    Writers,
    /// Not a rate, or too much of one writer.
    #[error("--rate is 0 to {MOST_OF_ONE} for each of --writers")]
    Rate,
    /// Not a rate, or too much of one client.
    #[error("--taps is 0 to {} for each of --viewers", taps::MOST_A_SECOND)]
    Taps,
    /// Nobody ever joins.
    #[error("--join-rate is above 0")]
    JoinRate,
    /// There's nothing to measure in no time.
    #[error("--duration is a second at least")]
    Duration,
    /// More than can be remembered.
    #[error(
        "--rate and --duration make more than {MOST_ENTRIES} messages: not all could be checked"
    )]
    TooMany,
}

impl Options {
    /// Whether they make sense.
    pub fn check(&self) -> Result<(), OptionsError> {
        let is_rate = |rate: f64, of: usize, most: f64| (0.0..=most * of as f64).contains(&rate);
        let is_name = (1..=64).contains(&self.channel.len())
            && self
                .channel
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
        let problem = if self.url.scheme() != "http" || !self.url.has_host() {
            OptionsError::Url
        } else if !is_name {
            OptionsError::Channel
        } else if !(1..=MOST_VIEWERS).contains(&self.viewers) {
            OptionsError::Viewers
        } else if self.writers > self.viewers {
            OptionsError::Writers
        } else if !is_rate(self.rate, self.writers, MOST_OF_ONE) {
            OptionsError::Rate
        } else if !is_rate(self.taps, self.viewers, taps::MOST_A_SECOND) {
            OptionsError::Taps
        } else if !(self.join_rate.is_finite() && self.join_rate > 0.0) {
            OptionsError::JoinRate
        } else if self.duration < Duration::from_secs(1) {
            OptionsError::Duration
        } else if self.rate * self.duration.as_secs_f64() > MOST_ENTRIES as f64 {
            OptionsError::TooMany
        } else {
            return Ok(());
        };
        Err(problem)
    }

    /// For people to read.
    pub fn to_text(&self) -> String {
        let Self {
            viewers,
            writers,
            rate,
            taps,
            ..
        } = self;
        let transport = self.transport.name();
        format!(
            "{viewers} clients by {transport}, {writers} of them write {rate} messages a second, {taps} taps a second"
        )
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        options: Options,
    }

    fn check(text: &str) -> Result<(), OptionsError> {
        let words = ["chat", "--url", "http://127.0.0.1:1"];
        let words = words.into_iter().chain(text.split_whitespace());
        Cli::try_parse_from(words).unwrap().options.check()
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        assert_eq!(check(""), Ok(()));
        assert_eq!(check("--viewers 500 --rate 1000 --writers 50"), Ok(()));
        assert_eq!(check("--viewers 0"), Err(OptionsError::Viewers));
        assert_eq!(check("--viewers 5"), Err(OptionsError::Writers));
        assert_eq!(check("--writers 2 --rate 81"), Err(OptionsError::Rate));
        assert_eq!(check("--rate NaN"), Err(OptionsError::Rate));
        assert_eq!(check("--taps 50001"), Err(OptionsError::Taps));
        assert_eq!(check("--join-rate 0"), Err(OptionsError::JoinRate));
        assert_eq!(check("--duration 1ms"), Err(OptionsError::Duration));
        assert_eq!(check("--duration 9999999s"), Err(OptionsError::TooMany));
        assert_eq!(check("--channel a/b"), Err(OptionsError::Channel));
        let https = Cli::try_parse_from(["chat", "--url", "https://a"]).unwrap();
        assert_eq!(https.options.check(), Err(OptionsError::Url));
    }
}
