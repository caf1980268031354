//! The sidecar's command.

use std::{
    io::Read as _, net::SocketAddr, path::PathBuf, process::ExitCode, sync::Arc, time::Duration,
};

use anyhow::Context as _;
use clap::{ArgAction, Parser};
use ipnet::IpNet;
use spillway_connections::descriptors;
use spillway_hls::{
    captions,
    record::{self, Storage},
    sidecar,
    transcode::{self, EncoderKind, Ladder, PassThrough},
    whep::Token,
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::Notify,
};
use tracing_subscriber::EnvFilter;
use url::Url;

/// Watches a Spillway node over WHEP, and serves what is on air there as LL-HLS. The node starts one by itself; more of them, on
/// other machines, are started by hand.
#[derive(Debug, Parser)]
#[command(version)]
#[allow(clippy::struct_excessive_bools)]
struct Arguments {
    /// The node.
    #[arg(long, env = "SPILLWAY_NODE", default_value = "http://127.0.0.1:8080")]
    node: Url,
    /// What the node knows the sidecar by: print one there with `spillway token service`.
    #[arg(long, env = "SPILLWAY_TOKEN", hide_env_values = true)]
    token: String,
    /// The sidecar's name among those of the node.
    #[arg(long, default_value = "sidecar", value_parser = name)]
    id: String,
    /// Where it serves.
    #[arg(long, default_value = "127.0.0.1:8090")]
    listen: SocketAddr,
    /// How many connections may be open at a time; fewer, if this process may open fewer files.
    #[arg(long, default_value_t = 32_768, value_parser = connections)]
    connections: usize,
    /// How many of them may come from one address, or one IPv6 /64.
    #[arg(long, default_value_t = 1_024, value_parser = connections)]
    connections_per_address: usize,
    /// The networks of proxies before it, as 10.0.0.0/8, from each address of which as many may come as there may be. This machine's
    /// own addresses on loopback are such.
    #[arg(long, value_delimiter = ',')]
    trusted_proxies: Vec<IpNet>,
    /// The URL at which the node and players reach it, if that isn't where it listens.
    #[arg(long)]
    advertise: Option<Url>,
    /// The renditions, by their shorter side in pixels, each with its bitrate if you like: 1080,720:2500k,360. None is made that
    /// is larger than the source.
    #[arg(long, default_value_t)]
    renditions: Ladder,
    /// Whether the best rendition is the source itself, as it came, while it has a keyframe each two seconds or more often, and its
    /// size stays: of any codec but VP8 (true), of H.264 alone, which every player decodes (h264), or never (false).
    #[arg(long, default_value = "true")]
    pass_through: PassThrough,
    /// Whether renditions below the best one are made only while somebody watches them.
    #[arg(long, default_value_t = true, action = ArgAction::Set)]
    renditions_on_demand: bool,
    /// Whether what is recorded is encoded as H.264 all the time where it is passed through in another codec, so that every player plays
    /// the recording: the rendition of its size, or the largest below it, of 720p at most.
    #[arg(long, default_value_t = true, action = ArgAction::Set)]
    record_h264: bool,
    /// Has the sound in Opus, too, beside AAC: as good with fewer bits. Recordings have AAC alone.
    #[arg(long)]
    opus: bool,
    /// What encodes. Without it the first of these does that works.
    #[arg(long)]
    encoder: Option<EncoderKind>,
    /// About how long a part is: it becomes a whole number of pictures.
    #[arg(long, default_value = "200ms", value_parser = part)]
    part: Duration,
    /// About how long a segment is: it becomes a whole number of parts.
    #[arg(long, default_value = "2s", value_parser = segment)]
    segment: Duration,
    /// How far players can go back.
    #[arg(long, default_value = "60s", value_parser = window)]
    window: Duration,
    /// Where broadcasts are recorded: `file:///folder`, or `s3://bucket/prefix` with the usual `AWS_*` variables. Without it none is.
    #[arg(long, env = "SPILLWAY_STORAGE", requires = "spool")]
    storage: Option<Url>,
    /// The folder of what isn't in the storage yet.
    #[arg(long, env = "SPILLWAY_SPOOL")]
    spool: Option<PathBuf>,
    /// How much may be in it, with k, M or G: what comes then is missing in recordings.
    #[arg(long, env = "SPILLWAY_SPOOL_SIZE", default_value = "8G", value_parser = bytes)]
    spool_size: u64,
    /// What recordings leave free on the disk of the spool, and of a storage that is a folder, with k, M or G. 1G, or a tenth of a disk
    /// that is smaller than ten.
    #[arg(long, env = "SPILLWAY_RESERVE", value_parser = size)]
    reserve: Option<u64>,
    /// Recognizes what is said and shows it as captions: pocketsphinx (English), or whisper, with a model. Without it there are none.
    #[arg(long)]
    captions: Option<captions::Engine>,
    /// What is spoken, as a language's tag.
    #[arg(long, default_value = "en")]
    captions_language: captions::Language,
    /// The model: of whisper a file, of pocketsphinx a folder as Debian has it.
    #[arg(long, requires = "captions")]
    captions_model: Option<PathBuf>,
    /// What is logged: error, warn, info, debug, trace, also by module.
    #[arg(long, env = "SPILLWAY_LOG_FILTER", default_value = "info")]
    log: String,
    /// Logs as JSON.
    #[arg(long)]
    log_json: bool,
    /// Ends when standard input does: set by the node that starts it, so that it never outlives the node.
    #[arg(long)]
    supervised: bool,
}

