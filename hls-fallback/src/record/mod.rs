//! Recordings: what is on air is kept while it is, and can be watched when it is over.
//!
//! ```text
//! RenditionWriter ──units──► tap ──queue──► scribe ──files──► spool ──courier──► storage
//!  (threads that encode)           (a thread of each broadcast)    (a task of each)  finish: MP4, chapters, pictures
//! ```
//!
//! The threads that encode never wait for it: what the queue, the spool or the disk has no room for is missing in the recording,
//! which is said, and live goes on. What is in the spool survives the process: [`Recorder::open`] goes on with it.

mod captions;
mod chapters;
mod choice;
mod courier;
mod disk;
mod files;
mod finish;
mod fragments;
mod journal;
mod lead_in;
mod model;
mod movie;
mod pictures;
mod playlist;
mod queue;
mod recovery;
mod scribe;
mod spine;
mod spool;
mod storage;

use std::{
    collections::HashMap,
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use serde::Serialize;
use tokio::{
    sync::{Semaphore, mpsc, watch},
    task::JoinHandle,
    time::timeout,
};

pub use chapters::Marker;
pub use disk::Reserve;
pub use model::State;
pub use storage::{Storage, StorageError};

use crate::{
    captions::{Cue, Language},
    media::Moment,
    origin::{RenditionInfo, Tap, is_name},
    sidecar::Node,
};
use courier::Courier;
use journal::{Journal, JournalError};
use model::{Entry, Recording as Model, Session as Begun, VERSION};
use queue::{Message, QUEUE, Recorded, Sender, SessionShared, Take};
use scribe::{Desk, Lease, Scribe};
use spool::{Folder, OpenError, Spool};

/// How recordings are made.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where they go.
    pub storage: Storage,
    /// The folder of what isn't there yet.
    pub spool: PathBuf,
    /// Bytes that may be in it.
    pub spool_limit: u64,
    /// What stays free on the disks of the spool and of a storage that is a folder.
    pub reserve: Reserve,
}

/// A recording as the node is told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// How far it is.
    pub state: State,
    /// How long it is.
    pub duration_ms: u64,
    /// What it has in the storage.
    pub bytes: u64,
    /// What is wrong with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// What all recordings share.
#[derive(Debug, Clone)]
struct Works {
    storage: Storage,
    node: Node,
    /// One is finished at a time.
    finishing: Arc<Semaphore>,
}

/// Why nothing is recorded.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The folder.
    #[error("the spool {folder} can't be used: {source}")]
    Spool {
        /// Which one.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another process records with it.
    #[error(
        "the spool {} is another sidecar's, which still runs: choose another folder with --spool, or stop that one", .0.display()
    )]
    InUse(PathBuf),
    /// It was over, and is being finished.
    #[error("{0} was recorded before, and its recording is being finished")]
    Over(String),
    /// A broadcast whose name can't be that of a folder.
    #[error("{0} is no name of a broadcast")]
    Name(String),
    /// The system gives no thread.
    #[error("no thread for a recording: {0}")]
    Thread(#[source] io::Error),
}

/// The recordings of a sidecar. To be used within a tokio runtime.
#[derive(Debug)]
pub struct Recorder {
    works: Works,
    spool: Spool,
    running: HashMap<String, Recording>,
    /// Of all recordings that aren't done, by broadcast.
    couriers: Vec<(String, JoinHandle<()>)>,
}

impl Recorder {
    /// Goes on with what is in the spool: what isn't stored yet is stored, and what was over is finished. Which of the
    /// others are over [`Self::end_all_but`] has to say.
    ///
    /// # Errors
    /// The spool can't be used.
    pub fn open(settings: Settings, node: Node) -> Result<Self, RecordError> {
        let failed = |source| RecordError::Spool {
            folder: settings.spool.clone(),
            source,
        };
        let spool = Spool::open(&settings.spool, settings.spool_limit, settings.reserve);
        let spool = spool.map_err(|error| match error {
            OpenError::InUse(folder) => RecordError::InUse(folder),
            OpenError::Folder(source) => failed(source),
        })?;
        let found = spool.broadcasts().map_err(failed)?;
        let mut recorder = Self {
            works: Works {
                storage: settings.storage.leaving(settings.reserve, &settings.spool),
                node,
                finishing: Arc::new(Semaphore::new(1)),
            },
            spool,
            running: HashMap::new(),
            couriers: Vec::new(),
        };
        for broadcast in found {
            if let Err(error) = recorder.resume(&broadcast) {
                tracing::error!(broadcast, %error, "a recording in the spool can't be gone on with");
            }
        }
        Ok(recorder)
    }

