//! A camera, and what becomes of its pictures.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    thread::sleep,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use ffmpeg_next::{Dictionary, Packet, Rational, codec, encoder, format, frame, picture};
use spillway_hls::{
    media::{Content, Demand, Frame, Moment, Sample, TrackConfig, VideoCodec},
    transcode::{
        Cadence, Description, EncoderKind, PassThrough, Pause, Presenter, Pushed, SAMPLE_RATE,
        Settings, Sink, Transcoder,
    },
};

/// What a rendition was told.
#[derive(Default, Clone)]
pub(crate) struct Told {
    pub(crate) permanent: bool,
    pub(crate) expected: Option<TrackConfig>,
    pub(crate) may_be: Vec<TrackConfig>,
    pub(crate) configs: Vec<TrackConfig>,
    /// The samples that each configuration begins with.
    pub(crate) starts: Vec<usize>,
    pub(crate) segments: Vec<(u64, u64)>,
    pub(crate) samples: Vec<Sample>,
    /// When each came.
    pub(crate) came: Vec<Instant>,
    pub(crate) rests: Vec<Pause>,
    pub(crate) finished: bool,
}

impl Told {
    /// The ticks at which keyframes are.
    pub(crate) fn keyframes(&self) -> Vec<u64> {
        let keyframes = self.samples.iter().filter(|s| s.keyframe);
        keyframes.map(|s| s.time).collect()
    }

    /// Samples follow each other.
    pub(crate) fn check_even(&self) {
        for pair in self.samples.windows(2) {
            assert_eq!(pair[1].time, pair[0].time + u64::from(pair[0].duration));
        }
    }
}

#[derive(Default, Clone)]
pub(crate) struct Recorder {
    pub(crate) cadence: Arc<Mutex<Option<Cadence>>>,
    pub(crate) told: Arc<Mutex<HashMap<String, Told>>>,
    pub(crate) discontinuities: Arc<Mutex<Vec<u64>>>,
    pub(crate) demand: Arc<Mutex<HashMap<String, Demand>>>,
    /// What is recorded already.
    pub(crate) recorded_until: Option<Moment>,
    /// Whose thread breaks off with the next sample.
    pub(crate) breaks: Arc<Mutex<Option<String>>>,
}

impl Recorder {
    pub(crate) fn told(&self, rendition: &str) -> Told {
        self.told.lock().unwrap()[rendition].clone()
    }

    pub(crate) fn cadence(&self) -> Cadence {
        self.cadence.lock().unwrap().unwrap()
    }

    pub(crate) fn discontinuities(&self) -> Vec<u64> {
        self.discontinuities.lock().unwrap().clone()
    }

    /// Somebody asked for a rendition so long ago.
    pub(crate) fn ask(&self, rendition: &str, idle: Duration) {
        let mut demand = self.demand.lock().unwrap();
        let demand = demand.entry(rendition.to_owned()).or_default();
        demand.idle = Some(idle);
        demand.requests += 1;
    }

    pub(crate) fn wait_for_end(&self) {
        let began = Instant::now();
        while !self.told.lock().unwrap().values().all(|told| told.finished) {
            assert!(began.elapsed() < Duration::from_secs(20), "it doesn't end");
            sleep(Duration::from_millis(20));
        }
    }
}

impl Presenter for Recorder {
    fn first_segment(&self, _: Moment) -> u64 {
        7
    }

    fn recorded_until(&self) -> Option<Moment> {
        self.recorded_until
    }

    fn begin(&mut self, cadence: Cadence) {
        assert!(self.cadence.lock().unwrap().replace(cadence).is_none());
    }

    fn discontinuity(&mut self, segment: u64) {
        self.discontinuities.lock().unwrap().push(segment);
    }

    fn rendition(&mut self, description: Description) -> Box<dyn Sink> {
        let permanent = description.is_recorded();
        let name = match description {
            Description::Video { name, .. } | Description::Audio { name, .. } => name,
        };
        self.told.lock().unwrap().insert(
            name.clone(),
            Told {
                permanent,
                ..Told::default()
            },
        );
        Box::new(Recording {
            name,
            recorder: self.clone(),
        })
    }

    fn demand(&self, rendition: &str) -> Demand {
        let demand = self.demand.lock().unwrap();
        demand.get(rendition).copied().unwrap_or_default()
    }
}

struct Recording {
    name: String,
    recorder: Recorder,
}

impl Recording {
    fn note(&self, note: impl FnOnce(&mut Told)) {
        note(
            self.recorder
                .told
                .lock()
                .unwrap()
                .get_mut(&self.name)
                .unwrap(),
        );
    }
}

impl Sink for Recording {
    fn expect(&mut self, config: TrackConfig, _: u32) {
        self.note(|told| told.expected = Some(config));
    }

