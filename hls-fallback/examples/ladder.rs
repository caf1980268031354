//! Runs the transcoder over a file of H.264 with start codes, in real time as if it were on air, without a node and without players:
//! what a ladder costs, and what comes of it. `scripts/ladder-cost.sh` measures with it.
#![allow(
    clippy::expect_used,
    reason = "it is a tool for those who build Spillway"
)]

use std::{
    fs::File,
    io::{BufWriter, Write as _},
    path::PathBuf,
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread::sleep,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use clap::Parser;
use spillway_hls::{
    media::{Content, Demand, Frame, Moment, Sample, TrackConfig, VideoCodec},
    transcode::{
        self, Cadence, Description, EncoderKind, Ladder, PassThrough, Pause, Presenter, Settings,
        Sink, Transcoder,
    },
};

#[derive(Debug, Parser)]
struct Arguments {
    /// H.264 with start codes, without B pictures, 30 pictures a second.
    file: PathBuf,
    /// The renditions, as `spillway-hls` takes them.
    #[arg(long, default_value = "720,480,360")]
    renditions: Ladder,
    /// What encodes.
    #[arg(long, default_value = "x264")]
    encoder: EncoderKind,
    /// Where each rendition's pictures are written to, as NAME.h264.
    #[arg(long)]
    to: Option<PathBuf>,
}

const RATE: i64 = 30;

/// How many renditions are being made.
#[derive(Default)]
struct Running {
    count: Mutex<usize>,
    changed: Condvar,
}

impl Running {
    fn add(&self, change: isize) {
        let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        *count = count.saturating_add_signed(change);
        self.changed.notify_all();
    }

    fn wait(&self) {
        let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        while *count > 0 {
            let waited = self.changed.wait(count);
            count = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }
}

struct Gallery {
    folder: Option<PathBuf>,
    running: Arc<Running>,
}

impl Presenter for Gallery {
    fn first_segment(&self, _: Moment) -> u64 {
        0
    }

    fn begin(&mut self, _: Cadence) {}

    fn discontinuity(&mut self, segment: u64) {
        eprintln!("a discontinuity at segment {segment}");
    }

    fn rendition(&mut self, description: Description) -> Box<dyn Sink> {
        self.running.add(1);
        let (name, file) = match description {
            Description::Audio { name, .. } => (name, None),
            Description::Video { name, .. } => {
                let path = self.folder.as_ref().map(|f| f.join(format!("{name}.h264")));
                let file = path.map(|path| File::create(path).expect("a file for the rendition"));
                (name, file.map(BufWriter::new))
            }
        };
        Box::new(Shown {
            name,
            file,
            samples: 0,
            bytes: 0,
            running: self.running.clone(),
        })
    }

    fn demand(&self, _: &str) -> Demand {
        Demand::default()
    }
}

struct Shown {
    name: String,
    file: Option<BufWriter<File>>,
    samples: u64,
    bytes: usize,
    running: Arc<Running>,
}

const START_CODE: [u8; 4] = [0, 0, 0, 1];

impl Sink for Shown {
    fn expect(&mut self, _: TrackConfig, _: u32) {}
    fn may_be(&mut self, _: Vec<TrackConfig>) {}

    fn rest(&mut self, _: Pause) {}

    fn start(&mut self, config: TrackConfig) {
        let TrackConfig::H264 { avcc, .. } = config else {
            return;
        };
        // One parameter set of each kind, each behind its length: ISO/IEC 14496-15 §5.3.3.1.
        let sps = usize::from(u16::from_be_bytes([avcc[6], avcc[7]]));
        let (sps, rest) = avcc[8..].split_at(sps);
        let pps = usize::from(u16::from_be_bytes([rest[1], rest[2]]));
        for set in [sps, &rest[3..3 + pps]] {
            self.write(&START_CODE);
            self.write(set);
        }
    }

    fn begin_segment(&mut self, _: u64, _: u64) {}

    fn push(&mut self, sample: Sample) {
        self.samples += 1;
        self.bytes += sample.data.len();
        if self.file.is_none() {
            return;
        }
        let mut rest = &sample.data[..];
        while let Some((length, after)) = rest.split_first_chunk::<4>() {
            let (nal, next) = after.split_at(u32::from_be_bytes(*length) as usize);
            self.write(&START_CODE);
            self.write(nal);
            rest = next;
        }
    }

    fn finish(&mut self) {
        let Self {
            name,
            samples,
            bytes,
            ..
        } = self;
        println!("{name}: {samples} samples, {bytes} bytes");
    }
}

impl Shown {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(file) = &mut self.file {
            file.write_all(bytes).expect("room for the rendition");
        }
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        // Before anybody goes on who waits for it.
        self.file = None;
        self.running.add(-1);
    }
}

fn main() {
    let arguments = Arguments::parse();
    transcode::quieten();
    let running = Arc::new(Running::default());
    let settings = Settings {
        ladder: arguments.renditions,
        encoder: arguments.encoder,
        part: Duration::from_millis(200),
        segment: Duration::from_secs(2),
        pass_through: PassThrough::False,
        on_demand: false,
        keeps_h264: false,
        opus: false,
    };
    let gallery = Gallery {
        folder: arguments.to,
        running: running.clone(),
    };
    let request = Box::new(|_| eprintln!("a picture was lost"));
    let mut transcoder = Transcoder::start("file", settings, Box::new(gallery), request)
        .expect("a thread to decode on");
    let mut input = ffmpeg_next::format::input(&arguments.file).expect("a file of H.264");
    let epoch = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |now| now.as_micros() as i64);
    let (epoch, began) = (Moment(epoch), Instant::now());
    for (number, (_, packet)) in (0..).zip(input.packets()) {
        let offset = number * 1_000_000 / RATE;
        let due = began + Duration::from_micros(offset as u64);
        sleep(due.saturating_duration_since(Instant::now()));
        let frame = Frame {
            content: Content::Video {
                codec: VideoCodec::H264,
                keyframe: packet.is_key(),
            },
            time: epoch.plus(offset),
            arrived: epoch.plus(offset),
            data: Bytes::copy_from_slice(packet.data().unwrap_or_default()),
            lost_before: false,
        };
        transcoder.push(frame);
    }
    // What waits for a slot is shown once its time has come.
    sleep(Duration::from_millis(500));
    drop(transcoder);
    running.wait();
}
