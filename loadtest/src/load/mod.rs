//! The load test: publishers and viewers against a WHIP and WHEP server, every packet counted.

pub mod arrivals;
pub mod clock;
pub mod course;
pub mod endpoint;
pub mod html;
pub mod http;
pub mod machine;
pub mod options;
pub mod pictures;
pub mod plot;
pub mod publisher;
pub mod reactor;
pub mod receiver;
pub mod result;
pub mod server;
pub mod shares;
pub mod socket;
pub mod step;
pub mod tally;
pub mod totals;
pub mod viewer;

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::Context;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use course::Progress;
pub use options::Options;
use reactor::{LoadError, Reactor};
use result::{Report, Second};

use crate::floor;

/// Without a terminal one line in so many seconds is enough.
const QUIET_EVERY: u64 = 10;

/// Receivers of the floor at most: each is a socket.
const FLOOR_RECEIVERS: usize = 1_000;

/// Runs `spillway-loadtest run`.
pub async fn run(options: Options) -> anyhow::Result<()> {
    // Better now than after an hour.
    let files = [&options.json, &options.html, &options.plot];
    for path in files.into_iter().flatten() {
        fs::File::create(path).with_context(|| format!("can't write {}", path.display()))?;
    }
    allow_many_files();
    let mut report = measure(&options).await?;
    if io::stderr().is_terminal() {
        eprintln!();
    }
    let floor = measure_floor(&options, &mut report);
    if let Some(path) = &options.json {
        let text = serde_json::to_string_pretty(&report)?;
        fs::write(path, text).with_context(|| format!("can't write {}", path.display()))?;
    }
    if let Some(path) = &options.html {
        fs::write(path, html::page(&report))
            .with_context(|| format!("can't write {}", path.display()))?;
    }
    if let Some(path) = &options.plot {
        let drawn = plot::svg(&plot::of_report(&report), &report.setting);
        fs::write(path, drawn).with_context(|| format!("can't write {}", path.display()))?;
    }
    print!("{}", report.to_table());
    floor.context("the floor wasn't measured")?;
    anyhow::ensure!(
        options.most_viewers() == 0 || report.join_ms.count > 0,
        "nobody ever saw a picture"
    );
    Ok(())
}

fn measure_floor(options: &Options, report: &mut Report) -> Result<(), floor::FloorError> {
    if !options.floor {
        return Ok(());
    }
    eprintln!("Measuring the floor.");
    let floor = floor::measure(&floor::Options {
        viewers: options.most_viewers().clamp(1, FLOOR_RECEIVERS),
        bursts: vec![1, 2, 4, 8, 16],
        size: 1_200,
        rhythm: options.fps,
        like_pid: options.server_pid,
        json: false,
    })?;
    report.compare_with(floor, !options.no_gro);
    Ok(())
}

/// Each peer has a socket: as many as the system permits.
pub(crate) fn allow_many_files() {
    let Ok((_, most)) = getrlimit(Resource::RLIMIT_NOFILE) else {
        return;
    };
    // What was permitted before may do.
    let _ = setrlimit(Resource::RLIMIT_NOFILE, most, most);
}

/// Runs a load test on a thread of its own, with HTTP on this one.
async fn measure(options: &Options) -> Result<Report, LoadError> {
    let (done, report) = oneshot::channel();
    let (options, runtime) = (options.clone(), Handle::current());
    let interrupted = Arc::new(AtomicBool::new(false));
    let stop = interrupted.clone();
    thread::spawn(move || {
        let result = Reactor::new(&options, runtime, interrupted)
            .and_then(|reactor| reactor.run(&mut Lines));
        // If nobody waits any more there is nobody to tell.
        let _ = done.send(result);
    });
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            eprintln!("All leave.");
            stop.store(true, Ordering::Relaxed);
        }
    });
    report.await.unwrap_or(Err(LoadError::Interrupted))
}

/// Progress as lines on standard error; on a terminal the newest takes the place of the one before.
struct Lines;

impl Progress for Lines {
    fn second(&mut self, second: &Second, phase: &str) {
        let mut stderr = io::stderr();
        let terminal = stderr.is_terminal();
        if !terminal && !(second.at as u64).is_multiple_of(QUIET_EVERY) {
            return;
        }
        let (start, end) = if terminal {
            ("\r\x1b[K", "")
        } else {
            ("", "\n")
        };
        let line = format!(
            "{start}{:4.0} s  {phase:<10} {:6} viewers  {:8.2} ms median  {:8.2} ms p99  {} failed{end}",
            second.at, second.viewers, second.median_ms, second.p99_ms, second.failures
        );
        // Progress that can't be shown isn't worth failing for.
        let _ = stderr
            .write_all(line.as_bytes())
            .and_then(|()| stderr.flush());
    }
}