    fn may_be(&mut self, configs: Vec<TrackConfig>) {
        self.note(|told| told.may_be = configs);
    }

    fn start(&mut self, config: TrackConfig) {
        self.note(|told| {
            told.configs.push(config);
            told.starts.push(told.samples.len());
        });
    }

    fn begin_segment(&mut self, number: u64, slot: u64) {
        self.note(|told| {
            told.segments.retain(|(known, _)| *known < number);
            told.segments.push((number, slot));
        });
    }

    fn push(&mut self, sample: Sample) {
        let breaks = self.recorder.breaks.lock().unwrap().as_ref() == Some(&self.name);
        assert!(!breaks, "as the test has it");
        self.note(|told| {
            told.samples.push(sample);
            told.came.push(Instant::now());
        });
    }

    fn rest(&mut self, pause: Pause) {
        self.note(|told| told.rests.push(pause));
    }

    fn finish(&mut self) {
        self.note(|told| told.finished = true);
    }
}

/// Encodes a moving pattern.
pub(crate) struct Camera {
    codec: VideoCodec,
    encoder: encoder::Video,
    picture: frame::Video,
    count: i64,
    /// The next picture is a keyframe, as if it had been asked for.
    pub(crate) keyframe: bool,
}

/// What a camera does besides.
#[derive(Clone, Copy)]
pub(crate) struct Habits {
    /// Pictures from one keyframe to the next.
    pub(crate) group: u32,
    pub(crate) b_pictures: usize,
}

/// Keyframes as good as never.
pub(crate) const RARE: Habits = Habits {
    group: 1_000,
    b_pictures: 0,
};

/// A keyframe each second.
pub(crate) const OFTEN: Habits = Habits {
    group: 30,
    b_pictures: 0,
};

