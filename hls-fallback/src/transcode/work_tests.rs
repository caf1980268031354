//! What becomes of a rendition whose encoder fails.

#![allow(clippy::unwrap_used)]

use std::{
    sync::{Mutex, atomic::AtomicUsize},
    time::Duration,
};

use super::*;
use crate::{
    media::{Moment, TrackConfig},
    origin::{Presentation, RenditionInfo, RenditionKind, RenditionWriter, Settings},
    transcode::{
        Pause, SAMPLE_RATE, ladder,
        ladder::{Rung, Size},
        rate,
    },
};

/// Slots of a segment.
const SEGMENT: u64 = 30;

/// A GPU, as far as anybody can tell, that encodes so many pictures.
struct Failing {
    encoder: Box<dyn VideoEncoder>,
    kind: EncoderKind,
    left: u32,
}

impl VideoEncoder for Failing {
    fn kind(&self) -> EncoderKind {
        self.kind
    }

    fn encode(
        &mut self,
        picture: &mut frame::Video,
        slot: u64,
        keyframe: bool,
    ) -> Result<Option<Encoded>, EncodeError> {
        self.left = self.left.checked_sub(1).ok_or(EncodeError::NoGpu)?;
        self.encoder.encode(picture, slot, keyframe)
    }
}

/// What an origin was told, which complains of what it can't take.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<(Vec<u64>, Vec<usize>)>>);

struct OnOrigin {
    writer: RenditionWriter,
    told: Told,
}

impl Sink for OnOrigin {
    fn expect(&mut self, _: TrackConfig, _: u32) {}
    fn may_be(&mut self, _: Vec<TrackConfig>) {}
    fn rest(&mut self, _: Pause) {}
    fn finish(&mut self) {}

    fn start(&mut self, config: TrackConfig) {
        let (slots, starts) = &mut *self.told.0.lock().unwrap();
        starts.push(slots.len());
        self.writer.start(config).unwrap();
    }

    fn begin_segment(&mut self, number: u64, slot: u64) {
        self.writer.begin_segment(number, slot).unwrap();
    }

    fn push(&mut self, sample: Sample) {
        let slot = sample.time / u64::from(sample.duration);
        assert_eq!(sample.keyframe, slot.is_multiple_of(SEGMENT));
        self.told.0.lock().unwrap().0.push(slot);
        self.writer.push(sample).unwrap();
    }
}

fn rendition() -> ladder::Rendition {
    let rung = Rung {
        side: 90,
        bitrate: 200_000,
    };
    let size = Size {
        width: 160,
        height: 90,
    };
    ladder::Rendition::of(size, rung)
}

fn work(left: u32, kind: EncoderKind) -> (Work, Told) {
    let cadence = Cadence::new(
        (Moment(0), 0),
        rate::DEFAULT,
        Duration::from_millis(200),
        Duration::from_secs(1),
    );
    let presentation = Presentation::new(Settings {
        grid: cadence.rate,
        part_frames: cadence.part,
        target_duration: cadence.segment_seconds(),
        audio_rate: SAMPLE_RATE,
        opus: false,
        epoch: cadence.epoch,
        window: Duration::from_mins(1),
    });
    let writer = presentation.unwrap().add_rendition(RenditionInfo {
        name: "90p".to_owned(),
        kind: RenditionKind::Video { rate: cadence.rate },
        timescale: cadence.video_timescale(),
    });
    let told = Told::default();
    let sink = OnOrigin {
        writer: writer.unwrap(),
        told: told.clone(),
    };
    let place = (kind, Home::new(EncoderKind::X264));
    let waiting = Arc::new(AtomicUsize::new(1_000));
    let mut work = Work::new("90p".to_owned(), place, cadence, Box::new(sink), waiting);
    let encoder = Box::new(Failing {
        encoder: encoder::open_on_processor(&rendition(), cadence.rate).unwrap(),
        kind,
        left,
    });
    work.encoding = Some(Encoding::new(encoder, rendition(), 0));
    (work, told)
}

/// The slots that came of three segments, and after how many of them it was told how they are encoded.
fn made(left: u32) -> (Vec<u64>, Vec<usize>) {
    let (mut work, told) = work(left, EncoderKind::Nvenc);
    broadcast(&mut work).unwrap();
    told.0.lock().unwrap().clone()
}

fn broadcast(work: &mut Work) -> Result<(), EncodeError> {
    let begins = |number| {
        let slot = number * SEGMENT;
        Job::Segment(Beginning { number, slot })
    };
    work.on_job(begins(0))?;
    let picture = Arc::new(encoder::black_picture(Size {
        width: 320,
        height: 180,
    }));
    for slot in 0..3 * SEGMENT {
        if slot.is_multiple_of(SEGMENT) {
            work.on_job(begins(slot / SEGMENT + 1))?;
        }
        work.on_job(Job::Picture(slot, picture.clone()))?;
    }
    Ok(())
}

#[test]
fn the_processor_goes_on_with_the_next_segment() {
    let (slots, starts) = made(40);
    assert!(slots.iter().copied().eq((0..40).chain(60..90)), "{slots:?}");
    assert_eq!(starts, [0, 40]);
}

#[test]
fn nothing_is_left_out_where_a_segment_begins() {
    let (slots, starts) = made(30);
    assert!(slots.iter().copied().eq(0..90), "{slots:?}");
    assert_eq!(starts, [0, 30]);
    // Nor where the rendition does, of which nobody was told what it is.
    let (slots, starts) = made(0);
    assert!(slots.iter().copied().eq(0..90), "{slots:?}");
    assert_eq!(starts, [0]);
}

#[test]
fn what_the_processor_cannot_encode_ends_the_rendition() {
    let (mut work, told) = work(40, EncoderKind::X264);
    let ended = broadcast(&mut work);
    assert!(matches!(ended, Err(EncodeError::NoGpu)), "{ended:?}");
    assert_eq!(told.0.lock().unwrap().0.len(), 40);
}
