//! How other threads reach a worker.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    time::Instant,
};

use mio::{Registry, Waker};
use spillway_sfu::{
    Accepted, IceCredentials, LayerSelection, LayerStatistics, PeerMessage, PublishRequest, Reject,
    SessionId, VideoClock, WatchRequest, WorkerId,
};
use tokio::sync::oneshot;

use crate::{handover::Strays, statistics::WorkerStatistics, tcp::MovedConnection, tokens};

/// Letters that may wait for a worker. A worker that is this far behind is stuck or drowned: commands are then
/// refused, and media and strays for it are dropped.
pub(crate) const MAILBOX_LETTERS: usize = 16_384;

/// What a worker is told.
pub(crate) enum Letter<S> {
    /// By the platform.
    Command(Command<S>),
    /// By another worker's engine.
    Peer {
        from: WorkerId,
        message: PeerMessage,
    },
    /// Datagrams that reached the wrong worker's socket.
    Strays(Strays),
    /// A TCP connection that another worker accepted.
    Connection(MovedConnection),
}

/// A message for one data channel, of text in UTF-8. The bytes are shared, so one message for many costs no copies.
#[derive(Debug, Clone)]
pub struct DataMessage {
    /// To whom.
    pub session: SessionId,
    /// Its SCTP stream.
    pub channel: u16,
    /// What.
    pub text: Arc<str>,
}

/// What the platform asks of a worker, each with the way back for the answer.
pub(crate) enum Command<S> {
    Publish {
        request: PublishRequest,
        reply: oneshot::Sender<Result<Accepted, Reject>>,
    },
    Watch {
        request: WatchRequest,
        reply: oneshot::Sender<Result<Accepted, Reject>>,
    },
    RestartIce {
        session: SessionId,
        remote: IceCredentials,
        reply: oneshot::Sender<Result<IceCredentials, Reject>>,
    },
    SelectLayers {
        session: SessionId,
        selection: LayerSelection,
        reply: oneshot::Sender<Result<(), Reject>>,
    },
    SessionLayers {
        session: SessionId,
        reply: oneshot::Sender<Result<Vec<LayerStatistics>, Reject>>,
    },
    Close {
        session: SessionId,
        reply: oneshot::Sender<Result<(), Reject>>,
    },
    SendData {
        messages: Vec<DataMessage>,
        /// The sessions that didn't take theirs.
        reply: oneshot::Sender<Vec<SessionId>>,
    },
    CloseChannel {
        session: SessionId,
        channel: u16,
    },
    VideoClocks {
        sessions: Vec<SessionId>,
        reply: oneshot::Sender<Vec<VideoClock>>,
    },
    Statistics {
        reply: oneshot::Sender<WorkerStatistics<S>>,
    },
    /// End every session, send what waits until `deadline`, and end the thread. The reply is dropped then.
    Stop {
        deadline: Instant,
        reply: Option<oneshot::Sender<()>>,
    },
}

/// The sending side; shared by everyone who knows the worker.
pub(crate) struct Mailbox<S> {
    letters: SyncSender<Letter<S>>,
    /// Set from the first letter until the worker looks, so that a burst of letters wakes it once.
    knocked: Arc<AtomicBool>,
    waker: Waker,
}

/// The worker's side.
pub(crate) struct Letters<S> {
    letters: Receiver<Letter<S>>,
    knocked: Arc<AtomicBool>,
}

/// Makes a mailbox that wakes the poll behind `registry`.
pub(crate) fn mailbox<S>(registry: &Registry) -> io::Result<(Mailbox<S>, Letters<S>)> {
    let (sender, receiver) = sync_channel(MAILBOX_LETTERS);
    let knocked = Arc::new(AtomicBool::new(false));
    let mailbox = Mailbox {
        letters: sender,
        knocked: knocked.clone(),
        waker: Waker::new(registry, tokens::MAILBOX)?,
    };
    let letters = Letters {
        letters: receiver,
        knocked,
    };
    Ok((mailbox, letters))
}

/// Why a letter wasn't taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Undelivered {
    /// [`MAILBOX_LETTERS`] wait already.
    Full,
    /// The worker has ended.
    Gone,
}

impl<S> Mailbox<S> {
    pub(crate) fn send(&self, letter: Letter<S>) -> Result<(), Undelivered> {
        self.letters.try_send(letter).map_err(|error| match error {
            TrySendError::Full(_) => Undelivered::Full,
            TrySendError::Disconnected(_) => Undelivered::Gone,
        })?;
        if !self.knocked.swap(true, Ordering::AcqRel)
            && let Err(error) = self.waker.wake()
        {
            tracing::error!(%error, "a media worker couldn't be woken");
        }
        Ok(())
    }
}

impl<S> Letters<S> {
    /// To be called before the letters are read: what comes after this wakes the worker anew.
    pub(crate) fn answer_knock(&self) {
        // Acquires too: a sender that found the flag set relies on its letter being seen now.
        self.knocked.swap(false, Ordering::AcqRel);
    }

    pub(crate) fn next(&self) -> Option<Letter<S>> {
        self.letters.try_recv().ok()
    }
}
