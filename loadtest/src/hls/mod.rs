//! Players of low-latency HLS: `spillway-loadtest hls`. They know RFC 8216bis, and nothing of Spillway.

pub mod client;
pub mod clock;
pub mod fetch;
pub mod options;
pub mod playback;
pub mod playlist;
pub mod report;
pub mod tally;

use std::cell::RefCell;
use std::fs;
use std::io::{self, Write};
use std::rc::Rc;
use std::time::Duration;

use anyhow::Context;
use tokio::task::LocalSet;

use client::Shared;
use clock::Clock;
use fetch::Fetcher;
pub use options::Options;
use playback::Playback;
use report::{Report, Stalls, Window};
use tally::Tally;

use crate::load::server::Server;

/// A line of progress in so many seconds.
const PROGRESS: Duration = Duration::from_secs(5);

/// Runs `spillway-loadtest hls`.
pub async fn run(options: Options) -> anyhow::Result<()> {
    options.check()?;
    crate::load::allow_many_files();
    let report = LocalSet::new().run_until(measure(&options)).await?;
    if let Some(path) = &options.json {
        let text = serde_json::to_string_pretty(&report)?;
        fs::write(path, text).with_context(|| format!("can't write {}", path.display()))?;
    }
    print!("{}", report.to_table());
    anyhow::ensure!(
        report.never_began < options.clients as u64,
        "nobody ever played"
    );
    Ok(())
}

/// Plays, and tells what was found. To be run within a [`LocalSet`].
pub async fn measure(options: &Options) -> anyhow::Result<Report> {
    let server = options
        .server_pid
        .map(|pid| {
            Server::new(pid).with_context(|| format!("there is no process {pid} to look at"))
        })
        .transpose()?;
    let shared = Rc::new(Shared {
        url: options.url.clone(),
        wish: options.rendition.clone(),
        hints: !options.no_hints,
        clock: Clock::start(),
        tally: RefCell::new(Tally::default()),
    });
    let mut players = Players {
        shared: shared.clone(),
        playbacks: Vec::with_capacity(options.clients),
    };
    let progress = tokio::task::spawn_local(tell(shared.clone()));
    players.begin(options).await;
    tokio::time::sleep(options.settle).await;
    let look = || server.as_ref().map(Server::sample).transpose();
    let before = look()?;
    players.take_stalls();
    shared.tally.borrow_mut().begin();
    let start = shared.clock.now();
    tokio::time::sleep(options.duration).await;
    let after = look()?;
    let stalls = players.take_stalls();
    let window = Window {
        setting: setting(options),
        seconds: shared.clock.now() - start,
        playing: players.count(|playback| playback.behind().is_some()),
        never_began: players.count(|playback| !playback.has_begun()),
        stalls,
        server: before.zip(after),
    };
    progress.abort();
    Ok(Report::new(window, &shared.tally.borrow()))
}

struct Players {
    shared: Rc<Shared>,
    playbacks: Vec<Rc<RefCell<Playback>>>,
}

impl Players {
    async fn begin(&mut self, options: &Options) {
        let pause = Duration::from_secs_f64(1.0 / options.rate);
        let mut ticks = tokio::time::interval(pause);
        for number in 0..options.clients {
            ticks.tick().await;
            let fetcher = Fetcher::new(options.source(number), options.token.clone());
            let playback = Rc::new(RefCell::new(Playback::new(0, 0.0)));
            self.playbacks.push(playback.clone());
            tokio::task::spawn_local(client::play(self.shared.clone(), fetcher, playback));
        }
    }

    fn take_stalls(&self) -> Stalls {
        let now = self.shared.clock.now();
        let mut stalls = Stalls::default();
        for playback in &self.playbacks {
            stalls.add(&playback.borrow_mut().take_stalls(now));
        }
        stalls
    }

    fn count(&self, matches: impl Fn(&Playback) -> bool) -> u64 {
        let all = self.playbacks.iter();
        all.filter(|playback| matches(&playback.borrow())).count() as u64
    }
}

async fn tell(shared: Rc<Shared>) {
    let mut ticks = tokio::time::interval(PROGRESS);
    ticks.tick().await;
    loop {
        ticks.tick().await;
        let tally = shared.tally.borrow();
        let failed: u64 = tally.failures.values().sum();
        let line = format!(
            "{:8} playlists  {:8} parts  {:8.0} ms behind live  {:6.1} ms delivery p99  {failed} failed\n",
            tally.playlists.requests,
            tally.media.requests,
            tally.behind_ms().median,
            tally.delivery_ms().p99,
        );
        // Progress that can't be shown isn't worth failing for.
        let _ = io::stderr().write_all(line.as_bytes());
    }
}

fn setting(options: &Options) -> String {
    let hints = if options.no_hints {
        ", without hints"
    } else {
        ""
    };
    format!("{} players of {}{hints}", options.clients, options.url)
}