    fn resume(&mut self, broadcast: &str) -> Result<(), String> {
        let folder = self.spool.of(broadcast);
        let (mut journal, mut model) = match Journal::open(&folder.journal()) {
            Ok(opened) => opened,
            // It was killed before it had begun.
            Err(JournalError::NotOne) if folder.segments().is_ok_and(|s| s.is_empty()) => {
                return folder.delete().map_err(|error| error.to_string());
            }
            Err(error) => return Err(error.to_string()),
        };
        tracing::info!(broadcast, state = ?model.state, "a recording of before is gone on with");
        let found = recovery::segments(&folder, &model).map_err(|error| error.to_string())?;
        for (rendition, segment) in found {
            let entry = Entry::Segment { rendition, segment };
            journal.append(&entry).map_err(|error| error.to_string())?;
            model.apply(entry);
        }
        let is_over = model.state != State::Recording;
        let recording = self
            .start(model, journal, folder)
            .map_err(|error| error.to_string())?;
        if !is_over {
            self.running.insert(broadcast.to_owned(), recording);
        }
        Ok(())
    }

    /// Records a broadcast, or goes on with that.
    ///
    /// # Errors
    /// Nothing can be written.
    pub fn begin(&mut self, broadcast: &str, channel: &str) -> Result<Recording, RecordError> {
        if let Some(running) = self.running.get(broadcast) {
            return Ok(running.clone());
        }
        if !is_name(broadcast) {
            return Err(RecordError::Name(broadcast.to_owned()));
        }
        let folder = self.spool.of(broadcast);
        let failed = |source| RecordError::Spool {
            folder: folder.journal(),
            source,
        };
        if folder.journal().exists() {
            return Err(RecordError::Over(broadcast.to_owned()));
        }
        folder.create().map_err(failed)?;
        let mut journal = Journal::create(&folder.journal()).map_err(failed)?;
        let begin = Entry::Begin {
            version: VERSION,
            broadcast: broadcast.to_owned(),
            channel: channel.to_owned(),
        };
        journal.append(&begin).map_err(failed)?;
        let recording = self.start(Model::new(broadcast, channel), journal, folder)?;
        tracing::info!(broadcast, channel, "recording");
        self.running.insert(broadcast.to_owned(), recording.clone());
        Ok(recording)
    }

    /// The broadcast is over: its recording ends with what still comes of it in the next seconds, and is finished.
    pub fn end(&mut self, broadcast: &str) {
        if let Some(recording) = self.running.remove(broadcast) {
            recording.queue.tell(Message::Over);
        }
    }

    /// Those broadcasts are under way; all others are over.
    pub fn end_all_but(&mut self, live: impl Fn(&str) -> bool) {
        let over: Vec<String> = self.running.keys().filter(|b| !live(b)).cloned().collect();
        for broadcast in over {
            self.end(&broadcast);
        }
    }

    /// Ends the work. Recordings that are over are finished first, if that takes no longer than `within`; [`Self::open`] goes on with
    /// all others.
    pub async fn close(mut self, within: Duration) {
        let running = &self.running;
        let (mut over, others): (Vec<_>, Vec<_>) = self
            .couriers
            .drain(..)
            .partition(|(broadcast, _)| !running.contains_key(broadcast));
        let all = async {
            while let Some((_, courier)) = over.last_mut() {
                // A panic of it has been reported already.
                let _ = courier.await;
                over.pop();
            }
        };
        if timeout(within, all).await.is_err() {
            tracing::info!(
                recordings = over.len(),
                "recordings aren't finished yet: the next start goes on with them"
            );
        }
        over.extend(others);
        for (_, courier) in &over {
            courier.abort();
        }
        for (_, courier) in over {
            // It was ended just now.
            let _ = courier.await;
        }
    }

