//! A channel's chat with many clients: `spillway-loadtest chat`. They know `docs/chat-protocol.md`, and check that each of
//! them hears everything once, in one order.

pub mod channels;
pub mod client;
pub mod follower;
pub mod frames;
pub mod line;
pub mod log;
pub mod message;
pub mod options;
pub mod report;
pub mod talk;
pub mod tally;
pub mod taps;
pub mod writer;

use std::cell::RefCell;
use std::fs;
use std::io::{self, Write};
use std::rc::Rc;
use std::time::Duration;

use anyhow::Context;
use tokio::sync::watch;
use tokio::task::{JoinSet, LocalSet, spawn_local};
use tokio::time::{Instant, interval, sleep, timeout};

use client::{Client, Shared};
use frames::{Frames, Object};
use log::Log;
pub use options::Options;
use report::{Report, Run};
use talk::{Course, Way};
use tally::Tally;
use taps::Tapper;
use writer::Writer;

use crate::load::clock::since_1970;
use crate::load::server::Server;
use crate::peer::Label;

/// A line of progress in so many seconds.
const PROGRESS: Duration = Duration::from_secs(5);
/// How long the first client, and after the last has begun all, may take to be welcomed.
const WELCOME: Duration = Duration::from_secs(30);
/// How long an audit may hear nothing new.
const AUDIT: Duration = Duration::from_secs(10);
/// How long leaving may take.
const LEAVE: Duration = Duration::from_secs(10);
/// How often it's looked whether all is over.
const LOOK: Duration = Duration::from_millis(50);

/// Runs `spillway-loadtest chat`.
pub async fn run(options: Options) -> anyhow::Result<()> {
    options.check()?;
    // Better now than after an hour.
    if let Some(path) = &options.json {
        fs::File::create(path).with_context(|| format!("can't write {}", path.display()))?;
    }
    crate::load::allow_many_files();
    let report = LocalSet::new()
        .run_until(Box::pin(measure(&options)))
        .await?;
    if let Some(path) = &options.json {
        let text = serde_json::to_string_pretty(&report)?;
        fs::write(path, text).with_context(|| format!("can't write {}", path.display()))?;
    }
    print!("{}", report.to_table());
    let problems = report.problems();
    anyhow::ensure!(problems.is_empty(), "{}", problems.join("; "));
    Ok(())
}

/// Talks, and tells what was found. To be run within a [`LocalSet`].
pub async fn measure(options: &Options) -> anyhow::Result<Report> {
    let server = options
        .server_pid
        .map(|pid| {
            Server::new(pid).with_context(|| format!("there is no process {pid} to look at"))
        })
        .transpose()?;
    let way = Way::new(options)?;
    let start = timeout(WELCOME, last_entry(&way, options))
        .await
        .context("nobody was welcomed in time")??;
    let shared = Rc::new(Shared {
        run: rand::random(),
        token: options.token.clone(),
        log: RefCell::new(Log::new(start)),
        tally: RefCell::new(Tally::default()),
        frames: RefCell::new(Frames::default()),
    });
    let mut room = Room::new(way, shared);
    room.fill(options, start).await?;
    let telling = spawn_local(tell(room.shared.clone()));
    sleep(options.settle).await;

    let own = Server::new(std::process::id())?;
    let before = server.as_ref().map(Server::sample).transpose()?;
    let own_before = own.sample()?;
    room.begin(options.duration);
    sleep(options.duration).await;
    // A server that was killed meanwhile is another process now.
    let after = server.as_ref().and_then(|server| server.sample().ok());

    let own = (own_before, own.sample()?);

    room.finish(options.linger).await;
    let end = room.shared.log.borrow().last();
    let auditor = room.audit(start, end).await;
    telling.abort();
    let report = {
        let clients: Vec<_> = room.clients.iter().map(|client| client.borrow()).collect();
        Report::new(Run {
            setting: options.to_text(),
            clients: clients.iter().map(|client| &**client).collect(),
            log: &room.shared.log.borrow(),
            end,
            tally: &room.shared.tally.borrow(),
            auditor: &auditor.borrow(),
            server: before.zip(after),
            own,
        })
    };
    room.empty().await;
    Ok(report)
}

/// The number of the log's last entry, as one who comes and goes is told it.
async fn last_entry(way: &Way, options: &Options) -> anyhow::Result<u64> {
    let mut line = way.open(0).await?;
    let mut hello = serde_json::json!({ "type": "hello", "history": 0 });
    if let Some(token) = &options.token {
        hello["token"] = token.as_str().into();
    }
    line.send(Label::Chat, hello.to_string()).await?;
    let mut frames = Frames::default();
    loop {
        let frame = line.receive().await?;
        let objects = frames.read(&frame).context("the server speaks otherwise")?;
        for object in objects.iter() {
            match object {
                Object::Welcome { last, .. } => {
                    let last = *last;
                    line.close().await;
                    return Ok(last);
                }
                Object::Refused { code, .. } => anyhow::bail!("the chat refuses us: {code}"),
                _ => {}
            }
        }
    }
}

