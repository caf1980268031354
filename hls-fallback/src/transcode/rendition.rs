//! One video rendition: a thread that scales, encodes and hands on.

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread,
};

use ffmpeg_next::frame;

use super::{
    Sink,
    cadence::Cadence,
    encoder::{EncodeError, Encoded, EncoderKind, LibavEncoder, VideoEncoder},
    h264,
    ladder::Rendition,
    scaler::Scaler,
};
use crate::media::Sample;

/// Pictures that wait for a rendition at most: two thirds of a second at 30 a second. They are shared by all renditions.
const QUEUE: usize = 20;

/// What a rendition is told.
enum Job {
    /// The picture of a slot.
    Slot(u64, Arc<frame::Video>),
    /// The same, and from an earlier or this slot on the rendition is another.
    Change(u64, Arc<frame::Video>, Box<Change>),
}

struct Change {
    from: u64,
    rendition: Rendition,
}

/// The end of a rendition's thread that pictures are given in at.
pub(super) struct Worker {
    name: String,
    jobs: SyncSender<Job>,
    thread: thread::JoinHandle<()>,
    dropped: u64,
    /// Goes with the next picture that there is room for.
    change: Option<Box<Change>>,
}

impl Worker {
    /// Starts the thread of a rendition.
    pub(super) fn start(
        kind: EncoderKind,
        rendition: Rendition,
        cadence: Cadence,
        sink: Box<dyn Sink>,
    ) -> Result<Self, EncodeError> {
        let encoder = LibavEncoder::open(kind, &rendition, cadence.rate)?;
        let name = rendition.name.clone();
        let (jobs, queue) = sync_channel(QUEUE);
        let work = Work {
            kind,
            encoder: Box::new(encoder),
            rendition,
            cadence,
            sink,
            shown: None,
            next: None,
            starts: true,
            has_begun: false,
        };
        let thread = thread::Builder::new()
            .name(format!("rendition-{name}"))
            .spawn(move || work.run(&queue))
            .map_err(EncodeError::Thread)?;
        Ok(Self {
            name,
            jobs,
            thread,
            dropped: 0,
            change: None,
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Gives a picture in. One that there's no room for is left out: the rendition repeats the one before. False once the thread
    /// has ended.
    pub(super) fn push(&mut self, slot: u64, picture: &Arc<frame::Video>) -> bool {
        let picture = picture.clone();
        let job = match self.change.take() {
            Some(change) => Job::Change(slot, picture, change),
            None => Job::Slot(slot, picture),
        };
        match self.jobs.try_send(job) {
            Ok(()) => true,
            Err(TrySendError::Full(job)) => {
                if let Job::Change(_, _, change) = job {
                    self.change = Some(change);
                }
                self.dropped += 1;
                if self.dropped.is_power_of_two() {
                    tracing::warn!(
                        rendition = self.name,
                        pictures = self.dropped,
                        "this machine is too slow for all renditions: pictures are left out"
                    );
                }
                true
            }
            Err(TrySendError::Disconnected(_)) => false,
        }
    }

    /// Has it go on with another size or bitrate, from slot `from` on, which begins a segment.
    pub(super) fn change(&mut self, from: u64, rendition: Rendition) {
        self.change = Some(Box::new(Change { from, rendition }));
    }

    /// Lets the thread encode what it was given, and end.
    pub(super) fn finish(self) {
        drop(self.jobs);
        // A panic of it has been reported already.
        let _ = self.thread.join();
    }
}

/// What the thread owns.
struct Work {
    kind: EncoderKind,
    rendition: Rendition,
    cadence: Cadence,
    encoder: Box<dyn VideoEncoder>,
    sink: Box<dyn Sink>,
    /// The last picture, scaled.
    shown: Option<frame::Video>,
    /// The slot that comes next.
    next: Option<u64>,
    /// The sink is to be told how the next sample is encoded.
    starts: bool,
    /// It was told where the first segment begins.
    has_begun: bool,
}

impl Work {
    fn run(mut self, queue: &Receiver<Job>) {
        // Not moved between threads.
        let mut scaler = Scaler::new(self.rendition.size);
        while let Ok(job) = queue.recv() {
            let done = match job {
                Job::Slot(slot, picture) => self.slot(slot, &picture, &mut scaler),
                Job::Change(slot, picture, change) => self
                    .repeat_until(change.from)
                    .and_then(|()| self.change(change.rendition, &mut scaler))
                    .and_then(|()| self.slot(slot, &picture, &mut scaler)),
            };
            if let Err(error) = done {
                tracing::error!(rendition = self.rendition.name, %error, "a rendition ends");
                // Without the end of a rendition that was finished, it is taken out: players go on with another.
                return;
            }
        }
        self.sink.finish();
    }

    /// The picture before in the slots that were left out.
    fn repeat_until(&mut self, slot: u64) -> Result<(), EncodeError> {
        let Some(mut shown) = self.shown.take() else {
            return Ok(());
        };
        while let Some(missed) = self.next.filter(|next| *next < slot) {
            self.encode(&mut shown, missed)?;
            self.next = Some(missed + 1);
        }
        self.shown = Some(shown);
        Ok(())
    }

    fn slot(
        &mut self,
        slot: u64,
        picture: &frame::Video,
        scaler: &mut Scaler,
    ) -> Result<(), EncodeError> {
        let mut scaled = scaler.scale(picture).map_err(EncodeError::Scale)?;
        self.repeat_until(slot)?;
        // Right after a change there is no picture before.
        for missed in self.next.unwrap_or(slot)..slot {
            self.encode(&mut scaled, missed)?;
        }
        self.encode(&mut scaled, slot)?;
        self.shown = Some(scaled);
        self.next = Some(slot + 1);
        Ok(())
    }

    fn change(&mut self, rendition: Rendition, scaler: &mut Scaler) -> Result<(), EncodeError> {
        self.encoder = Box::new(LibavEncoder::open(
            self.kind,
            &rendition,
            self.cadence.rate,
        )?);
        *scaler = Scaler::new(rendition.size);
        self.rendition = rendition;
        (self.shown, self.starts) = (None, true);
        Ok(())
    }

    fn encode(&mut self, picture: &mut frame::Video, slot: u64) -> Result<(), EncodeError> {
        let begins = self.starts || self.cadence.segment_at(slot).is_some();
        match self.encoder.encode(picture, slot, begins)? {
            Some(encoded) => self.hand_on(encoded),
            None => Ok(()),
        }
    }

    fn hand_on(&mut self, encoded: Encoded) -> Result<(), EncodeError> {
        let Encoded {
            slot,
            unit,
            keyframe,
        } = encoded;
        if self.starts {
            let size = (
                self.rendition.size.width as u16,
                self.rendition.size.height as u16,
            );
            let config = unit
                .sps
                .as_deref()
                .zip(unit.pps.as_deref())
                .and_then(|(sps, pps)| h264::track_config(sps, pps, size))
                .ok_or(EncodeError::NoParameterSets(self.kind))?;
            self.sink.start(config);
            self.starts = false;
        }
        let ticks = self.cadence.ticks_per_slot();
        if let Some(number) = self.cadence.segment_at(slot) {
            if !self.has_begun {
                self.sink.begin_segment(number, slot);
                self.has_begun = true;
            }
            // One ahead: so it is known where each ends.
            let next = self.cadence.slot_of_segment(number + 1);
            self.sink.begin_segment(number + 1, next);
        }
        self.sink.push(Sample {
            data: unit.data,
            time: slot * u64::from(ticks),
            duration: ticks,
            keyframe,
        });
        Ok(())
    }
}
