//! The options of `spillway-loadtest run`.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use url::Url;

use super::publisher::Plan;
use crate::media::file::File;
use crate::media::mark::MAX_PUBLISHERS;
use crate::media::source::{Codec, LayerPlan, PicturePlan};
use crate::sources;
use crate::units::{rate, time};

/// Simulcast layers at most, as the mark can tell them apart.
const MOST_LAYERS: usize = 6;
const MOST_VIEWERS: usize = 100_000;

/// Publishes to a WHIP server and watches over WHEP, counts every packet, and reports.
#[derive(Args, Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
pub struct Options {
    /// The server, such as `http://127.0.0.1:8080`. `{channel}` may stand in the paths below.
    #[arg(long, default_value = "http://127.0.0.1:8080", value_parser = parse_server)]
    pub server: Url,
    /// Where a channel is published.
    #[arg(long, default_value = "/whip/{channel}")]
    pub whip_path: String,
    /// Where a channel is watched.
    #[arg(long, default_value = "/whep/{channel}")]
    pub whep_path: String,
    /// Token to publish and watch with, also where the server redirects to; for several channels on Spillway an admin token.
    #[arg(long, env = "SPILLWAY_LOADTEST_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
    /// Name of the channel; with several channels they are named NAME-0, NAME-1, …
    #[arg(long, default_value = "load")]
    pub channel: String,
    /// Channels, each with a publisher.
    #[arg(long, default_value_t = 1)]
    pub channels: usize,
    /// Only watch: something else publishes. Of latency and loss nothing is known, unless that is this load test too.
    #[arg(long)]
    pub only_watch: bool,

    /// Viewers of each channel.
    #[arg(long, default_value_t = 100)]
    pub viewers: usize,
    /// Viewers of each channel, step by step: at each they join, settle and are measured. 100,200,500,1000
    #[arg(long, value_delimiter = ',', conflicts_with = "viewers")]
    pub steps: Vec<usize>,
    /// Sessions begun each second.
    #[arg(long, default_value_t = 50.0)]
    pub rate: f64,
    /// From the last join to the measured window, in each step.
    #[arg(long, default_value = "5s", value_parser = time)]
    pub settle: Duration,
    /// The measured window, of each step.
    #[arg(long, default_value = "30s", value_parser = time)]
    pub duration: Duration,
    /// Each viewer stays so long, give or take a half, and another comes in its place.
    #[arg(long, value_parser = time)]
    pub churn: Option<Duration>,
    /// Share of the viewers who leave without a word.
    #[arg(long, default_value_t = 0.0, requires = "churn")]
    pub vanish: f64,
    /// All viewers leave and come back at once, this often.
    #[arg(long, value_parser = time)]
    pub storm: Option<Duration>,
    /// After all viewers have left: how long the server's memory is looked at.
    #[arg(long, default_value = "5s", value_parser = time)]
    pub linger: Duration,

    /// A file with H.264 (annex B, no B pictures) whose pictures are sent at --fps, over and over from its first keyframe.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["only_watch", "video", "bitrate", "size", "gop", "key_factor"])]
    pub file: Option<PathBuf>,
    /// How pictures are coded.
    #[arg(long, value_enum, default_value = "h264")]
    pub video: Codec,
    /// Bitrate of each simulcast layer, the best first: 2.5mbit or 2.5mbit,1mbit,300kbit.
    #[arg(long, default_value = "2.5mbit", value_delimiter = ',', value_parser = rate)]
    pub bitrate: Vec<u64>,
    /// Pictures a second.
    #[arg(long, default_value_t = 30.0)]
    pub fps: f64,
    /// Width and height of the best layer; each further one has half.
    #[arg(long, default_value = "1280x720", value_parser = parse_size)]
    pub size: (u32, u32),
    /// From keyframe to keyframe.
    #[arg(long, default_value = "2s", value_parser = time)]
    pub gop: Duration,
    /// How many times the mean picture a keyframe has.
    #[arg(long, default_value_t = 6.0)]
    pub key_factor: f64,
    /// Publishers send no keyframe that was asked for, as OBS.
    #[arg(long)]
    pub ignore_pli: bool,
    /// A picture's packets leave over so much time; 0: at once.
    #[arg(long, default_value = "0ms", value_parser = time)]
    pub spread: Duration,
    /// Bitrate of the sound; 0: none.
    #[arg(long, default_value = "64kbit", value_parser = parse_rate_or_none)]
    pub audio: u64,

