//! Opus in, AAC out.

use bytes::Bytes;
use ffmpeg_next::{self as libav, ChannelLayout, Packet, Rational, codec, encoder, format, frame};

use super::{
    Listener,
    sound_grid::{CHANNELS, SAMPLE_RATE, SoundGrid},
};
use crate::media::{Moment, Sample, TrackConfig};

/// Samples of one channel in a frame of AAC-LC (ISO/IEC 14496-3 §4.5.2).
pub(super) const FRAME: u64 = 1_024;
/// Samples of one channel in the longest Opus packet: 120 ms (RFC 6716 §2.1.4).
const LONGEST_PACKET: usize = 5_760;
/// What Opus makes up for at most: 60 ms, after which it is silence anyway.
const CONCEALED: i64 = 2_880;
/// Opus makes up sound in steps of 2.5 ms.
const STEP: i64 = 120;
const BITRATE: usize = 128_000;

/// Why there is no sound.
#[derive(Debug, thiserror::Error)]
pub enum SoundError {
    /// Of libopus.
    #[error("Opus: {0}")]
    Opus(#[from] opus::Error),
    /// Of libavcodec's AAC encoder.
    #[error("AAC: {0}")]
    Aac(#[from] libav::Error),
    /// libav was built without it.
    #[error(
        "libavcodec on this machine has no AAC encoder: install Debian's libavcodec, or one built with it"
    )]
    Missing,
}

/// The sound of one broadcast.
pub(super) struct Sound {
    decoder: opus::Decoder,
    grid: SoundGrid,
    encoder: encoder::Audio,
    pcm: Vec<f32>,
    broken: u64,
    listener: Option<Box<dyn Listener>>,
}

impl Sound {
    /// Sample 0 is at `epoch`.
    pub(super) fn new(
        epoch: Moment,
        listener: Option<Box<dyn Listener>>,
    ) -> Result<Self, SoundError> {
        let library = encoder::find(codec::Id::AAC).ok_or(SoundError::Missing)?;
        let mut audio = codec::Context::new_with_codec(library).encoder().audio()?;
        audio.set_rate(SAMPLE_RATE as i32);
        audio.set_format(format::Sample::F32(format::sample::Type::Planar));
        audio.set_channel_layout(ChannelLayout::STEREO);
        audio.set_time_base(Rational(1, SAMPLE_RATE as i32));
        audio.set_bit_rate(BITRATE);
        Ok(Self {
            decoder: opus::Decoder::new(SAMPLE_RATE, opus::Channels::Stereo)?,
            grid: SoundGrid::new(epoch),
            encoder: audio.open()?,
            pcm: vec![0.0; LONGEST_PACKET * CHANNELS],
            broken: 0,
            listener,
        })
    }

    /// What the samples are.
    pub(super) fn config() -> TrackConfig {
        // AAC-LC (2), 48 kHz (3), two channels: 5, 4 and 4 bits (ISO/IEC 14496-3 §1.6.2.1).
        let config = (2_u16 << 11) | (3 << 7) | ((CHANNELS as u16) << 3);
        TrackConfig::Aac {
            config: Bytes::copy_from_slice(&config.to_be_bytes()),
            sample_rate: SAMPLE_RATE,
            channels: CHANNELS as u16,
        }
    }

    /// A packet of `time` came `now`. What can't be decoded is taken for lost.
    pub(super) fn on_packet(
        &mut self,
        packet: &[u8],
        time: Moment,
        now: Moment,
        lost_before: bool,
    ) {
        if lost_before {
            self.conceal(time);
        }
        if packet.is_empty() {
            // libopus would make up 120 ms.
            return;
        }
        match self.decoder.decode_float(packet, &mut self.pcm, false) {
            Ok(count) => self.grid.on_sound(&self.pcm[..count * CHANNELS], time, now),
            Err(error) => {
                self.broken += 1;
                if self.broken.is_power_of_two() {
                    tracing::warn!(%error, packets = self.broken, "Opus packets can't be decoded: silence in their place");
                }
            }
        }
    }

    fn conceal(&mut self, time: Moment) {
        let missing = self.grid.missing_before(time);
        let count = missing / STEP * STEP;
        if !(STEP..=CONCEALED).contains(&count) {
            return;
        }
        let room = &mut self.pcm[..count as usize * CHANNELS];
        if let Ok(made) = self.decoder.decode_float(&[], room, false) {
            self.grid.conceal(&self.pcm[..made * CHANNELS]);
        }
    }

    /// When [`Self::handle_timeout`] has something to do.
    pub(super) fn next_timeout(&self) -> Option<Moment> {
        self.grid.next_timeout()
    }

    /// Goes on with silence where no sound came in time.
    pub(super) fn handle_timeout(&mut self, now: Moment) {
        self.grid.handle_timeout(now);
    }

    /// A broadcast without sound is silent: up to `until`, its last picture's time.
    pub(super) fn fill_until(&mut self, until: Moment) {
        if !self.grid.has_begun() {
            self.grid.fill_until(until);
        }
    }

    /// Encodes what is there.
    pub(super) fn drain(&mut self, mut take: impl FnMut(Sample)) -> Result<(), SoundError> {
        while let Some((first, samples)) = self.grid.take(FRAME as usize) {
            if let Some(listener) = &mut self.listener {
                listener.hear(first, &samples);
            }
            let mut frame = frame::Audio::new(
                format::Sample::F32(format::sample::Type::Planar),
                FRAME as usize,
                ChannelLayout::STEREO,
            );
            frame.set_rate(SAMPLE_RATE);
            frame.set_pts(Some(first as i64));
            for channel in 0..CHANNELS {
                let plane = frame.plane_mut::<f32>(channel);
                for (to, from) in plane
                    .iter_mut()
                    .zip(samples.iter().skip(channel).step_by(CHANNELS))
                {
                    *to = *from;
                }
            }
            self.encoder.send_frame(&frame)?;
            self.receive(&mut take)?;
        }
        Ok(())
    }