    fn start(
        &mut self,
        model: Model,
        journal: Journal,
        folder: Folder,
    ) -> Result<Recording, RecordError> {
        let (queue, messages) = queue::queue(QUEUE);
        let (jobs, jobs_taken) = mpsc::unbounded_channel();
        let (lists, lists_taken) = watch::channel(Vec::new());
        let (status, status_taken) = watch::channel(Status {
            state: model.state,
            duration_ms: 0,
            bytes: 0,
            problem: None,
        });
        let lease = Arc::new(Lease);
        let broadcast = model.broadcast.clone();
        let recording = Recording {
            queue: queue.clone(),
            lease: lease.clone(),
            sessions: Arc::default(),
            next_number: model.last_number().map_or(0, |last| last + 1),
            until: model.until(),
            status: status_taken.clone(),
        };
        let desk = Desk {
            recording: model,
            journal,
            folder,
            jobs,
            lists,
            status,
            lease: Arc::downgrade(&lease),
        };
        thread::Builder::new()
            .name("record".to_owned())
            .spawn(move || Scribe::new(desk).run(&messages))
            .map_err(RecordError::Thread)?;
        let courier = Courier {
            works: self.works.clone(),
            broadcast: broadcast.clone(),
            jobs: jobs_taken,
            lists: lists_taken,
            status: status_taken,
            scribe: queue,
        };
        self.couriers.retain(|(_, courier)| !courier.is_finished());
        self.couriers.push((broadcast, tokio::spawn(courier.run())));
        Ok(recording)
    }
}

/// A broadcast being recorded. Clones are the same.
#[derive(Debug, Clone)]
pub struct Recording {
    queue: Sender,
    lease: Arc<Lease>,
    /// How many sessions were begun.
    sessions: Arc<AtomicU64>,
    /// Above those that a process before this one came to.
    next_number: u64,
    until: Option<Moment>,
    status: watch::Receiver<Status>,
}

impl Recording {
    /// A transcoder begins: what it makes is a time line of its own, whose time 0 is `epoch`.
    pub fn session(&self, epoch: Moment, target_seconds: u32) -> Session {
        let id = self.sessions.fetch_add(1, Ordering::Relaxed);
        let begun = Begun {
            epoch,
            target: target_seconds,
        };
        Session {
            shared: Arc::new(SessionShared::new(begun, id)),
            queue: self.queue.clone(),
            lease: self.lease.clone(),
        }
    }

    /// Segments have numbers from this one on.
    pub fn next_number(&self) -> u64 {
        self.next_number
    }

    /// What was before this is recorded already, by a process before this one.
    pub fn until(&self) -> Option<Moment> {
        self.until
    }

    /// How it is, now and later.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }
}

/// A transcoder's life within a recording.
#[derive(Debug)]
pub struct Session {
    shared: Arc<SessionShared>,
    queue: Sender,
    lease: Arc<Lease>,
}

impl Session {
    /// Records a rendition: to be given to its [`RenditionWriter::tee`](crate::origin::RenditionWriter::tee).
    pub fn rendition(&self, info: RenditionInfo) -> Box<dyn Tap> {
        let take = Take {
            info,
            session: self.shared.clone(),
        };
        Box::new(Recorded::new(take, self.queue.clone(), self.lease.clone()))
    }

    /// The publisher's pictures and sound have come to this moment, on the session's time line. Of a broadcast that ends, what it
    /// has beyond isn't recorded.
    pub fn heard(&self, until: Moment) {
        self.shared.heard(until);
    }

    /// All renditions have a discontinuity before this segment.
    pub fn discontinuity(&self, segment: u64) {
        self.shared.discontinuity(segment);
    }

    /// Records captions in that language.
    pub fn captions(&self, language: Language) -> RecordedCaptions {
        let session = self.shared.clone();
        self.queue.offer(Message::Captions { session, language });
        RecordedCaptions {
            session: self.shared.clone(),
            queue: self.queue.clone(),
            _lease: self.lease.clone(),
        }
    }
}

/// Records the captions of a session.
#[derive(Debug)]
pub struct RecordedCaptions {
    session: Arc<SessionShared>,
    queue: Sender,
    _lease: Arc<Lease>,
}

impl RecordedCaptions {
    /// A cue with its true times: microseconds since the session's epoch. Where there's no room, the recording lacks it.
    pub fn show(&self, cue: &Cue) {
        let (session, cue) = (self.session.clone(), cue.clone());
        self.queue.offer(Message::Cue { session, cue });
    }
}
