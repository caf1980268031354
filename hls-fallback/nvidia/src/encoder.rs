//! An encoder as others use it: a thread owns the session, since that can't be moved and its buffers borrow it.

use std::{
    mem::ManuallyDrop,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
};

use crate::{
    driver::Driver,
    error::Error,
    layout::{Layout, Picture},
    parameters::Settings,
    session::{self, Buffers},
};

/// A picture, encoded.
#[derive(Debug, PartialEq, Eq)]
pub struct Coded {
    /// What it was given in with.
    pub timestamp: u64,
    /// Decoders can begin with it; its parameter sets come with it.
    pub keyframe: bool,
    /// H.264 with start codes.
    pub data: Vec<u8>,
}

struct Job {
    /// As the driver's buffer has it.
    bytes: Vec<u8>,
    timestamp: u64,
    keyframe: bool,
}

enum Reply {
    /// The session has begun. Sent once, before all others.
    Begun(Layout),
    /// A picture is encoded; its bytes come back to be used again.
    Done(Coded, Vec<u8>),
}

/// H.264 on one GPU. Each picture is waited for: it comes back from the call that gave it in.
#[derive(Debug)]
pub struct Encoder {
    layout: Layout,
    bytes: Vec<u8>,
    /// None once this is dropped, which ends the thread.
    jobs: Option<SyncSender<Job>>,
    /// One for each job. After a failure the thread ends.
    replies: Receiver<Result<Reply, Error>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Encoder {
    /// Begins a session on a GPU. How many it takes, its driver alone knows.
    pub fn open(_driver: &'static Driver, gpu: usize, settings: Settings) -> Result<Self, Error> {
        // Before anything of the driver is taken: rows are as long as the picture is wide, or longer.
        Layout::new(settings.width, settings.height, settings.width)?;
        // Nothing waits in either but what the other side is about to take.
        let (jobs, queue) = sync_channel(0);
        let (results, replies) = sync_channel(0);
        let thread = thread::Builder::new()
            .name(format!("nvenc-{gpu}"))
            .spawn(move || {
                if let Err(error) = run(gpu, &settings, &queue, &results) {
                    // Nobody listens any more if the session failed while it was ended.
                    let _ = results.send(Err(error));
                }
            })
            .map_err(Error::Thread)?;
        match replies.recv() {
            Ok(Ok(Reply::Begun(layout))) => Ok(Self {
                layout,
                bytes: Vec::new(),
                jobs: Some(jobs),
                replies,
                thread: Some(thread),
            }),
            Ok(Err(error)) => Err(error),
            Ok(Ok(Reply::Done(..))) | Err(_) => Err(Error::Ended),
        }
    }

    /// Encodes a picture. The first one is a keyframe in any case.
    pub fn encode(
        &mut self,
        picture: &Picture,
        timestamp: u64,
        keyframe: bool,
    ) -> Result<Coded, Error> {
        let mut bytes = std::mem::take(&mut self.bytes);
        self.layout.lay_out(picture, &mut bytes)?;
        let job = Job {
            bytes,
            timestamp,
            keyframe,
        };
        let jobs = self.jobs.as_ref().ok_or(Error::Ended)?;
        jobs.send(job).map_err(|_| Error::Ended)?;
        match self.replies.recv() {
            Ok(Ok(Reply::Done(coded, bytes))) => {
                self.bytes = bytes;
                Ok(coded)
            }
            Ok(Err(error)) => Err(error),
            Ok(Ok(Reply::Begun(_))) | Err(_) => Err(Error::Ended),
        }
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // A panic of it has been reported already.
            let _ = thread.join();
        }
    }
}

/// The session's thread. After a failure the session is left as it is, as [`Buffers`] says.
fn run(
    gpu: usize,
    settings: &Settings,
    jobs: &Receiver<Job>,
    results: &SyncSender<Result<Reply, Error>>,
) -> Result<(), Error> {
    let session = ManuallyDrop::new(session::begin(gpu, settings)?);
    let mut buffers = Buffers::new(&session, settings)?;
    let mut reply = Reply::Begun(buffers.layout());
    // Until nobody listens, or asks.
    while results.send(Ok(reply)).is_ok() {
        let Ok(job) = jobs.recv() else {
            break;
        };
        let coded = buffers.encode(&job.bytes, job.timestamp, job.keyframe)?;
        reply = Reply::Done(coded, job.bytes);
    }
    buffers.end()?;
    drop(ManuallyDrop::into_inner(session));
    Ok(())
}
