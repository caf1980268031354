//! Takes a recording from the spool to the storage, has the whole made of it when it is over, and tells the node. It goes on until
//! that is done: a storage or a node that fails is asked again.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{
    FutureExt as _, StreamExt as _,
    future::{Fuse, FusedFuture as _},
    stream::FuturesUnordered,
};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep},
};

use super::{
    Status, Works,
    finish::{self, FinishError},
    model::{Piece, Recording, State},
    queue::{Message, Sender},
    storage::Shelf,
};

/// Files on their way to the storage at once, of one recording.
const CONCURRENT: usize = 4;
/// What failed is tried again after so long at first, and twice as long each time up to the most.
const AGAIN_LEAST: Duration = Duration::from_secs(1);
const AGAIN_MOST: Duration = Duration::from_secs(30);
/// While it is recorded, the node is told so often.
const TELL: Duration = Duration::from_secs(10);
/// A node that doesn't know the broadcast is told no longer than so about a recording that is done.
const UNKNOWN: Duration = Duration::from_mins(10);

/// Names below the recording's folder in the storage, and what is to be there.
pub(super) type Lists = Vec<(String, Bytes)>;

/// What the scribe has for the courier.
#[derive(Debug)]
pub(super) enum Job {
    /// The file is to be stored.
    Put(Piece, PathBuf),
    /// The broadcast is over and all its files are stored; these aren't part of it.
    Finish(Box<Recording>, Vec<Piece>),
}

/// What the courier has for the scribe.
#[derive(Debug)]
pub(super) enum Report {
    Stored(Piece),
    /// The file isn't in the spool.
    Missing(Piece),
    /// What the storage complains of; nothing, when it works again.
    Trouble(Option<String>),
    /// The whole was made: bytes in the storage. Or why it never will be.
    Made(Result<u64, String>),
    /// The node knows how it ended.
    Told,
}

/// Waits between tries.
pub(super) struct Backoff(Duration);

impl Backoff {
    pub(super) fn new() -> Self {
        Self(AGAIN_LEAST)
    }

    pub(super) async fn wait(&mut self) {
        // Half of it and up to as much again, so that not all ask at the same time.
        let share = rand::random_range(0.5..1.5);
        sleep(self.0.mul_f64(share)).await;
        self.0 = (self.0 * 2).min(AGAIN_MOST);
    }
}

/// One recording's courier.
pub(super) struct Courier {
    pub(super) works: Works,
    pub(super) broadcast: String,
    pub(super) jobs: mpsc::UnboundedReceiver<Job>,
    pub(super) lists: watch::Receiver<Lists>,
    pub(super) status: watch::Receiver<Status>,
    pub(super) scribe: Sender,
}

impl Courier {
    pub(super) async fn run(self) {
        let Self {
            works,
            broadcast,
            jobs,
            lists,
            status,
            scribe,
        } = self;
        let shelf = works.storage.of(&broadcast);
        let telling = tell(&works, &broadcast, status);
        let carrier = Carrier {
            shelf,
            broadcast: broadcast.clone(),
            scribe: scribe.clone(),
            complained: AtomicBool::new(false),
            lists_failed: AtomicBool::new(false),
        };
        let carrying = carrier.carry(&works, jobs, lists);
        // Ends when both have: the recording is made, and the node knows.
        tokio::join!(Box::pin(carrying), async {
            telling.await;
            scribe.tell(Message::Report(Report::Told));
        });
    }
}

struct Carrier {
    shelf: Shelf,
    broadcast: String,
    scribe: Sender,
    /// It was said that the storage doesn't take something, and it has taken nothing since.
    complained: AtomicBool,
    /// The last playlists couldn't be stored.
    lists_failed: AtomicBool,
}

impl Carrier {
    async fn carry(
        &self,
        works: &Works,
        mut jobs: mpsc::UnboundedReceiver<Job>,
        mut lists: watch::Receiver<Lists>,
    ) {
        let mut under_way = FuturesUnordered::new();
        let mut listing = Fuse::terminated();
        let mut finish = None;
        while finish.is_none() {
            tokio::select! {
                job = jobs.recv(), if under_way.len() < CONCURRENT => match job {
                    Some(Job::Put(piece, path)) => under_way.push(self.put(piece, path)),
                    Some(Job::Finish(recording, cut)) => finish = Some((recording, cut)),
                    None => return,
                },
                Some(()) = under_way.next() => {}
                Ok(()) = lists.changed(), if listing.is_terminated() => {
                    let latest = lists.borrow_and_update().clone();
                    listing = Box::pin(self.put_lists(latest)).fuse();
                }
                () = &mut listing => {}
            }
        }
        while under_way.next().await.is_some() {}
        // None may come after those of the whole.
        if !listing.is_terminated() {
            listing.await;
        }
        if let Some((recording, cut)) = finish {
            let made = self.finish(works, *recording).await;
            self.remove(&cut).await;
            self.report(Report::Made(made));
        }
    }

