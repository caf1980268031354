//! The command line: what can be asked of the `spillway` binary.

use std::{ffi::OsString, net::IpAddr, net::SocketAddr, path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand};
use spillway_signaling::ChannelName;

use crate::config::{Config, ConfigError, LogFormat, listen_address};

/// WebRTC-first live streaming: WHIP in, WHEP out.
#[derive(Debug, Parser)]
#[command(name = "spillway", version, about, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the binary can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a node.
    Serve(Serve),
    /// Make, list and revoke tokens: the keys of publishers, viewers, moderators, sidecars and administrators.
    Token(Token),
    /// Validate a configuration.
    CheckConfig(Source),
    /// Test whether a node could run here: ports, directories, the system.
    Doctor(Source),
}

/// Where the configuration comes from; flags override variables, which override the file.
#[derive(Debug, Default, Args)]
pub struct Source {
    /// Configuration file; the defaults without one.
    #[arg(long, env = "SPILLWAY_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Directory of the database and the signing key [default: ./data].
    #[arg(long, env = "SPILLWAY_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Address and port of pages, API, WHIP and WHEP [default: 0.0.0.0:8080].
    #[arg(long, env = "SPILLWAY_HTTP", value_name = "ADDRESS", value_parser = listen_address)]
    pub http: Option<SocketAddr>,
    /// First UDP and TCP port of media [default: 8189].
    #[arg(long, env = "SPILLWAY_MEDIA_PORT", value_name = "PORT")]
    pub media_port: Option<u16>,
    /// All media workers share one port.
    #[arg(long, env = "SPILLWAY_SINGLE_PORT")]
    pub single_port: bool,
    /// Media workers [default: one per CPU core].
    #[arg(long, env = "SPILLWAY_WORKERS", value_name = "N")]
    pub workers: Option<u16>,
    /// Address that clients are told, for nodes behind NAT; may be given several times.
    #[arg(
        long,
        env = "SPILLWAY_ANNOUNCE",
        value_name = "IP",
        value_delimiter = ','
    )]
    pub announce: Vec<IpAddr>,
    /// PEM file with the certificate chain: serves HTTPS.
    #[arg(long, env = "SPILLWAY_TLS_CERT", value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
    /// PEM file with the certificate's private key.
    #[arg(long, env = "SPILLWAY_TLS_KEY", value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// Form of the log.
    #[arg(long, env = "SPILLWAY_LOG", value_name = "FORMAT")]
    pub log: Option<LogFormat>,
}

/// `spillway serve`
#[derive(Debug, Args)]
pub struct Serve {
    /// The configuration.
    #[command(flatten)]
    pub source: Source,
    /// Also publish a moving test picture and a tone to the channel `demo`.
    #[arg(long, env = "SPILLWAY_DEMO")]
    pub demo: bool,
    /// Run no sidecar: no LL-HLS, unless a sidecar elsewhere serves it.
    #[arg(long, env = "SPILLWAY_NO_HLS")]
    pub no_hls: bool,
    /// Record nothing. What was recorded is served all the same.
    #[arg(long, env = "SPILLWAY_NO_VOD")]
    pub no_vod: bool,
}

impl Serve {
    /// The configuration of the node.
    pub fn load(&self) -> Result<Config, ConfigError> {
        let mut config = self.source.load()?;
        config.hls.enabled &= !self.no_hls;
        config.vod.enabled &= !self.no_vod;
        Ok(config)
    }
}

/// `spillway token`
#[derive(Debug, Args)]
pub struct Token {
    /// Configuration file of the node whose tokens these are.
    #[arg(long, global = true, env = "SPILLWAY_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Data directory of that node [default: ./data].
    #[arg(long, global = true, env = "SPILLWAY_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub command: TokenCommand,
}

/// What can be done with tokens. The first five print one token and nothing else.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// A streamer's key: publishes to the channel, and makes it if there's none. Makes the node's data directory too.
    Publish(ForChannel),
    /// Watches a channel of restricted viewing.
    View(ForChannel),
    /// Moderates a channel's chat.
    Moderate(ForChannel),
    /// A sidecar's key: watches every channel, learns what is on air, registers, says how recordings go and what is said, and nothing else.
    Service(Terms),
    /// May do everything.
    Admin(Terms),
    /// Lists the tokens that were made and haven't expired (never the tokens themselves).
    List,
    /// Makes a token void from now on.
    Revoke {
        /// Its identifier, as `spillway token list` shows it.
        id: String,
    },
}

/// A token for one channel.
#[derive(Debug, Args)]
pub struct ForChannel {
    /// 1 to 64 letters, digits, `_` or `-`.
    pub channel: ChannelName,
    /// For how long, and for whom.
    #[command(flatten)]
    pub terms: Terms,
}

