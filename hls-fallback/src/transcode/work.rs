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
use spillway_cuda::is_on_gpu;

use super::{
    Sink,
    cadence::Cadence,
    decoder::Decoder,
    encoder::{self, EncodeError, Encoded, EncoderKind, VideoEncoder},
    home::Home,
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
    home: Home,
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
    /// Another encoder took over, and begins with the next segment: what comes before isn't encoded.
    pauses: bool,
}

impl Work {
    pub(super) fn new(
        name: String,
        (kind, home): (EncoderKind, Home),
        cadence: Cadence,
        sink: Box<dyn Sink>,
        waiting: Arc<AtomicUsize>,
    ) -> Self {
        Self {
            name,
            kind,
            home,
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
                let near = self.home.device().map(|device| device.gpu());
                let rate = self.cadence.rate;
                let encoder = encoder::open(self.kind, &rendition, rate, near)?;
                self.encoding = Some(Encoding::new(encoder, rendition, from));
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
            encoding.decoder = Decoder::open(codec, self.home.device()).ok();
        }
        let mut pictures = Vec::new();
        if let Some(decoder) = &mut encoding.decoder {
            // What can't be decoded shows the picture before.
            let decoded = decoder.decode(&frame.data, frame.time.0, |mut picture, _| {
                picture.set_kind(ffmpeg_next::picture::Type::None);
                pictures.push(picture);
            });
            if let Err(error) = decoded
                && decoder.blames_gpu(&error)
            {
                self.home.leave(&error);
                encoding.decoder = None;
            }
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
        let mut scaled = match encoding.scaler.scale(picture) {
            Ok(scaled) => scaled,
            Err(error) if is_on_gpu(picture) => {
                // The picture before is shown in its place, until they come from the processor.
                self.home.leave(&error);
                return Ok(());
            }
            Err(error) => return Err(EncodeError::Scale(error)),
        };
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
            encoding.pauses &= !begins;
            if !encoding.pauses {
                self.encode_one(picture, slot, begins)?;
            }
        }
        Ok(())
    }

    fn encode_one(
        &mut self,
        picture: &mut frame::Video,
        slot: u64,
        begins: bool,
    ) -> Result<(), EncodeError> {
        let Some(encoding) = &mut self.encoding else {
            return Ok(());
        };
        let keyframe = begins || encoding.starts;
        match encoding.encoder.encode(picture, slot, keyframe) {
            Ok(Some(encoded)) => self.hand_on(encoded),
            Ok(None) => Ok(()),
            Err(error) => {
                self.leave_gpu(error, picture, !begins)?;
                // Nothing of the segment has been handed on: it may begin with this.
                if begins {
                    self.encode_one(picture, slot, begins)
                } else {
                    Ok(())
                }
            }
        }
    }

    /// The encoder failed. Where that was a GPU, the processor goes on, from the next segment on: what it makes doesn't continue what
    /// there is of this one.
    fn leave_gpu(
        &mut self,
        error: EncodeError,
        picture: &mut frame::Video,
        pauses: bool,
    ) -> Result<(), EncodeError> {
        let Some(encoding) = &mut self.encoding else {
            return Ok(());
        };
        let (rendition, rate) = (&encoding.rendition, self.cadence.rate);
        if !encoding.encoder.kind().is_hardware() {
            return Err(error);
        }
        let open = || encoder::open_on_processor(rendition, rate);
        let (Some(sample), Some(encoder)) = (open(), open()) else {
            return Err(error);
        };
        tracing::warn!(
            rendition = self.name,
            reason = %error,
            encoder = %encoder.kind(),
            "a GPU fails: the processor encodes this rendition"
        );
        if !encoding.starts {
            self.sink.start(encoder::config_of(sample, rendition)?);
        }
        encoding.encoder = encoder;
        encoding.scaler = Scaler::new(encoding.rendition.size, None);
        encoding.pauses = pauses;
        if is_on_gpu(picture) {
            let fetched = encoding.scaler.scale(picture);
            *picture = fetched.unwrap_or_else(|_| encoder::black_picture(encoding.rendition.size));
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
    /// From a slot on, which begins a segment.
    fn new(encoder: Box<dyn VideoEncoder>, rendition: Rendition, from: u64) -> Self {
        Self {
            scaler: Scaler::new(rendition.size, encoder.device().cloned()),
            encoder,
            rendition,
            decoder: None,
            shown: None,
            next: from,
            starts: true,
            pauses: false,
        }
    }
}

#[cfg(test)]
#[path = "work_tests.rs"]
mod tests;