/// What threads are at when everything has ended may take so long.
const LAST_STEPS: Duration = Duration::from_millis(200);

/// Below the node that started it: with both busy, it gets about a ninth of what the node does.
const NICENESS: i32 = 10;

/// What the WebRTC library says of each connection isn't for operators, nor each try of a request to the storage, of which we tell what
/// became of it. What `--log` says of it comes after this, and counts.
const QUIET: &str =
    "rtc=warn,rtc_ice=warn,rtc_dtls=error,rtc_sctp=warn,rtc_interceptor=warn,object_store=warn";

fn name(text: &str) -> Result<String, String> {
    let fits = (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
    if fits {
        Ok(text.to_owned())
    } else {
        Err("write 1 to 64 of A-Z, a-z, 0-9, _ and -".to_owned())
    }
}

fn duration(text: &str, least: Duration, most: Duration) -> Result<Duration, String> {
    let read = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if (least..=most).contains(&read) {
        Ok(read)
    } else {
        Err(format!("write {least:?} to {most:?}"))
    }
}

fn part(text: &str) -> Result<Duration, String> {
    duration(text, Duration::from_millis(160), Duration::from_secs(1))
}

fn segment(text: &str) -> Result<Duration, String> {
    duration(text, Duration::from_secs(1), Duration::from_secs(6))
}

fn window(text: &str) -> Result<Duration, String> {
    duration(text, Duration::from_secs(12), Duration::from_hours(1))
}

fn connections(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| "write a number of 1 or more".to_owned())
}

/// `8G`, in powers of 1024, of which recording needs some.
fn bytes(text: &str) -> Result<u64, String> {
    size(text)
        .ok()
        .filter(|bytes| *bytes >= LEAST_SPOOL)
        .ok_or_else(|| "write 16M or more, as 500M or 8G".to_owned())
}

/// `8G`, in powers of 1024.
fn size(text: &str) -> Result<u64, String> {
    let (number, unit) = match text.char_indices().next_back() {
        Some((at, 'k')) => (&text[..at], 10),
        Some((at, 'M')) => (&text[..at], 20),
        Some((at, 'G')) => (&text[..at], 30),
        _ => (text, 0),
    };
    number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(1 << unit))
        .ok_or_else(|| "write a number of bytes, as 500M or 8G".to_owned())
}

