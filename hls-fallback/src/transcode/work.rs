//! One video rendition: a thread that scales, encodes and hands on.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::Receiver,
    },
};

use ffmpeg_next::frame;

use super::{
    Sink,
    cadence::Cadence,
    decoder::Decoder,
    encoder::{self, EncodeError, Encoded, EncoderKind, VideoEncoder},
    ladder::Rendition,
    rendition::Job,
    scaler::Scaler,
    segments::Beginning,
};
use crate::media::{Content, Frame, Sample};

/// What the thread owns.
pub(super) struct Work {
    name: String,
    kind: EncoderKind,
    cadence: Cadence,
    sink: Box<dyn Sink>,
    waiting: Arc<AtomicUsize>,
    /// Those that haven't begun.
    segments: VecDeque<Beginning>,
    /// None while it rests, or is the source itself.
    encoding: Option<Encoding>,
}

struct Encoding {
    rendition: Rendition,
    encoder: Box<dyn VideoEncoder>,
    scaler: Scaler,
    /// Of pictures that come as they were sent.
    decoder: Option<Decoder>,
    /// The last picture, scaled.
    shown: Option<frame::Video>,
    /// The slot that comes next.
    next: u64,
    /// The sink is to be told how the next sample is encoded.
    starts: bool,
}

impl Work {
    pub(super) fn new(
        name: String,
        kind: EncoderKind,
        cadence: Cadence,
        sink: Box<dyn Sink>,
        waiting: Arc<AtomicUsize>,
    ) -> Self {
        Self {
            name,
            kind,
            cadence,
            sink,
            waiting,
            segments: VecDeque::new(),
            encoding: None,
        }
    }

    pub(super) fn run(mut self, queue: &Receiver<Job>) {
        while let Ok(job) = queue.recv() {
            if let Err(error) = self.on_job(job) {
                tracing::error!(rendition = self.name, %error, "a rendition ends");
                // Without the end of a rendition that was finished, it is taken out: players go on with another.
                return;
            }
        }
        self.sink.finish();
    }

    fn on_job(&mut self, job: Job) -> Result<(), EncodeError> {
        match job {
            Job::Expect(rendition) => {
                let config = encoder::sample_config(self.kind, &rendition, self.cadence.rate)?;
                self.sink.expect(config, rendition.rung.bitrate);
            }
            Job::MayBe { rendition, config } => {
                let encoded = encoder::sample_config(self.kind, &rendition, self.cadence.rate)?;
                self.sink.may_be(vec![encoded, config]);
            }
            Job::Encode { from, rendition } => {
                self.encode_until(from)?;
                self.encoding = Some(Encoding::open(self.kind, rendition, &self.cadence, from)?);
            }
            Job::Pass { from, config } => {
                self.encode_until(from)?;
                self.encoding = None;
                self.sink.start(config);
            }
            Job::Rest { from, pause } => {
                self.encode_until(from)?;
                self.encoding = None;
                self.segments.clear();
                self.sink.rest(pause);
            }
            Job::Segment(beginning) => self.announce(beginning),
            Job::Picture(slot, picture) => {
                self.waiting.fetch_sub(1, Ordering::Relaxed);
                self.show(slot, &picture)?;
            }
            Job::Coded(slot, frame) => self.show_coded(slot, &frame)?,
            Job::Sample(sample) => self.sink.push(sample),
        }
        Ok(())
    }

    /// Said again of one that hasn't begun, it holds instead.
    fn announce(&mut self, beginning: Beginning) {
        let earlier = |known: &Beginning| known.number < beginning.number;
        let count = self.segments.iter().take_while(|s| earlier(s)).count();
        self.segments.truncate(count);
        self.segments.push_back(beginning);
        self.sink.begin_segment(beginning.number, beginning.slot);
    }

    fn show_coded(&mut self, slot: u64, frame: &Frame) -> Result<(), EncodeError> {
        let Content::Video { codec, .. } = frame.content else {
            return Ok(());
        };
        let Some(encoding) = &mut self.encoding else {
            return Ok(());
        };
        if encoding.decoder.is_none() {
            encoding.decoder = Decoder::open(codec).ok();
        }
        let mut pictures = Vec::new();
        if let Some(decoder) = &mut encoding.decoder {
            // What can't be decoded shows the picture before.
            let _ = decoder.decode(&frame.data, frame.time.0, |mut picture, _| {
                picture.set_kind(ffmpeg_next::picture::Type::None);
                pictures.push(picture);
            });
        }
        pictures
            .iter()
            .try_for_each(|picture| self.show(slot, picture))
    }

    fn show(&mut self, slot: u64, picture: &frame::Video) -> Result<(), EncodeError> {
        let Some(encoding) = &mut self.encoding else {
            return Ok(());
        };
        if slot < encoding.next {
            // One of several for a slot.
            return Ok(());
        }
        let mut scaled = encoding.scaler.scale(picture).map_err(EncodeError::Scale)?;
        if encoding.shown.is_some() {
            self.encode_until(slot)?;
        }
        // Right after it began there is no picture before.
        self.encode(&mut scaled, slot + 1)?;
        if let Some(encoding) = &mut self.encoding {
            encoding.shown = Some(scaled);
        }
        Ok(())
    }

    /// Encodes the picture before in the slots up to this one that none came for.
    fn encode_until(&mut self, slot: u64) -> Result<(), EncodeError> {
        let shown = self.encoding.as_mut().and_then(|e| e.shown.take());
        if let Some(mut shown) = shown {
            self.encode(&mut shown, slot)?;
            if let Some(encoding) = &mut self.encoding {
                encoding.shown = Some(shown);
            }
        }
        Ok(())
    }

    /// Encodes a picture in all slots before `end` that have none.
    fn encode(&mut self, picture: &mut frame::Video, end: u64) -> Result<(), EncodeError> {
        while let Some(encoding) = &mut self.encoding
            && encoding.next < end
        {
            let slot = encoding.next;
            encoding.next += 1;
            while self.segments.front().is_some_and(|s| s.slot < slot) {
                self.segments.pop_front();
            }
            let begins = self.segments.pop_front_if(|s| s.slot == slot).is_some();
            let keyframe = begins || encoding.starts;
            if let Some(encoded) = encoding.encoder.encode(picture, slot, keyframe)? {
                self.hand_on(encoded)?;
            }
        }
        Ok(())
    }

    fn hand_on(&mut self, encoded: Encoded) -> Result<(), EncodeError> {
        let Some(encoding) = &mut self.encoding else {
            return Ok(());
        };
        if encoding.starts {
            let config = encoder::track_config(self.kind, &encoding.rendition, &encoded.unit)?;
            self.sink.start(config);
            encoding.starts = false;
        }
        let ticks = self.cadence.ticks_per_slot();
        self.sink.push(Sample {
            data: encoded.unit.data,
            time: encoded.slot * u64::from(ticks),
            duration: ticks,
            keyframe: encoded.keyframe,
        });
        Ok(())
    }
}

impl Encoding {
    fn open(
        kind: EncoderKind,
        rendition: Rendition,
        cadence: &Cadence,
        from: u64,
    ) -> Result<Self, EncodeError> {
        Ok(Self {
            encoder: encoder::open(kind, &rendition, cadence.rate)?,
            scaler: Scaler::new(rendition.size),
            rendition,
            decoder: None,
            shown: None,
            next: from,
            starts: true,
        })
    }
}
