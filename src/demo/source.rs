//! Draws and encodes, on a thread of its own, since one 720p frame takes milliseconds.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use openh264::OpenH264API;
use openh264::encoder::{
    BitRate, Complexity, Encoder, EncoderConfig, FrameRate, FrameType, IntraFramePeriod, Level,
    Profile, RateControlMode, VuiConfig,
};
use tokio::sync::mpsc;

use super::DemoError;
use super::picture::Picture;
use super::sound;

const FRAME_RATE: u32 = 30;
const VIDEO_CLOCK_HZ: u64 = 90_000;
const FRAME_TICKS: u64 = VIDEO_CLOCK_HZ / FRAME_RATE as u64;
const PACKET: Duration = Duration::from_millis(20);
const VIDEO_BITRATE: u32 = 2_500_000;
const AUDIO_BITRATE: i32 = 64_000;
/// Two seconds.
const KEYFRAME_INTERVAL: u32 = 2 * FRAME_RATE;
/// However many requests come, keyframes on request are at least this far apart.
const KEYFRAME_REQUEST_INTERVAL: Duration = Duration::from_millis(500);
/// The largest Opus packet we make room for (RFC 6716 §3.4 allows 1275 bytes a frame).
const MAX_OPUS_PACKET: usize = 1275;
/// The most audio that is made up for after the source was held up.
const AUDIO_BACKLOG: Duration = Duration::from_millis(200);
/// Samples that may wait for the network. When it is full the source waits, and skips what it missed.
const QUEUE: usize = 16;

/// One encoded frame or audio packet.
pub(super) enum Sample {
    /// An H.264 access unit in Annex B form, with its time on the 90 kHz clock since the source began.
    Video(Bytes, u32),
    /// One Opus packet, with its time on the 48 kHz clock since the source began.
    Audio(Bytes, u32),
}

/// Set when the far end asks for a keyframe, cleared by the source when it makes one.
#[derive(Clone, Default, Debug)]
pub(super) struct KeyframeRequest(Arc<AtomicBool>);

impl KeyframeRequest {
    /// Asks for a keyframe.
    pub(super) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn take(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}

/// Starts the source; its thread ends soon after the receiver is dropped.
pub(super) fn start(request: KeyframeRequest) -> Result<mpsc::Receiver<Sample>, DemoError> {
    let (samples, receiver) = mpsc::channel(QUEUE);
    let (video, audio) = (VideoSource::new(request)?, AudioSource::new()?);
    thread::Builder::new()
        .name("demo-source".into())
        .spawn(move || {
            if let Err(error) = produce(video, audio, &samples) {
                tracing::error!(%error, "the demo's source stopped");
            }
        })
        .map_err(DemoError::Thread)?;
    Ok(receiver)
}

/// Makes samples at their times until nobody takes them any more.
///
/// A frame whose time has passed is skipped, since a later one is better; audio is caught up with,
/// since a gap can be heard, but for at most [`AUDIO_BACKLOG`].
fn produce(
    mut video: VideoSource,
    mut audio: AudioSource,
    samples: &mpsc::Sender<Sample>,
) -> Result<(), DemoError> {
    let start = Instant::now();
    let (mut frame, mut packet) = (0, 0);
    loop {
        let frame_due = start + Duration::from_secs(1) * frame / FRAME_RATE;
        let packet_due = start + PACKET * packet;
        let due = frame_due.min(packet_due);
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let sample = if packet_due <= frame_due {
            let sample = audio.packet(packet, unix_time(due))?;
            let backlog = start.elapsed().saturating_sub(AUDIO_BACKLOG);
            packet = (packet + 1).max((backlog.as_micros() / PACKET.as_micros()) as u32);
            sample
        } else {
            let sample = video.frame(frame, unix_time(Instant::now()))?;
            frame = (frame + 1)
                .max((start.elapsed().as_micros() * u128::from(FRAME_RATE) / 1_000_000) as u32);
            sample
        };
        if samples.blocking_send(sample).is_err() {
            return Ok(());
        }
    }
}

/// The wall clock at a moment close to now.
fn unix_time(at: Instant) -> Duration {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    now.saturating_sub(at.elapsed())
}

/// Draws and encodes pictures.
pub(super) struct VideoSource {
    picture: Picture,
    encoder: Encoder,
    request: KeyframeRequest,
    last_keyframe: Option<Instant>,
}

impl VideoSource {
    /// An encoder for constrained baseline at about 2.5 Mbit/s.
    pub(super) fn new(request: KeyframeRequest) -> Result<Self, DemoError> {
        let config = EncoderConfig::new()
            .profile(Profile::Baseline)
            .level(Level::Level_3_1)
            .bitrate(BitRate::from_bps(VIDEO_BITRATE))
            .max_frame_rate(FrameRate::from_hz(FRAME_RATE as f32))
            .rate_control_mode(RateControlMode::Bitrate)
            .skip_frames(false)
            .complexity(Complexity::Low)
            .scene_change_detect(false)
            .background_detection(false)
            .adaptive_quantization(false)
            .num_threads(1)
            .intra_frame_period(IntraFramePeriod::from_num_frames(KEYFRAME_INTERVAL))
            .vui(VuiConfig::bt709());
        let encoder = Encoder::with_api_config(OpenH264API::from_source(), config)
            .map_err(DemoError::Video)?;
        Ok(Self {
            picture: Picture::new(),
            encoder,
            request,
            last_keyframe: None,
        })
    }