    /// Stores a file, however long that takes.
    async fn put(&self, piece: Piece, path: PathBuf) {
        let mut backoff = Backoff::new();
        loop {
            let data = match tokio::fs::read(&path).await {
                Ok(data) => data,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    self.report(Report::Missing(piece));
                    return;
                }
                Err(error) => {
                    self.trouble(&format!("{}: {error}", path.display()));
                    backoff.wait().await;
                    continue;
                }
            };
            match self.shelf.take(&piece.path(), data.into()).await {
                Ok(()) => break,
                Err(error) => self.trouble(&error.to_string()),
            }
            backoff.wait().await;
        }
        self.took();
        self.report(Report::Stored(piece));
    }

    /// Stores playlists: those that fail come again with the next.
    async fn put_lists(&self, lists: Lists) {
        for (name, data) in lists {
            if let Err(error) = self.shelf.put(&name, data).await {
                self.trouble(&error.to_string());
                self.lists_failed.store(true, Ordering::Relaxed);
                return;
            }
        }
        if self.lists_failed.swap(false, Ordering::Relaxed) {
            self.took();
        }
    }

    async fn finish(&self, works: &Works, recording: Recording) -> Result<u64, String> {
        let mut backoff = Backoff::new();
        loop {
            match finish::make(works, &self.shelf, &recording).await {
                Ok(bytes) => {
                    self.took();
                    return Ok(bytes);
                }
                Err(FinishError::Storage(error)) if !error.is_not_found() => {
                    self.trouble(&error.to_string());
                }
                Err(error) => {
                    let broadcast = recording.broadcast;
                    tracing::error!(broadcast, %error, "a recording can't be finished");
                    return Err(error.to_string());
                }
            }
            backoff.wait().await;
        }
    }

    /// Deletes what no playlist lists any more. What stays is deleted with the recording.
    async fn remove(&self, pieces: &[Piece]) {
        for piece in pieces {
            if let Err(error) = self.shelf.delete(&piece.path()).await {
                tracing::warn!(path = piece.path(), %error, "the end of a recording that nobody sent can't be deleted; the rest of it stays");
                return;
            }
        }
    }

    /// The storage has something.
    fn took(&self) {
        if self.complained.swap(false, Ordering::Relaxed) {
            let broadcast = &self.broadcast;
            tracing::info!(broadcast, "the storage takes the recording again");
        }
        self.report(Report::Trouble(None));
    }

    /// It's said once, until the storage takes something again: several files wait for it.
    fn trouble(&self, problem: &str) {
        if !self.complained.swap(true, Ordering::Relaxed) {
            let broadcast = &self.broadcast;
            tracing::error!(
                broadcast,
                problem,
                "the storage doesn't take a recording; trying again, and live goes on"
            );
        }
        let problem = format!("the storage doesn't take it: {problem}");
        self.report(Report::Trouble(Some(problem)));
    }

    fn report(&self, report: Report) {
        // Without a scribe the process is ending.
        self.scribe.tell(Message::Report(report));
    }
}

/// Tells the node how the recording is, until it knows how it ended.
async fn tell(works: &Works, broadcast: &str, mut status: watch::Receiver<Status>) {
    let mut backoff = Backoff::new();
    let mut complained = false;
    let mut over_since: Option<Instant> = None;
    loop {
        let present = status.borrow_and_update().clone();
        let is_over = matches!(present.state, State::Ready | State::Failed);
        let since = is_over.then(|| *over_since.get_or_insert_with(Instant::now));
        match works.node.tell_recording(broadcast, &present).await {
            Ok(()) if is_over => return,
            Ok(()) => {
                complained = false;
                backoff = Backoff::new();
                wait_for_news(&mut status, &present).await;
            }
            Err(error) if error.is_not_found() && since.is_some_and(|s| s.elapsed() > UNKNOWN) => {
                tracing::warn!(
                    broadcast,
                    "the node doesn't know the broadcast of a recording"
                );
                return;
            }
            Err(error) => {
                if !complained {
                    complained = true;
                    tracing::warn!(broadcast, %error, "the node can't be told of a recording; trying again");
                }
                backoff.wait().await;
            }
        }
    }
}

/// Another state or problem, or time to tell again how it grows.
async fn wait_for_news(status: &mut watch::Receiver<Status>, told: &Status) {
    let is_news = |now: &Status| (now.state, &now.problem) != (told.state, &told.problem);
    let due = Instant::now() + TELL;
    tokio::select! {
        // A sender that is gone says nothing more; what is the latest is told again.
        changed = status.wait_for(is_news) => {
            if changed.is_ok() {
                return;
            }
        }
        () = tokio::time::sleep_until(due) => return,
    }
    tokio::time::sleep_until(due).await;
}
