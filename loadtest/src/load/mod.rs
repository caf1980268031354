//! The load test: publishers and viewers against a WHIP and WHEP server, every packet counted.

pub mod arrivals;
pub mod clock;
pub mod course;
pub mod endpoint;
pub mod html;
pub mod http;
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
use std::thread;

use anyhow::Context;
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
    let mut report = measure(&options).await?;
    if options.floor {
        eprintln!("Measuring the floor.");
        report.compare_with(floor::measure(&floor::Options {
            viewers: options.most_viewers().clamp(1, FLOOR_RECEIVERS),
            bursts: vec![1, 2, 4, 8, 16],
            size: 1_200,
            rhythm: options.fps,
            like_pid: options.server_pid,
            json: false,
        })?);
    }
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
    Ok(())
}

/// Runs a load test on a thread of its own, with HTTP on this one.
async fn measure(options: &Options) -> Result<Report, LoadError> {
    let (done, report) = oneshot::channel();
    let (options, runtime) = (options.clone(), Handle::current());
    thread::spawn(move || {
        let result = Reactor::new(&options, runtime).and_then(|reactor| reactor.run(&mut Lines));
        // If nobody waits any more there is nobody to tell.
        let _ = done.send(result);
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
