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
    /// From the next segment on it is like this.
    Change(Rendition),
}

/// The end of a rendition's thread that pictures are given in at.
pub(super) struct Worker {
    name: String,
    jobs: SyncSender<Job>,
    thread: thread::JoinHandle<()>,
    dropped: u64,
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
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Gives a picture in. One that there's no room for is left out: the rendition repeats the one before. False once the thread
    /// has ended.
    pub(super) fn push(&mut self, slot: u64, picture: &Arc<frame::Video>) -> bool {
        match self.jobs.try_send(Job::Slot(slot, picture.clone())) {
            Ok(()) => true,
            Err(TrySendError::Full(_)) => {
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

    /// Has it go on with another size or bitrate. False once the thread has ended.
    pub(super) fn change(&mut self, rendition: Rendition) -> bool {
        self.jobs.send(Job::Change(rendition)).is_ok()
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
                Job::Change(rendition) => {
                    scaler = Scaler::new(rendition.size);
                    self.change(rendition)
                }
            };
            if let Err(error) = done {
                tracing::error!(rendition = self.rendition.name, %error, "a rendition ends");
                break;
            }
        }
        self.sink.finish();
    }

    fn slot(
        &mut self,
        slot: u64,
        picture: &frame::Video,
        scaler: &mut Scaler,
    ) -> Result<(), EncodeError> {
        let mut scaled = scaler.scale(picture).map_err(EncodeError::Scale)?;
        // Slots that were left out show the picture before, or right after a change this one.
        for missed in self.next.unwrap_or(slot)..slot {
            let mut shown = self.shown.take();
            self.encode(shown.as_mut().unwrap_or(&mut scaled), missed)?;
            self.shown = shown;
        }
        self.encode(&mut scaled, slot)?;
        self.shown = Some(scaled);
        self.next = Some(slot + 1);
        Ok(())
    }

    fn change(&mut self, rendition: Rendition) -> Result<(), EncodeError> {
        self.encoder = Box::new(LibavEncoder::open(
            self.kind,
            &rendition,
            self.cadence.rate,
        )?);
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
