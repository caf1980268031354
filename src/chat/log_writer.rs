//! Writes the logs of all channels: what comes within a few milliseconds goes to the disk together.

use std::{sync::Arc, time::Duration};

use spillway_chat::room::{Appended, Ticket};
use tokio::sync::mpsc;

use crate::store::{NewEntry, Placed, Store};

/// How long entries are gathered before they're written: each write waits for the disk.
const GATHER: Duration = Duration::from_millis(4);
/// The most entries of one write.
const AT_ONCE: usize = 2048;
/// Entries that wait; rooms wait beyond it.
const QUEUE: usize = 8192;

/// An entry, and who waits for its place.
pub(super) struct Job {
    pub(super) entry: NewEntry,
    pub(super) ticket: Ticket,
    /// Answers of one room, in the order of its jobs. Bounded by what a room has under way.
    pub(super) answer: mpsc::UnboundedSender<(Ticket, Appended)>,
}

/// A handle to the writer, which ends with the last one.
#[derive(Clone)]
pub(super) struct LogWriter(mpsc::Sender<Job>);

impl LogWriter {
    pub(super) fn start(store: Arc<dyn Store>) -> Self {
        let (jobs, queue) = mpsc::channel(QUEUE);
        tokio::spawn(write(store, queue));
        Self(jobs)
    }

    /// Waits while too much waits already.
    pub(super) async fn append(&self, job: Job) {
        if let Err(mpsc::error::SendError(job)) = self.0.send(job).await {
            answer(&job, Appended::Failed);
        }
    }
}

async fn write(store: Arc<dyn Store>, mut queue: mpsc::Receiver<Job>) {
    let mut jobs = Vec::new();
    let mut fails = false;
    while queue.recv_many(&mut jobs, AT_ONCE).await > 0 {
        if jobs.len() < AT_ONCE {
            tokio::time::sleep(GATHER).await;
            while jobs.len() < AT_ONCE
                && let Ok(job) = queue.try_recv()
            {
                jobs.push(job);
            }
        }
        let entries = jobs.iter().map(|job| job.entry.clone()).collect();
        match store.append(entries).await {
            Ok(placed) => {
                if std::mem::take(&mut fails) {
                    tracing::info!("the chat's log can be written again");
                }
                for (job, placed) in jobs.drain(..).zip(placed) {
                    answer(&job, how(placed));
                }
            }
            Err(error) => {
                if !std::mem::replace(&mut fails, true) {
                    tracing::error!(%error, "the chat's log can't be written; messages and donations are refused");
                }
                jobs.drain(..)
                    .for_each(|job| answer(&job, Appended::Failed));
            }
        }
    }
}

fn how(placed: Placed) -> Appended {
    match placed {
        Placed::New(seq) => Appended::New(seq),
        Placed::Known(seq) => Appended::Known(seq),
    }
}

fn answer(job: &Job, how: Appended) {
    // A room that is gone asked for nothing that matters any more.
    let _ = job.answer.send((job.ticket, how));
}
