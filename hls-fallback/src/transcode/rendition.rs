//! One video rendition: the end of its thread that it is told at what to make.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{SyncSender, sync_channel},
    },
    thread,
};

use ffmpeg_next::frame;

use super::{
    Pause, Sink,
    cadence::Cadence,
    encoder::{EncodeError, EncoderKind},
    home::Home,
    ladder::Rendition,
    segments::Beginning,
    work::Work,
};
use crate::media::{Frame, Sample, TrackConfig};

/// Pictures that wait for a rendition at most: two thirds of a second at 30 a second. They are shared by all renditions.
const PICTURES: usize = 20;
/// What else may wait, in pictures as they came and samples of them: two of the longest segments at 60 a second, and more. A
/// rendition that is behind by so much ends.
const QUEUE: usize = 1_024;

/// What a rendition is told, in order.
pub(super) enum Job {
    /// It isn't made yet, but would be like that.
    Expect(Rendition),
    /// It is encoded as this rendition at times, and like that at others.
    MayBe {
        rendition: Rendition,
        config: TrackConfig,
    },
    /// It is encoded from a slot on, which begins a segment.
    Encode { from: u64, rendition: Rendition },
    /// It is the source from a slot on, which begins a segment.
    Pass { from: u64, config: TrackConfig },
    /// It isn't made from a slot on, which begins a segment.
    Rest { from: u64, pause: Pause },
    /// A segment begins there.
    Segment(Beginning),
    /// The picture of a slot, to be encoded.
    Picture(u64, Arc<frame::Video>),
    /// The same, to be decoded first.
    Coded(u64, Frame),
    /// What is passed through.
    Sample(Sample),
}

/// The end of a rendition's thread that it is told at.
pub(super) struct Worker {
    name: String,
    jobs: SyncSender<Job>,
    /// Pictures that wait.
    waiting: Arc<AtomicUsize>,
    thread: thread::JoinHandle<()>,
    pictures: u64,
    dropped: u64,
}

impl Worker {
    /// Starts the thread of a rendition, which makes nothing yet.
    pub(super) fn start(
        name: &str,
        (kind, home): (EncoderKind, Home),
        cadence: Cadence,
        sink: Box<dyn Sink>,
    ) -> Result<Self, EncodeError> {
        let (jobs, queue) = sync_channel(QUEUE);
        let waiting = Arc::new(AtomicUsize::new(0));
        let (title, counter) = (name.to_owned(), waiting.clone());
        // That of the broadcast.
        let span = tracing::Span::current();
        let thread = thread::Builder::new()
            .name(format!("rendition-{name}"))
            .spawn(move || {
                span.in_scope(|| {
                    Work::new(title, (kind, home), cadence, sink, counter).run(&queue);
                });
            })
            .map_err(EncodeError::Thread)?;
        Ok(Self {
            name: name.to_owned(),
            jobs,
            waiting,
            thread,
            pictures: 0,
            dropped: 0,
        })
    }

    /// Tells it something that it mustn't miss. False once the thread has ended, or is hopelessly behind.
    pub(super) fn tell(&self, job: Job) -> bool {
        self.jobs.try_send(job).is_ok()
    }

    /// Gives a picture in. One that there's no room for is left out: the rendition repeats the one before.
    pub(super) fn push(&mut self, slot: u64, picture: &Arc<frame::Video>) -> bool {
        self.pictures += 1;
        if self.waiting.load(Ordering::Relaxed) >= PICTURES {
            self.dropped += 1;
            if self.dropped.is_power_of_two() {
                tracing::warn!(
                    rendition = self.name,
                    pictures = self.dropped,
                    "this machine is too slow for all renditions: pictures are left out"
                );
            }
            return true;
        }
        self.waiting.fetch_add(1, Ordering::Relaxed);
        self.tell(Job::Picture(slot, picture.clone()))
    }

    /// Pictures that were given in so far, and how many of them were left out.
    pub(super) fn counts(&self) -> (u64, u64) {
        (self.pictures, self.dropped)
    }

    /// Lets the thread make what it was told, and end.
    pub(super) fn finish(self) {
        drop(self.jobs);
        // A panic of it has been reported already.
        let _ = self.thread.join();
    }
}
