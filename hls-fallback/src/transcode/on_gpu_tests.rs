//! A whole broadcast on GPUs of a driver that isn't one: decoded and scaled on the first, encoded there while it has room, then on the
//! second; and what becomes of it when both fail.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../../cuda/tests/fake/mod.rs"]
mod fake;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    thread::sleep,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use super::{encoder::tests::clip, *};
use crate::media::{Content, Frame};

/// Where the fake's sources are, from this crate on.
const SOURCES: &str = "cuda/tests/fake";

fn passes(test: &str) {
    if fake::is_real() {
        eprintln!("skipped: there is a GPU, whose driver comes first");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let output = fake::run(&format!("transcode::on_gpu_tests::{test}"), folder.path());
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}"
    );
}

/// What a rendition was told.
#[derive(Debug, Default)]
struct Told {
    /// Slots with which segments begin, by their numbers.
    segments: BTreeMap<u64, u64>,
    /// After how many samples it was told how they are encoded, and by whom.
    starts: Vec<(usize, Maker)>,
    samples: Vec<Sample>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Maker {
    Gpu(u8),
    Processor,
}

impl Maker {
    /// The fake says it in the level.
    fn of(config: &TrackConfig) -> Self {
        let TrackConfig::H264 { avcc, .. } = config else {
            panic!("{config:?}")
        };
        match avcc[..] {
            [1, 100, 0, level @ 31..=32, 0xff, 0xe1, 0, 5, ..] => Self::Gpu(level - 31),
            _ => Self::Processor,
        }
    }
}

#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<BTreeMap<String, Told>>>);

impl Presenter for Recorder {
    fn first_segment(&self, _: Moment) -> u64 {
        0
    }

    fn begin(&mut self, _: Cadence) {}

    fn discontinuity(&mut self, _: u64) {}

    fn rendition(&mut self, description: Description) -> Box<dyn Sink> {
        let (Description::Video { name, .. } | Description::Audio { name, .. }) = description;
        Box::new(Recording(name, self.clone()))
    }

    fn demand(&self, _: &str) -> Demand {
        Demand::default()
    }
}

struct Recording(String, Recorder);

impl Recording {
    fn note(&self, note: impl FnOnce(&mut Told)) {
        note(self.1.0.lock().unwrap().entry(self.0.clone()).or_default());
    }
}

impl Sink for Recording {
    fn expect(&mut self, _: TrackConfig, _: u32) {}
    fn may_be(&mut self, _: Vec<TrackConfig>) {}
    fn rest(&mut self, _: Pause) {}
    fn finish(&mut self) {}

    fn start(&mut self, config: TrackConfig) {
        if !matches!(config, TrackConfig::Aac { .. }) {
            self.note(|told| told.starts.push((told.samples.len(), Maker::of(&config))));
        }
    }

    fn begin_segment(&mut self, number: u64, slot: u64) {
        self.note(|told| {
            told.segments.insert(number, slot);
        });
    }

    fn push(&mut self, sample: Sample) {
        self.note(|told| told.samples.push(sample));
    }
}

/// Broadcasts for so many seconds; `at` is called with each picture's number.
fn broadcast(seconds: i64, mut at: impl FnMut(i64)) -> BTreeMap<String, Told> {
    let settings = Settings {
        ladder: "180,120,90".parse().unwrap(),
        encoder: EncoderKind::Nvenc,
        part: Duration::from_millis(200),
        segment: Duration::from_secs(1),
        pass_through: PassThrough::False,
        on_demand: false,
        keeps_h264: false,
        opus: false,
    };
    probe(EncoderKind::Nvenc).unwrap();
    let recorder = Recorder::default();
    let boxed = Box::new(recorder.clone());
    let mut transcoder = Transcoder::start("test", settings, boxed, Box::new(|_| {})).unwrap();
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let (pictures, begin) = (clip((320, 180), 30), now());
    for number in 0..seconds * 30 {
        let due = Duration::from_micros(number as u64 * 33_333);
        sleep((begin + due).saturating_sub(now()));
        at(number);
        let time = Moment((begin + due).as_micros() as i64);
        transcoder.push(Frame {
            content: Content::Video {
                codec: VideoCodec::H264,
                keyframe: number % 30 == 0,
            },
            time,
            arrived: time,
            data: pictures[number as usize % 30].clone(),
            lost_before: false,
        });
    }
    sleep(Duration::from_millis(500));
    drop(transcoder);
    // Its threads end by themselves.
    while Arc::strong_count(&recorder.0) > 1 {
        sleep(Duration::from_millis(20));
    }
    std::mem::take(&mut *recorder.0.lock().unwrap())
}

#[test]
fn pictures_stay_on_one_gpu_while_it_has_room() {
    passes("on_one_gpu");
}

#[test]
#[ignore = "it is run by the test above, where the driver is"]
fn on_one_gpu() {
    let told = broadcast(3, |_| {});
    let mut makers = Vec::new();
    for name in ["180p", "120p", "90p"] {
        let told = &told[name];
        let [(0, maker)] = told.starts[..] else {
            panic!("{name}: {:?}", told.starts)
        };
        makers.push(maker);
        assert!(told.samples.len() >= 60, "{name}: {}", told.samples.len());
        // Slots that aren't filled have the picture before; else each has the next one that was decoded.
        let lumas = told.samples.iter().map(|s| s.data[s.data.len() - 2] & 0x7f);
        let lumas: Vec<u8> = lumas.collect();
        assert!(lumas.is_sorted() && lumas.last() > Some(&60), "{lumas:?}");
    }
    // It takes two, and whoever comes last goes to the other one.
    makers.sort_by_key(|maker| *maker == Maker::Gpu(1));
    assert_eq!(makers, [Maker::Gpu(0), Maker::Gpu(0), Maker::Gpu(1)]);
}

#[test]
fn when_gpus_fail_the_processor_goes_on_with_the_next_segment() {
    passes("gpus_fail");
}

#[test]
#[ignore = "it is run by the test above, where the driver is"]
fn gpus_fail() {
    let told = broadcast(6, |number| {
        if number == 70 {
            fake::break_down();
        }
    });
    for name in ["180p", "120p", "90p"] {
        let told = &told[name];
        let [(0, Maker::Gpu(_)), (count, Maker::Processor)] = told.starts[..] else {
            panic!("{name}: {:?}", told.starts)
        };
        let (before, after) = told.samples.split_at(count);
        let slot = |sample: &Sample| sample.time / u64::from(sample.duration);
        let gapless = |part: &[Sample]| part.windows(2).all(|w| slot(&w[1]) == slot(&w[0]) + 1);
        assert!(gapless(before) && gapless(after), "{name}");
        let first = after.first().expect("the processor goes on");
        assert!(first.keyframe && told.segments.values().any(|s| *s == slot(first)));
        assert!(slot(first) - slot(before.last().unwrap()) <= 31, "{name}");
        assert!(after.len() >= 60, "{name}: {}", after.len());
    }
}