/// All clients.
struct Room {
    way: Way,
    shared: Rc<Shared>,
    clients: Vec<Rc<RefCell<Client>>>,
    talking: JoinSet<()>,
    course: watch::Sender<Course>,
}

impl Room {
    fn new(way: Way, shared: Rc<Shared>) -> Self {
        Self {
            way,
            shared,
            clients: Vec::new(),
            talking: JoinSet::new(),
            course: watch::channel(Course::Listen).0,
        }
    }

    /// Has all come in.
    async fn fill(&mut self, options: &Options, start: u64) -> anyhow::Result<()> {
        let mut ticks = interval(Duration::from_secs_f64(1.0 / options.join_rate));
        for number in 0..options.viewers {
            ticks.tick().await;
            let client = Client::new(
                start,
                writer(options, self.shared.run, number),
                tapper(options, number),
            );
            self.enter(number, client);
        }
        let deadline = Instant::now() + WELCOME;
        loop {
            let welcomed = self.count(Client::is_in);
            if welcomed == self.clients.len() {
                break;
            }
            if Instant::now() >= deadline {
                let tally = self.shared.tally.borrow();
                let reasons: Vec<_> = tally.failures.keys().chain(tally.errors.keys()).collect();
                anyhow::bail!("only {welcomed} clients were welcomed: {reasons:?}");
            }
            sleep(LOOK).await;
        }
        Ok(())
    }

    fn enter(&mut self, number: usize, client: Client) -> Rc<RefCell<Client>> {
        let client = Rc::new(RefCell::new(client));
        self.clients.push(client.clone());
        let (way, shared) = (self.way.clone(), self.shared.clone());
        let talk = talk::talk(way, number, shared, client.clone(), self.course.subscribe());
        self.talking.spawn_local(talk);
        client
    }

    /// All write and tap from now on, for so long.
    fn begin(&self, duration: Duration) {
        let now = since_1970();
        let window = now..now + duration.as_nanos() as u64;
        self.shared.tally.borrow_mut().window = window.clone();
        // Without anybody to tell there's nothing to tell.
        let _ = self.course.send(Course::Talk(window));
    }

    /// Waits until everybody has heard all and was answered, or for so long.
    async fn finish(&self, linger: Duration) {
        let deadline = Instant::now() + linger;
        let is_over = || {
            let last = self.shared.log.borrow().last();
            self.count(|client| client.is_in() && client.is_done(last)) == self.clients.len()
        };
        // Counts of the last taps are still to come.
        sleep(Duration::from_millis(500)).await;
        while !is_over() && Instant::now() < deadline {
            sleep(LOOK).await;
        }
    }

    /// Reads the log again, as somebody who knows nothing of it.
    async fn audit(&mut self, start: u64, end: u64) -> Rc<RefCell<Client>> {
        let number = self.clients.len();
        let auditor = self.enter(number, Client::auditor(start));
        self.clients.pop();
        let (mut heard, mut since) = (start, Instant::now());
        while heard < end && since.elapsed() < AUDIT {
            sleep(LOOK).await;
            let now = auditor.borrow().last();
            if now != heard {
                (heard, since) = (now, Instant::now());
            }
        }
        auditor
    }

    /// Has all leave, who are given a while for it.
    async fn empty(mut self) {
        // Without anybody to tell there's nothing to tell.
        let _ = self.course.send(Course::Leave);
        let all = async { while self.talking.join_next().await.is_some() {} };
        if timeout(LEAVE, all).await.is_err() {
            self.talking.abort_all();
        }
    }

    fn count(&self, matches: impl Fn(&Client) -> bool) -> usize {
        let all = self.clients.iter();
        all.filter(|client| matches(&client.borrow())).count()
    }
}

/// The first clients write, evenly, one after the other.
fn writer(options: &Options, run: u32, number: usize) -> Option<Writer> {
    let writes = number < options.writers && options.rate > 0.0;
    let share = options.writers.max(1) as f64;
    writes.then(|| {
        let phase = number as f64 / share;
        Writer::new(run, number as u32, options.rate / share, phase)
    })
}

fn tapper(options: &Options, number: usize) -> Option<Tapper> {
    let all = options.viewers as f64;
    (options.taps > 0.0).then(|| Tapper::new(options.taps / all, number as f64 / all))
}

async fn tell(shared: Rc<Shared>) {
    let mut ticks = interval(PROGRESS);
    ticks.tick().await;
    loop {
        ticks.tick().await;
        let tally = shared.tally.borrow();
        let line = format!(
            "{:8} stored  {:10} heard  {:8.1} ms median  {:8.1} ms p99  {} connections lost\n",
            shared.log.borrow().placed(),
            tally.delivered,
            tally.latency.value_at_quantile(0.5) as f64 / 1e6,
            tally.latency.value_at_quantile(0.99) as f64 / 1e6,
            tally.lost,
        );
        // Progress that can't be shown isn't worth failing for.
        let _ = io::stderr().write_all(line.as_bytes());
    }
}