    /// Viewers open a data channel.
    #[arg(long)]
    pub data_channel: bool,
    /// Viewers whose packets are opened wholly and checked; of the others only the marks are read.
    #[arg(long, default_value_t = 5)]
    pub verify: usize,
    /// Each viewer comes from an address of this network, such as 127.1.0.0/16; by default that one if the server is on
    /// loopback, else the system's choice.
    #[arg(long)]
    pub sources: Option<ipnet::IpNet>,
    /// Takes datagrams one by one, without `UDP_GRO`. Makes the server's sending on loopback dearer.
    #[arg(long)]
    pub no_gro: bool,
    /// Process of the server on this machine: its CPU time, memory and context switches are looked at.
    #[arg(long)]
    pub server_pid: Option<u32>,

    /// Afterwards measures what the machine itself takes to send such bursts, on the server's cores, to compare with.
    #[arg(long, requires = "server_pid")]
    pub floor: bool,

    /// Writes the result as JSON.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Writes the result as an HTML page with plots.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Draws the result as SVG for white and black pages: against viewers with --steps, else against time.
    #[arg(long, value_name = "FILE")]
    pub plot: Option<PathBuf>,
}

/// Options that make no sense together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct OptionsError(String);

impl Options {
    /// Says what is wrong with them, if something is.
    pub fn check(&self) -> Result<(), OptionsError> {
        let problem = |what: &str| Err(OptionsError(what.to_owned()));
        if self.channels == 0 || self.channels > MAX_PUBLISHERS {
            return problem("--channels must be from 1 to 16384");
        }
        if self.most_viewers() > MOST_VIEWERS {
            return problem("there can be 100000 viewers in all; lower --viewers or --channels");
        }
        if self.steps.contains(&0) || !self.steps.is_sorted_by(|a, b| a < b) {
            return problem("--steps must grow, as 100,200,500");
        }
        if self.only_watch && self.most_viewers() == 0 {
            return problem("--only-watch with --viewers 0 does nothing");
        }
        if !(0.01..=100_000.0).contains(&self.rate) {
            return problem("--rate must be from 0.01 to 100000 sessions a second");
        }
        if !(1.0..=240.0).contains(&self.fps) {
            return problem("--fps must be from 1 to 240");
        }
        if !(1.0..=100.0).contains(&self.key_factor) {
            return problem("--key-factor must be from 1 to 100");
        }
        if self.bitrate.is_empty() || self.bitrate.len() > MOST_LAYERS {
            return problem("--bitrate takes 1 to 6 layers");
        }
        if self
            .bitrate
            .iter()
            .any(|rate| !(10_000..=200_000_000).contains(rate))
        {
            return problem("--bitrate must be from 10kbit to 200mbit");
        }
        if self.audio > 510_000 {
            return problem("--audio can be 510kbit at most, as Opus is");
        }
        if !(0.0..=1.0).contains(&self.vanish) {
            return problem("--vanish is a share from 0 to 1");
        }
        if self.gop.is_zero() || self.duration.is_zero() {
            return problem("--gop and --duration must be more than 0");
        }
        if self.spread.as_secs_f64() > 1.0 / self.fps {
            return problem("--spread must be shorter than the time between two pictures");
        }
        if self
            .churn
            .is_some_and(|stay| stay < Duration::from_millis(500))
        {
            return problem("--churn must be at least 500ms: viewers have to join in it");
        }
        if self
            .storm
            .is_some_and(|every| every < Duration::from_secs(1))
        {
            return problem("--storm must be at least 1s");
        }
        Ok(())
    }

