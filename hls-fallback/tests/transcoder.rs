//! A broadcast through the transcoder, in real time: four seconds with all that sources do.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, mpsc},
    thread::sleep,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use ffmpeg_next::{Dictionary, Packet, Rational, codec, encoder, format, frame, picture};
use spillway_hls::{
    media::{Content, Frame, Moment, Sample, TrackConfig, VideoCodec},
    transcode::{
        Cadence, Description, EncoderKind, Presenter, Pushed, SAMPLE_RATE, Settings, Sink,
        Transcoder,
    },
};

/// What a rendition was told.
#[derive(Default, Clone)]
struct Told {
    configs: Vec<TrackConfig>,
    segments: Vec<(u64, u64)>,
    samples: Vec<Sample>,
    finished: bool,
}

#[derive(Default, Clone)]
struct Recorder {
    cadence: Arc<Mutex<Option<Cadence>>>,
    told: Arc<Mutex<HashMap<String, Told>>>,
    discontinuities: Arc<Mutex<Vec<u64>>>,
}

impl Recorder {
    fn wait_for_end(&self) {
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

    fn begin(&mut self, cadence: Cadence) {
        assert!(self.cadence.lock().unwrap().replace(cadence).is_none());
    }

    fn discontinuity(&mut self, segment: u64) {
        self.discontinuities.lock().unwrap().push(segment);
    }

    fn rendition(&mut self, description: Description) -> Box<dyn Sink> {
        let name = match description {
            Description::Video { name } | Description::Audio { name, .. } => name,
        };
        self.told
            .lock()
            .unwrap()
            .insert(name.clone(), Told::default());
        Box::new(Recording {
            name,
            recorder: self.clone(),
        })
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
    fn start(&mut self, config: TrackConfig) {
        self.note(|told| told.configs.push(config));
    }

    fn begin_segment(&mut self, number: u64, slot: u64) {
        self.note(|told| told.segments.push((number, slot)));
    }

    fn push(&mut self, sample: Sample) {
        self.note(|told| told.samples.push(sample));
    }

    fn finish(&mut self) {
        self.note(|told| told.finished = true);
    }
}

/// Encodes a moving pattern.
struct Camera {
    codec: VideoCodec,
    encoder: encoder::Video,
    picture: frame::Video,
    count: i64,
}

impl Camera {
    fn new(codec: VideoCodec, width: u32, height: u32) -> Self {
        let name = if codec == VideoCodec::H264 {
            "libx264"
        } else {
            "libvpx"
        };
        let library = encoder::find_by_name(name).unwrap();
        let mut video = codec::Context::new_with_codec(library)
            .encoder()
            .video()
            .unwrap();
        video.set_width(width);
        video.set_height(height);
        video.set_format(format::Pixel::YUV420P);
        video.set_time_base(Rational(1, 30));
        video.set_gop(1_000);
        let mut options = Dictionary::new();
        if codec == VideoCodec::H264 {
            options.set("preset", "ultrafast");
            options.set("tune", "zerolatency");
        } else {
            options.set("deadline", "realtime");
            options.set("lag-in-frames", "0");
        }
        Self {
            codec,
            encoder: video.open_with(options).unwrap(),
            picture: frame::Video::new(format::Pixel::YUV420P, width, height),
            count: 0,
        }
    }

    fn shoot(&mut self, time: Moment) -> Frame {
        for plane in 0..3 {
            let stride = self.picture.stride(plane);
            for (at, pixel) in self.picture.data_mut(plane).iter_mut().enumerate() {
                *pixel = ((at % stride) as i64 + (at / stride) as i64 + self.count * 3) as u8;
            }
        }
        self.picture.set_pts(Some(self.count));
        self.picture.set_kind(if self.count == 0 {
            picture::Type::I
        } else {
            picture::Type::None
        });
        self.count += 1;
        self.encoder.send_frame(&self.picture).unwrap();
        let mut packet = Packet::empty();
        self.encoder.receive_packet(&mut packet).unwrap();
        Frame {
            content: Content::Video {
                codec: self.codec,
                keyframe: packet.is_key(),
            },
            time,
            data: Bytes::copy_from_slice(packet.data().unwrap()),
            lost_before: false,
        }
    }
}

fn now() -> Moment {
    Moment(
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_micros() as i64,
    )
}

/// The broadcast: 30 pictures a second for `seconds`, as `shoot` makes them, and sound until its last second.
fn broadcast(
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
    for i in 0..seconds * 30 {
        let at = Duration::from_micros((i * 100_000 / 3) as u64);
        sleep((began + at).saturating_duration_since(Instant::now()));
        let time = epoch.plus(at.as_micros() as i64);
        if let Some(frame) = shoot(i, time) {
            assert_eq!(transcoder.push(frame), Pushed::Taken);
        }
        while sounds * 20_000 <= at.as_micros() as i64 && sounds < (seconds - 1) * 50 {
            let data = microphone.encode_vec(&[0; 1_920], 1_500).unwrap();
            let time = epoch.plus(sounds * 20_000);
            let content = Content::Audio;
            assert_eq!(
                transcoder.push(Frame {
                    content,
                    time,
                    data: data.into(),
                    lost_before: false
                }),
                Pushed::Taken
            );
            sounds += 1;
        }
    }
}

fn settings() -> Settings {
    Settings {
        ladder: "360,144".parse().unwrap(),
        encoder: EncoderKind::X264,
        part: Duration::from_millis(200),
        segment: Duration::from_secs(1),
    }
}

/// Samples without gaps from 0 on, and segments that begin where the cadence has them.
fn check_even(told: &Told, cadence: &Cadence, timescale: u32, is_video: bool) {
    let mut next = 0;
    for sample in &told.samples {
        assert_eq!(sample.time, next);
        next += u64::from(sample.duration);
    }
    for (i, (number, slot)) in told.segments.iter().enumerate() {
        assert_eq!(
            (*number, *slot),
            (7 + i as u64, i as u64 * u64::from(cadence.segment))
        );
    }
    if is_video {
        let starts: Vec<u64> = told
            .samples
            .iter()
            .filter(|s| s.keyframe)
            .map(|s| s.time)
            .collect();
        let segment = cadence.ticks_at(u64::from(cadence.segment), timescale);
        assert_eq!(
            starts,
            (0..starts.len() as u64)
                .map(|i| i * segment)
                .collect::<Vec<_>>()
        );
        // One more is announced than was begun.
        assert_eq!(told.segments.len(), starts.len() + 1);
    }
}

#[test]
fn what_a_source_does_leaves_the_renditions_even() {
    let recorder = Recorder::default();
    let (asked, keyframes) = mpsc::channel();
    let request = Box::new(move || asked.send(()).unwrap());
    let mut transcoder =
        Transcoder::start("test", settings(), Box::new(recorder.clone()), request).unwrap();
    let mut large = Camera::new(VideoCodec::H264, 640, 360);
    let mut small = Camera::new(VideoCodec::Vp8, 320, 180);
    let mut large_again = Camera::new(VideoCodec::H264, 640, 360);
    broadcast(&mut transcoder, 5, |i, time| match i {
        0..60 => Some(large.shoot(time)),
        // Nothing for half a second, then another codec and size, and at last pictures that lack their keyframe.
        60..75 => None,
        75..110 => Some(small.shoot(time)),
        110 => {
            large_again.shoot(time);
            None
        }
        _ => Some(large_again.shoot(time)),
    });
    sleep(Duration::from_millis(300));
    drop(transcoder);
    recorder.wait_for_end();

    assert!(
        keyframes.try_iter().count() >= 1,
        "a keyframe was asked for"
    );
    assert!(recorder.discontinuities.lock().unwrap().is_empty());
    let cadence = recorder.cadence.lock().unwrap().unwrap();
    assert_eq!(
        (cadence.rate.numerator, cadence.part, cadence.segment),
        (30, 6, 30)
    );
    let told = recorder.told.lock().unwrap();
    let mut names: Vec<&str> = told.keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["144p", "360p", "audio"]);
    for (name, told) in told.iter() {
        assert_eq!(told.configs.len(), 1, "{name} goes on as it began");
        assert!(told.finished, "{name}");
        let timescale = if name == "audio" {
            SAMPLE_RATE
        } else {
            cadence.video_timescale()
        };
        check_even(told, &cadence, timescale, name != "audio");
        let end = told
            .samples
            .last()
            .map(|s| s.time + u64::from(s.duration))
            .unwrap();
        let seconds = end as f64 / f64::from(timescale);
        // It begins once the rate is known, half a second late, and goes on to the end, whatever comes.
        assert!((4.0..5.6).contains(&seconds), "{name}: {seconds} s");
    }
}

#[test]
fn a_source_that_grows_gets_more_renditions_and_one_discontinuity() {
    let recorder = Recorder::default();
    let mut transcoder = Transcoder::start(
        "test",
        settings(),
        Box::new(recorder.clone()),
        Box::new(|| {}),
    )
    .unwrap();
    let mut small = Camera::new(VideoCodec::H264, 320, 180);
    let mut large = Camera::new(VideoCodec::H264, 640, 360);
    broadcast(&mut transcoder, 7, |i, time| {
        Some(if i < 45 {
            small.shoot(time)
        } else {
            large.shoot(time)
        })
    });
    drop(transcoder);
    recorder.wait_for_end();

    let discontinuities = recorder.discontinuities.lock().unwrap().clone();
    assert_eq!(discontinuities.len(), 1, "{discontinuities:?}");
    let told = recorder.told.lock().unwrap();
    assert_eq!(told["144p"].configs.len(), 2, "all begin anew there");
    assert_eq!(told["144p"].samples[0].time, 0);
    let cadence = recorder.cadence.lock().unwrap().unwrap();
    let slot = cadence.slot_of_segment(discontinuities[0]);
    let first = &told["360p"].samples[0];
    assert_eq!(
        first.time,
        cadence.ticks_at(slot, cadence.video_timescale())
    );
    assert!(first.keyframe);
}