    /// Encodes the picture of this moment as frame number `frame`.
    pub(super) fn frame(&mut self, frame: u32, unix_time: Duration) -> Result<Sample, DemoError> {
        let now = Instant::now();
        let may_force = self
            .last_keyframe
            .is_some_and(|last| now - last >= KEYFRAME_REQUEST_INTERVAL);
        if may_force && self.request.take() {
            self.encoder.force_intra_frame();
        }
        self.picture.draw(unix_time.as_millis() as u64);
        let encoded = self
            .encoder
            .encode(&self.picture)
            .map_err(DemoError::Video)?;
        if encoded.frame_type() == FrameType::IDR {
            self.last_keyframe = Some(now);
        }
        let time = (u64::from(frame) * FRAME_TICKS) as u32;
        Ok(Sample::Video(encoded.to_vec().into(), time))
    }
}

/// Makes and encodes the tone.
pub(super) struct AudioSource {
    encoder: opus::Encoder,
    tone: [f32; sound::PACKET_SAMPLES * sound::CHANNELS],
}

impl AudioSource {
    /// A stereo encoder.
    pub(super) fn new() -> Result<Self, DemoError> {
        let mut encoder = opus::Encoder::new(
            sound::SAMPLE_RATE,
            opus::Channels::Stereo,
            opus::Application::Audio,
        )
        .map_err(DemoError::Audio)?;
        encoder
            .set_bitrate(opus::Bitrate::Bits(AUDIO_BITRATE))
            .map_err(DemoError::Audio)?;
        Ok(Self {
            encoder,
            tone: [0.0; sound::PACKET_SAMPLES * sound::CHANNELS],
        })
    }

    /// Encodes packet number `packet`, which begins at `unix_time`.
    pub(super) fn packet(&mut self, packet: u32, unix_time: Duration) -> Result<Sample, DemoError> {
        sound::fill(&mut self.tone, unix_time.as_micros() as u64);
        let encoded = self
            .encoder
            .encode_vec_float(&self.tone, MAX_OPUS_PACKET)
            .map_err(DemoError::Audio)?;
        Ok(Sample::Audio(
            encoded.into(),
            packet.wrapping_mul(sound::PACKET_SAMPLES as u32),
        ))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::super::timecode;
    use super::*;
    use openh264::decoder::Decoder;
    use openh264::formats::YUVSource;

    const NOON: Duration = Duration::from_millis(1_795_003_200_007);

    fn access_unit(sample: &Sample) -> &[u8] {
        let Sample::Video(data, _) = sample else {
            panic!("not video")
        };
        data
    }

    fn is_keyframe(access_unit: &[u8]) -> bool {
        openh264::nal_units(access_unit)
            .any(|nal| nal.iter().find(|b| **b > 1).is_some_and(|b| b & 0x1f == 7))
    }

    #[test]
    fn a_decoded_frame_has_the_timecode_of_the_drawn_one() {
        let mut source = VideoSource::new(KeyframeRequest::default()).unwrap();
        let mut decoder = Decoder::new().unwrap();
        for frame in 0..90 {
            let time = NOON + Duration::from_secs(1) * frame / FRAME_RATE;
            let sample = source.frame(frame, time).unwrap();
            let picture = decoder
                .decode(access_unit(&sample))
                .unwrap()
                .expect("a picture for each access unit");
            assert_eq!(
                timecode::read(picture.y(), picture.strides().0, picture.dimensions().0),
                Some(time.as_millis() as u64)
            );
        }
    }

    #[test]
    fn keyframes_come_every_two_seconds_and_on_request() {
        let request = KeyframeRequest::default();
        let mut source = VideoSource::new(request.clone()).unwrap();
        let mut keyframes = Vec::new();
        for frame in 0..130 {
            if frame == 100 {
                source.last_keyframe = Some(
                    Instant::now()
                        .checked_sub(KEYFRAME_REQUEST_INTERVAL)
                        .unwrap(),
                );
                request.set();
            }
            if is_keyframe(access_unit(&source.frame(frame, NOON).unwrap())) {
                keyframes.push(frame);
            }
        }
        assert_eq!(keyframes, [0, 60, 100]);
    }

    #[test]
    fn the_tone_survives_opus() {
        let mut source = AudioSource::new().unwrap();
        let mut decoder = opus::Decoder::new(sound::SAMPLE_RATE, opus::Channels::Stereo).unwrap();
        let mut loudest = 0_i16;
        for packet in 0..5 {
            let Sample::Audio(data, time) = source.packet(packet, NOON + PACKET * packet).unwrap()
            else {
                panic!()
            };
            assert_eq!(time, packet * 960);
            let mut pcm = [0; sound::PACKET_SAMPLES * sound::CHANNELS];
            assert_eq!(
                decoder.decode(&data, &mut pcm, false).unwrap(),
                sound::PACKET_SAMPLES
            );
            loudest = pcm
                .iter()
                .fold(loudest, |loudest, s| loudest.max(s.saturating_abs()));
        }
        assert!(loudest > 6000, "the beep came out at {loudest}");
    }

    #[test]
    fn the_source_ends_with_its_receiver() {
        let mut samples = start(KeyframeRequest::default()).unwrap();
        assert!(samples.blocking_recv().is_some());
        drop(samples);
    }
}
