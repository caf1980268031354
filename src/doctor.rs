//! `spillway doctor`: tests on this machine what a node will need, and says what to do about what fails.

use std::{collections::BTreeSet, net::UdpSocket, path::Path, time::Duration};

use anyhow::bail;
use spillway_connections::descriptors;

use crate::{
    auth::{Issuers, SigningKey},
    commands::print,
    config::Config,
    data_dir, media, serve,
    storage::Storage,
    store::{Sqlite, Store as _},
    time, tls,
};

/// The clock can't be right before this release was made: 2025-11-01.
const RELEASE_MS: u64 = 1_761_955_200_000;
const STOP_DEADLINE: Duration = Duration::from_secs(2);

type Finding = Result<String, String>;

/// Tests everything, prints a line for each test, and fails if one of them did.
pub async fn run(config: &Config) -> anyhow::Result<()> {
    let data_dir = &config.data_dir;
    let findings = [
        (
            "file descriptors",
            descriptors::raise()
                .map(|most| format!("{most} may be open"))
                .map_err(text),
        ),
        ("clock", clock()),
        (
            "data directory",
            data_dir::prepare(data_dir)
                .map(|path| format!("{} is writable", path.display()))
                .map_err(text),
        ),
        ("database", database(data_dir).await),
        ("recordings", recordings(config).await),
        (
            "signing key",
            SigningKey::load_or_create(data_dir)
                .map(|_| "readable by its owner alone".into())
                .map_err(text),
        ),
        (
            "other issuers",
            Issuers::load(&config.auth.issuers)
                .map(|_| format!("{} configured", config.auth.issuers.len()))
                .map_err(text),
        ),
        ("TLS", certificate(config)),
        (
            "HTTP port",
            serve::http_port(config)
                .map(|address| format!("{address} is free"))
                .map_err(text),
        ),
        ("media ports", media_ports(config).await),
        ("UDP segmentation", segmentation()),
    ];
    let mut failed = 0;
    for (name, finding) in findings {
        let (mark, text) = match finding {
            Ok(text) => ("ok  ", text),
            Err(text) => {
                failed += 1;
                ("FAIL", text)
            }
        };
        print(&format!("{mark}  {name}: {text}"))?;
    }
    if failed > 0 {
        bail!("{failed} of the tests failed");
    }
    Ok(())
}

fn clock() -> Finding {
    let now = time::now();
    if now.0 < RELEASE_MS {
        return Err("the system clock is in the past: tokens would be judged wrongly; set it, best with NTP".into());
    }
    let now = std::time::UNIX_EPOCH + Duration::from_millis(now.0);
    Ok(format!(
        "it is {} UTC; tokens and webhooks depend on it",
        humantime::format_rfc3339_seconds(now)
    ))
}

async fn database(data_dir: &Path) -> Finding {
    let store = Sqlite::open(&data_dir::database(data_dir)).map_err(text)?;
    store.check().await.map_err(text)?;
    Ok("opens and takes writes".into())
}

/// Writes, reads and deletes an object.
async fn recordings(config: &Config) -> Finding {
    let url = config.vod.storage_url(&config.data_dir)?;
    let storage = Storage::open(&url, config.limits.vod_reads).map_err(text)?;
    storage.probe().await.map_err(|error| {
        format!("{url}: {error}; check vod.storage, its permissions, and AWS_* variables for s3://")
    })?;
    Ok(format!("{url} takes them and gives them back"))
}

fn certificate(config: &Config) -> Finding {
    match tls::load(&config.http).map_err(text)? {
        Some(_) => Ok("certificate and key belong together".into()),
        None => Ok("not configured: browsers will give cameras to http://localhost only".into()),
    }
}

/// Starts the media plane for a moment: the ports are free, and the addresses are those that clients would be told.
async fn media_ports(config: &Config) -> Finding {
    let (workers, _events) = tokio::task::block_in_place(|| media::start(config)).map_err(text)?;
    let addresses: BTreeSet<_> = workers.addresses().collect();
    let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    workers.shutdown(STOP_DEADLINE).await.map_err(text)?;
    Ok(format!("free; clients are told {}", addresses.join(", ")))
}

/// A missing one costs CPU but nothing else, so it's no failure.
fn segmentation() -> Finding {
    let socket = UdpSocket::bind("127.0.0.1:0").map_err(text)?;
    let state = quinn_udp::UdpSocketState::new((&socket).into()).map_err(text)?;
    match state.max_gso_segments() {
        1 => Ok("not available here (needs Linux 4.18): every datagram costs a system call".into()),
        most => Ok(format!("up to {most} datagrams a system call")),
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