    /// Viewers of each channel, step by step.
    pub fn steps(&self) -> &[usize] {
        if self.steps.is_empty() {
            std::slice::from_ref(&self.viewers)
        } else {
            &self.steps
        }
    }

    /// Viewers of all channels in the last step.
    pub fn most_viewers(&self) -> usize {
        let last = self.steps().last().copied().unwrap_or_default();
        last.saturating_mul(self.channels)
    }

    /// The name of a channel.
    pub fn channel_name(&self, number: usize) -> String {
        if self.channels == 1 {
            self.channel.clone()
        } else {
            format!("{}-{number}", self.channel)
        }
    }

    /// The URL that channel `number` is published at (`whip`) or watched at.
    pub fn endpoint(&self, number: usize, whip: bool) -> Result<Url, OptionsError> {
        let path = if whip {
            &self.whip_path
        } else {
            &self.whep_path
        };
        let path = path.replace("{channel}", &self.channel_name(number));
        self.server
            .join(&path)
            .map_err(|error| OptionsError(format!("{path} is no path: {error}")))
    }

    /// What each publisher sends, of a file if there is one.
    pub fn plan(&self, file: Option<Arc<File>>) -> Plan {
        let layers = self.bitrate.iter().enumerate().map(|(layer, &bitrate)| {
            let (width, height) = self.size;
            LayerPlan {
                bitrate,
                size: ((width >> layer).max(16), (height >> layer).max(16)),
            }
        });
        Plan {
            pictures: PicturePlan {
                codec: self.video,
                rate: self.fps,
                group: self.gop,
                key_factor: self.key_factor,
                layers: layers.collect(),
                honours_requests: !self.ignore_pli,
            },
            file,
            sound: self.audio,
            spread: self.spread,
        }
    }

    /// The address that peer `number` comes from.
    pub fn source(&self, number: usize) -> Option<IpAddr> {
        sources::address(&self.server, self.sources, number)
    }
}

fn parse_server(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    if url.scheme() != "http" || !url.has_host() {
        Err("must be http://HOST:PORT; for TLS put the load test beside the server".to_owned())
    } else if url.path() != "/" || url.query().is_some() {
        Err("must be without a path: that goes into --whip-path and --whep-path".to_owned())
    } else {
        Ok(url)
    }
}

fn parse_size(text: &str) -> Result<(u32, u32), String> {
    let parsed = text.split_once('x').and_then(|(width, height)| {
        let (width, height) = (width.parse().ok()?, height.parse().ok()?);
        let sound = |side: u32| (16..=8_192).contains(&side) && side.is_multiple_of(2);
        (sound(width) && sound(height)).then_some((width, height))
    });
    parsed.ok_or_else(|| "must be WIDTHxHEIGHT, both even and from 16 to 8192".to_owned())
}

fn parse_rate_or_none(text: &str) -> Result<u64, String> {
    if text == "0" {
        return Ok(0);
    }
    rate(text).map_err(|error| error.to_string())
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

    fn parse(text: &str) -> Result<Options, String> {
        let words = std::iter::once("run").chain(text.split_whitespace());
        let cli = Cli::try_parse_from(words).map_err(|error| error.to_string())?;
        cli.options.check().map_err(|error| error.to_string())?;
        Ok(cli.options)
    }

    #[test]
    fn viewers_are_one_step() {
        assert_eq!(parse("--viewers 7 --channels 2").unwrap().steps(), [7]);
        let ramp = parse("--steps 10,20,50 --channels 2").unwrap();
        assert_eq!(
            (ramp.steps(), ramp.most_viewers()),
            (&[10, 20, 50][..], 100)
        );
    }

    #[test]
    fn steps_grow() {
        for wrong in [
            "--steps 0,5",
            "--steps 5,5",
            "--steps 9,5",
            "--steps 5,100001",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        assert!(parse("--steps 5 --viewers 5").is_err());
    }
}