/// The encoder of a codec, and what makes it give each picture back at once, with keyframes where they are asked for.
fn encoder_of(codec: VideoCodec, habits: Habits) -> (&'static str, Vec<(&'static str, String)>) {
    let plain = |options: &[(&'static str, &str)]| -> Vec<(&'static str, String)> {
        let owned = options
            .iter()
            .map(|(key, value)| (*key, (*value).to_owned()));
        owned.collect()
    };
    match codec {
        VideoCodec::H264 => {
            let mut options = plain(&[
                ("preset", "ultrafast"),
                ("x264-params", "scenecut=0:rc-lookahead=0:sync-lookahead=0"),
                ("forced-idr", "1"),
            ]);
            if habits.b_pictures == 0 {
                options.extend(plain(&[("tune", "zerolatency")]));
            }
            ("libx264", options)
        }
        VideoCodec::H265 => {
            let mut options = plain(&[("preset", "ultrafast"), ("forced-idr", "1")]);
            let params = format!(
                "log-level=none:scenecut=0:rc-lookahead=0:lookahead-slices=0:frame-threads=1:pools=none:open-gop=0:keyint={}:bframes={}",
                habits.group, habits.b_pictures
            );
            options.push(("x265-params", params));
            ("libx265", options)
        }
        VideoCodec::Vp8 => (
            "libvpx",
            plain(&[("deadline", "realtime"), ("lag-in-frames", "0")]),
        ),
        VideoCodec::Vp9 => (
            "libvpx-vp9",
            plain(&[
                ("deadline", "realtime"),
                ("cpu-used", "8"),
                ("lag-in-frames", "0"),
                ("auto-alt-ref", "0"),
            ]),
        ),
        VideoCodec::Av1 => (
            "libaom-av1",
            plain(&[
                ("usage", "realtime"),
                ("cpu-used", "8"),
                ("lag-in-frames", "0"),
            ]),
        ),
    }
}

impl Camera {
    pub(crate) fn new(codec: VideoCodec, size: (u32, u32), habits: Habits) -> Self {
        Self::with_format(codec, size, habits, format::Pixel::YUV420P)
    }

    pub(crate) fn with_format(
        codec: VideoCodec,
        (width, height): (u32, u32),
        habits: Habits,
        format: format::Pixel,
    ) -> Self {
        let (name, settings) = encoder_of(codec, habits);
        let library = encoder::find_by_name(name).unwrap();
        let mut video = codec::Context::new_with_codec(library)
            .encoder()
            .video()
            .unwrap();
        video.set_width(width);
        video.set_height(height);
        video.set_format(format);
        video.set_time_base(Rational(1, 30));
        video.set_gop(habits.group);
        video.set_max_b_frames(habits.b_pictures);
        let mut options = Dictionary::new();
        for (key, value) in settings {
            options.set(key, &value);
        }
        Self {
            codec,
            encoder: video.open_with(options).unwrap(),
            picture: frame::Video::new(format, width, height),
            count: 0,
            keyframe: true,
        }
    }

    /// What the encoder gives with the next picture: of an encoder with B pictures nothing, at first.
    pub(crate) fn try_shoot(&mut self, time: Moment) -> Option<Frame> {
        let deep = self.picture.format() == format::Pixel::YUV420P10LE;
        for plane in 0..3 {
            let stride = self.picture.stride(plane);
            for (at, pixel) in self.picture.data_mut(plane).iter_mut().enumerate() {
                let value = (at % stride) as i64 + (at / stride) as i64 + self.count * 3;
                // Of ten bits, the upper two are in the second byte.
                let is_upper = deep && at % 2 == 1;
                *pixel = value as u8 & if is_upper { 3 } else { 0xff };
            }
        }
        self.picture.set_pts(Some(self.count));
        self.picture
            .set_kind(if std::mem::take(&mut self.keyframe) {
                picture::Type::I
            } else {
                picture::Type::None
            });
        self.count += 1;
        self.encoder.send_frame(&self.picture).unwrap();
        let mut packet = Packet::empty();
        self.encoder.receive_packet(&mut packet).ok()?;
        let mut data = packet.data().unwrap();
        if self.codec == VideoCodec::Av1 {
            // As `receive` gives it out: without its temporal delimiter.
            data = data.strip_prefix(&[0x12, 0]).unwrap_or(data);
        }
        Some(Frame {
            content: Content::Video {
                codec: self.codec,
                keyframe: packet.is_key(),
            },
            time,
            arrived: time,
            data: Bytes::copy_from_slice(data),
            lost_before: false,
        })
    }

    pub(crate) fn shoot(&mut self, time: Moment) -> Frame {
        self.try_shoot(time).unwrap()
    }
}

pub(crate) fn now() -> Moment {
    Moment(
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_micros() as i64,
    )
}

/// The broadcast: 30 pictures a second for `seconds`, as `shoot` makes them before it begins, and sound until its last second.
pub(crate) fn broadcast(
    transcoder: &mut Transcoder,
    seconds: i64,
    shoot: impl FnMut(i64, Moment) -> Option<Frame>,
) {
    broadcast_beside(transcoder, seconds, shoot, |_| {});
}

/// The same, with something else to do at each picture.
pub(crate) fn broadcast_beside(
    transcoder: &mut Transcoder,
    seconds: i64,
    mut shoot: impl FnMut(i64, Moment) -> Option<Frame>,
    mut beside: impl FnMut(i64),
) {
    let mut frames: Vec<Option<Frame>> = (0..seconds * 30)
        .map(|i| shoot(i, Moment(time_of(i))))
        .collect();
    broadcast_live(transcoder, seconds, |i, time| {
        beside(i);
        let frame = frames[i as usize].take()?;
        let time = time.plus(frame.time.0 - time_of(i));
        Some(Frame {
            time,
            arrived: time,
            ..frame
        })
    });
}

/// Of a picture, in microseconds.
pub(crate) fn time_of(picture: i64) -> i64 {
    picture * 100_000 / 3
}

/// The same, with pictures that are made while it goes on.
pub(crate) fn broadcast_live(
    transcoder: &mut Transcoder,
    seconds: i64,
    mut shoot: impl FnMut(i64, Moment) -> Option<Frame>,
) {
    let mut microphone = opus::Encoder::new(
        SAMPLE_RATE,
        opus::Channels::Stereo,
        opus::Application::Audio,
    )
    .unwrap();
    let (began, epoch) = (Instant::now(), now());
    let mut sounds = 0;
    let mut push = |frame| assert_eq!(transcoder.push(frame), Pushed::Taken);
    for i in 0..seconds * 30 {
        let at = Duration::from_micros(time_of(i) as u64);
        sleep((began + at).saturating_duration_since(Instant::now()));
        if let Some(frame) = shoot(i, epoch.plus(time_of(i))) {
            push(frame);
        }
        while sounds * 20_000 <= time_of(i) && sounds < (seconds - 1) * 50 {
            let data = microphone.encode_vec(&[0; 1_920], 1_500).unwrap();
            let time = epoch.plus(sounds * 20_000);
            push(Frame {
                content: Content::Audio,
                time,
                arrived: time,
                data: data.into(),
                lost_before: false,
            });
            sounds += 1;
        }
    }
}

/// A ladder of two, all of them made always of decoded pictures.
pub(crate) fn settings() -> Settings {
    Settings {
        ladder: "360,144".parse().unwrap(),
        encoder: EncoderKind::X264,
        part: Duration::from_millis(200),
        segment: Duration::from_secs(1),
        pass_through: PassThrough::False,
        on_demand: false,
        keeps_h264: false,
        opus: true,
    }
}