    fn receive(&mut self, take: &mut impl FnMut(Sample)) -> Result<(), SoundError> {
        let mut packet = Packet::empty();
        loop {
            match self.encoder.receive_packet(&mut packet) {
                Ok(()) => {}
                Err(
                    libav::Error::Other {
                        errno: libav::error::EAGAIN,
                    }
                    | libav::Error::Eof,
                ) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
            // The encoder is a frame behind: what comes first is of before the epoch, and only warms decoders up.
            let time = packet.pts().and_then(|pts| u64::try_from(pts).ok());
            if let (Some(time), Some(data)) = (time, packet.data()) {
                take(Sample {
                    data: Bytes::copy_from_slice(data),
                    time,
                    duration: FRAME as u32,
                    keyframe: true,
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    /// Packets of 20 ms with a tone.
    fn tone(packets: usize) -> Vec<Vec<u8>> {
        let mut encoder = opus::Encoder::new(
            SAMPLE_RATE,
            opus::Channels::Stereo,
            opus::Application::Audio,
        )
        .unwrap();
        (0..packets)
            .map(|packet| {
                let pcm: Vec<f32> = (0..960)
                    .flat_map(|i| {
                        let t = (packet * 960 + i) as f32 / SAMPLE_RATE as f32;
                        [(t * 440.0 * std::f32::consts::TAU).sin() * 0.5; 2]
                    })
                    .collect();
                encoder.encode_vec_float(&pcm, 1_500).unwrap()
            })
            .collect()
    }

    fn decoded(samples: &[Sample]) -> Vec<f32> {
        let library = ffmpeg_next::decoder::find(codec::Id::AAC).unwrap();
        let mut decoder = codec::Context::new_with_codec(library)
            .decoder()
            .audio()
            .unwrap();
        let mut sound = Vec::new();
        for sample in samples {
            // An ADTS header, since the decoder knows nothing of the configuration (ISO/IEC 14496-3 §1.A.2.2).
            let length = sample.data.len() as u32 + 7;
            let header = [
                0xff,
                0xf1,
                0x4c,
                0x80 | (length >> 11) as u8,
                (length >> 3) as u8,
                ((length & 7) << 5) as u8 | 0x1f,
                0xfc,
            ];
            let packet = Packet::copy(&[&header[..], &sample.data].concat());
            decoder.send_packet(&packet).unwrap();
            let mut frame = frame::Audio::empty();
            while decoder.receive_frame(&mut frame).is_ok() {
                sound.extend_from_slice(frame.plane::<f32>(0));
            }
        }
        sound
    }

    #[test]
    fn a_tone_comes_through_whole_and_in_its_place() {
        let mut sound = Sound::new(Moment(0), None).unwrap();
        let mut samples = Vec::new();
        for (i, packet) in tone(100).iter().enumerate() {
            let time = Moment(i as i64 * 20_000);
            sound.on_packet(packet, time, time, false);
            sound.drain(|sample| samples.push(sample)).unwrap();
        }
        for (i, sample) in samples.iter().enumerate() {
            assert_eq!(sample.time, i as u64 * FRAME);
        }
        assert!(samples.len() >= 91, "{}", samples.len());
        let sound = decoded(&samples);
        let loud = |s: &[f32]| (s.iter().map(|v| v * v).sum::<f32>() / s.len() as f32).sqrt();
        for piece in sound[4_096..80_000].chunks(1_024) {
            assert!((loud(piece) - 0.354).abs() < 0.03, "{}", loud(piece));
        }
    }

    #[test]
    fn lost_sound_is_made_up_and_longer_gaps_are_silent() {
        let mut sound = Sound::new(Moment(0), None).unwrap();
        let mut samples = Vec::new();
        for (i, packet) in tone(200).iter().enumerate() {
            let time = Moment(i as i64 * 20_000);
            let lost = i == 50 || (100..150).contains(&i);
            if !lost {
                sound.on_packet(packet, time, time, i == 51 || i == 150);
            }
            sound.handle_timeout(time);
            sound.drain(|sample| samples.push(sample)).unwrap();
        }
        for (i, sample) in samples.iter().enumerate() {
            assert_eq!(sample.time, i as u64 * FRAME, "no gap");
        }
        let sound = decoded(&samples);
        let loud = |range: std::ops::Range<usize>| {
            let piece = &sound[range];
            (piece.iter().map(|v| v * v).sum::<f32>() / piece.len() as f32).sqrt()
        };
        assert!(loud(50 * 960..51 * 960) > 0.1, "packet 50 was made up");
        assert!(loud(110 * 960..140 * 960) < 0.01, "silence");
        assert!(loud(160 * 960..190 * 960) > 0.3, "sound again");
    }

    #[test]
    fn what_is_no_opus_does_no_harm() {
        let mut sound = Sound::new(Moment(0), None).unwrap();
        for (i, bytes) in [&[][..], &[0xff; 3], &[3, 0xff], &[0; 1_500]]
            .into_iter()
            .enumerate()
        {
            sound.on_packet(bytes, Moment(i as i64 * 20_000), Moment(0), i % 2 == 0);
        }
        sound.drain(|_| {}).unwrap();
    }
}
