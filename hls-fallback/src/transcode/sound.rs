//! Opus in, a row of samples without gaps out.

use std::ops::Range;

use ffmpeg_next as libav;

use super::{
    Listener,
    sound_grid::{CHANNELS, SAMPLE_RATE, SoundGrid},
};
use crate::media::Moment;

/// So many samples of each channel are handed on at a time: a frame of AAC-LC (ISO/IEC 14496-3 §4.5.2).
pub(super) const FRAME: u64 = 1_024;
/// Samples of one channel in the longest Opus packet: 120 ms (RFC 6716 §2.1.4).
const LONGEST_PACKET: usize = 5_760;
/// What Opus makes up for at most: 60 ms, after which it is silence anyway.
const CONCEALED: i64 = 2_880;
/// Opus makes up sound in steps of 2.5 ms.
const STEP: i64 = 120;

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
        Ok(Self {
            decoder: opus::Decoder::new(SAMPLE_RATE, opus::Channels::Stereo)?,
            grid: SoundGrid::new(epoch),
            pcm: vec![0.0; LONGEST_PACKET * CHANNELS],
            broken: 0,
            listener,
        })
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

    /// From the first sample that wasn't handed on to where the next one goes.
    pub(super) fn span(&self) -> Range<u64> {
        self.grid.span()
    }

    /// Hands on what is there: the number of the first sample, and [`FRAME`] of each channel, left and right in turn.
    pub(super) fn drain(
        &mut self,
        mut take: impl FnMut(u64, &[f32]) -> Result<(), SoundError>,
    ) -> Result<(), SoundError> {
        while let Some((first, samples)) = self.grid.take(FRAME as usize) {
            if let Some(listener) = &mut self.listener {
                listener.hear(first, &samples);
            }
            take(first, &samples)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use ffmpeg_next::{Packet, codec, frame};

    use super::*;
    use crate::{
        media::Sample,
        transcode::sound_encoder::{Aac, Opus, SoundEncoder},
    };

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

    fn loudness(samples: &[f32]) -> f32 {
        (samples.iter().map(|v| v * v).sum::<f32>() / samples.len() as f32).sqrt()
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

    fn decoded_opus(samples: &[Sample]) -> Vec<f32> {
        let mut decoder = opus::Decoder::new(SAMPLE_RATE, opus::Channels::Stereo).unwrap();
        let mut sound = Vec::new();
        for sample in samples {
            let mut pcm = vec![0.0; sample.duration as usize * CHANNELS];
            let count = decoder.decode_float(&sample.data, &mut pcm, false).unwrap();
            assert_eq!(count, sample.duration as usize);
            sound.extend(pcm.into_iter().step_by(CHANNELS));
        }
        sound
    }

    /// The sound that a row of samples gives, from time 0 on. The rest, that of the first sample, is 0.
    fn heard(samples: &[Sample], decode: fn(&[Sample]) -> Vec<f32>) -> Vec<f32> {
        for pair in samples.windows(2) {
            assert_eq!(
                pair[1].time,
                pair[0].time + u64::from(pair[0].duration),
                "a gap"
            );
        }
        let mut sound = vec![0.0; samples[0].time as usize];
        sound.extend(decode(samples));
        sound
    }

    #[test]
    fn a_tone_comes_through_whole_and_in_its_place() {
        let mut sound = Sound::new(Moment(0), None).unwrap();
        let (mut aac, mut opus) = (Aac::new().unwrap(), Opus::new().unwrap());
        let (mut as_aac, mut as_opus) = (Vec::new(), Vec::new());
        for (i, packet) in tone(100).iter().enumerate() {
            let time = Moment(i as i64 * 20_000);
            sound.on_packet(packet, time, time, false);
            sound
                .drain(|first, pcm| {
                    aac.encode(first, pcm, &mut |sample| as_aac.push(sample))?;
                    opus.encode(first, pcm, &mut |sample| as_opus.push(sample))
                })
                .unwrap();
        }
        assert_eq!(as_aac[0].time, 0);
        assert!(as_opus[0].time < 960, "{}", as_opus[0].time);
        let as_aac = heard(&as_aac, decoded);
        let as_opus = heard(&as_opus, decoded_opus);
        assert!(as_aac.len() >= 91 * 1_024 && as_opus.len() >= 91 * 1_024);
        for range in (4_096..80_000).step_by(1_024).map(|at| at..at + 1_024) {
            for piece in [&as_aac[range.clone()], &as_opus[range]] {
                assert!(
                    (loudness(piece) - 0.354).abs() < 0.03,
                    "{}",
                    loudness(piece)
                );
            }
        }
        // To the sample: a shift by one of 440 Hz would leave 0.02.
        let differences: Vec<_> = (8_192..80_000).map(|i| as_aac[i] - as_opus[i]).collect();
        assert!(loudness(&differences) < 0.015, "{}", loudness(&differences));
    }

    #[test]
    fn lost_sound_is_made_up_and_longer_gaps_are_silent() {
        let mut sound = Sound::new(Moment(0), None).unwrap();
        let mut samples = Vec::new();
        let mut encoder = Aac::new().unwrap();
        for (i, packet) in tone(200).iter().enumerate() {
            let time = Moment(i as i64 * 20_000);
            let lost = i == 50 || (100..150).contains(&i);
            if !lost {
                sound.on_packet(packet, time, time, i == 51 || i == 150);
            }
            sound.handle_timeout(time);
            sound
                .drain(|first, pcm| encoder.encode(first, pcm, &mut |sample| samples.push(sample)))
                .unwrap();
        }
        let sound = heard(&samples, decoded);
        let loud = |range: std::ops::Range<usize>| loudness(&sound[range]);
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
        sound.drain(|_, _| Ok(())).unwrap();
    }
}