/// Some segments of a broadcast.
const LEAST_SPOOL: u64 = 16 << 20;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("spillway-hls: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    start_log(arguments)?;
    if arguments.supervised {
        // The node on this machine comes first: its viewers wait milliseconds, those of LL-HLS a second.
        rustix::process::nice(NICENESS).context("no lower priority")?;
    }
    let files = descriptors::raise()?;
    transcode::quieten();
    let encoder =
        transcode::choose(arguments.encoder).with_context(|| match arguments.encoder {
            Some(kind) => format!("--encoder {kind} doesn't work here"),
            None => "no encoder works here".to_owned(),
        })?;
    let options = sidecar::Options {
        node: arguments.node.clone(),
        token: Token::new(arguments.token.clone()),
        id: arguments.id.clone(),
        listen: arguments.listen,
        crowd: sidecar::Crowd {
            total: arguments.connections,
            per_address: arguments.connections_per_address,
            proxies: arguments.trusted_proxies.clone(),
        }
        .within(files),
        advertise: arguments.advertise.clone(),
        transcode: transcode::Settings {
            ladder: arguments.renditions.clone(),
            encoder,
            part: arguments.part,
            segment: arguments.segment,
            pass_through: arguments.pass_through,
            on_demand: arguments.renditions_on_demand,
            keeps_h264: arguments.record_h264,
            opus: arguments.opus,
        },
        window: arguments.window,
        record: recording(arguments)?,
        captions: captions(arguments),
    };
    let runtime = tokio::runtime::Runtime::new().context("no threads")?;
    let supervised = arguments.supervised;
    let ended = runtime.block_on(async {
        sidecar::run(options, stopped(supervised)?).await?;
        Ok(())
    });
    // What a thread is still at, as a picture of a recording, is made anew by the next start.
    runtime.shutdown_timeout(LAST_STEPS);
    ended
}

fn recording(arguments: &Arguments) -> anyhow::Result<Option<record::Settings>> {
    let (Some(url), Some(spool)) = (&arguments.storage, &arguments.spool) else {
        return Ok(None);
    };
    let storage = match Storage::open(url) {
        Ok(storage) => storage,
        // A disk that isn't there today: live goes on.
        Err(error @ record::StorageError::Folder { .. }) => {
            tracing::error!(%error, "nothing is recorded");
            return Ok(None);
        }
        Err(error) => return Err(error).context("--storage"),
    };
    Ok(Some(record::Settings {
        storage,
        spool: spool.clone(),
        spool_limit: arguments.spool_size,
        reserve: arguments
            .reserve
            .map_or(record::Reserve::Usual, record::Reserve::Bytes),
    }))
}

/// Without a recognizer, what is live is live all the same.
fn captions(arguments: &Arguments) -> Option<sidecar::Captions> {
    let settings = captions::Settings {
        engine: arguments.captions?,
        language: arguments.captions_language.clone(),
        model: arguments.captions_model.clone(),
    };
    let (engine, language) = (settings.engine, &settings.language);
    match settings.recognizer() {
        Ok(recognizer) => {
            tracing::info!(%engine, language = language.as_str(), "captions are made");
            Some(sidecar::Captions {
                recognizer: recognizer.into(),
                language: settings.language,
            })
        }
        Err(error) => {
            tracing::error!(%engine, %error, "there are no captions");
            None
        }
    }
}

fn start_log(arguments: &Arguments) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(format!("{QUIET},{}", arguments.log)).with_context(|| {
        format!(
            "--log is \"{}\"; write error, warn, info, debug or trace",
            arguments.log
        )
    })?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let started = if arguments.log_json {
        builder.json().flatten_event(true).try_init()
    } else {
        builder.with_target(false).with_ansi(false).try_init()
    };
    started.map_err(|error| anyhow::anyhow!("no log: {error}"))
}

/// Until the sidecar is to end.
fn stopped(supervised: bool) -> anyhow::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let supervisor = Arc::new(Notify::new());
    if supervised {
        let gone = supervisor.clone();
        let watch = move || {
            let mut byte = [0];
            while std::io::stdin().read(&mut byte).is_ok_and(|read| read > 0) {}
            gone.notify_one();
        };
        std::thread::Builder::new()
            .name("supervisor".to_owned())
            .spawn(watch)?;
    }
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            () = supervisor.notified() => {}
        }
        tracing::info!("ending");
    })
}