/// For how long a token is good, and for whom.
#[derive(Debug, Args)]
pub struct Terms {
    /// How long it's good, a second at least: `1h`, `30days`; for good without.
    #[arg(long, value_name = "DURATION", value_parser = lifetime)]
    pub expires: Option<Duration>,
    /// Who it's for, to recognise it in the list.
    #[arg(long, default_value = "", value_name = "TEXT")]
    pub note: String,
}

impl Source {
    /// The configuration that file, variables and flags make together, validated.
    pub fn load(&self) -> Result<Config, ConfigError> {
        let variables =
            std::env::vars_os().filter_map(|(name, value)| Some((text(name)?, text(value)?)));
        let mut config = Config::load(self.config.as_deref(), variables)?;
        self.lay_over(&mut config);
        config.validate()?;
        Ok(config)
    }

    fn lay_over(&self, config: &mut Config) {
        set(&mut config.data_dir, self.data_dir.as_ref());
        set(&mut config.http.listen, self.http.as_ref());
        set(&mut config.http.tls_cert, self.tls_cert.as_ref());
        set(&mut config.http.tls_key, self.tls_key.as_ref());
        set(&mut config.media.port, self.media_port.as_ref());
        set(&mut config.media.workers, self.workers.as_ref());
        set(&mut config.log.format, self.log.as_ref());
        config.media.single_port |= self.single_port;
        if !self.announce.is_empty() {
            config.media.announce.clone_from(&self.announce);
        }
    }
}

impl Token {
    /// Where the node's configuration is.
    pub fn source(&self) -> Source {
        Source {
            config: self.config.clone(),
            data_dir: self.data_dir.clone(),
            ..Source::default()
        }
    }
}

/// A token's lifetime. Its claims count whole seconds.
fn lifetime(text: &str) -> Result<Duration, String> {
    let lifetime = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if lifetime < Duration::from_secs(1) {
        return Err("the token would have expired already; give it 1s at least".into());
    }
    Ok(lifetime)
}

fn set<T: Clone>(key: &mut T, flag: Option<&T>) {
    if let Some(value) = flag {
        key.clone_from(value);
    }
}

fn text(value: OsString) -> Option<String> {
    value.into_string().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn flags_override_the_file() {
        let cli = Cli::parse_from([
            "spillway",
            "serve",
            "--http",
            "127.0.0.1:9",
            "--media-port",
            "7",
            "--single-port",
            "--announce",
            "192.0.2.1",
            "--announce",
            "192.0.2.2",
            "--data-dir",
            "/srv",
            "--log",
            "json",
        ]);
        let Command::Serve(serve) = cli.command else {
            unreachable!("serve was asked for")
        };
        let mut config = Config::default();
        serve.source.lay_over(&mut config);
        assert_eq!(config.http.listen.port(), 9);
        assert_eq!(
            (
                config.media.port,
                config.media.single_port,
                config.media.announce.len()
            ),
            (7, true, 2)
        );
        assert_eq!(config.data_dir, PathBuf::from("/srv"));
        assert_eq!(config.log.format, LogFormat::Json);
    }

    #[test]
    fn no_sidecar_runs_where_none_is_wanted() {
        for (arguments, is_wanted) in [
            (&["spillway", "serve"][..], true),
            (&["spillway", "serve", "--no-hls"], false),
        ] {
            let Command::Serve(serve) = Cli::parse_from(arguments).command else {
                unreachable!("serve was asked for")
            };
            assert_eq!(serve.load().unwrap().hls.enabled, is_wanted);
        }
    }

    #[test]
    fn nothing_is_recorded_where_nothing_shall_be() {
        for (arguments, is_wanted) in [
            (&["spillway", "serve"][..], true),
            (&["spillway", "serve", "--no-vod"], false),
        ] {
            let Command::Serve(serve) = Cli::parse_from(arguments).command else {
                unreachable!("serve was asked for")
            };
            assert_eq!(serve.load().unwrap().vod.enabled, is_wanted);
        }
    }

    #[test]
    fn a_token_that_would_have_expired_already_is_refused() {
        for lifetime in ["0s", "999ms"] {
            let arguments = ["spillway", "token", "view", "demo", "--expires", lifetime];
            let error = Cli::try_parse_from(arguments).unwrap_err().to_string();
            assert!(error.contains("expired already"), "{error}");
        }
        assert!(
            Cli::try_parse_from(["spillway", "token", "view", "demo", "--expires", "1s"]).is_ok()
        );
    }

    #[test]
    fn a_channel_name_that_is_none_is_refused() {
        let error = Cli::try_parse_from(["spillway", "token", "publish", "a b"])
            .unwrap_err()
            .to_string();
        assert!(error.contains("1 to 64 letters"), "{error}");
    }
}
