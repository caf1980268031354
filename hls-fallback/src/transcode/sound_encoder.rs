//! What sound is encoded as.

use bytes::Bytes;
use ffmpeg_next::{
    self as libav, ChannelLayout, Dictionary, Packet, Rational, codec, encoder, format, frame,
};

use super::{
    sound::{FRAME, SoundError},
    sound_grid::{CHANNELS, SAMPLE_RATE},
};
use crate::media::{Sample, TrackConfig};

/// Samples of one channel in a packet of Opus: 20 ms, as in WebRTC.
const OPUS_FRAME: usize = 960;
/// Bits a second.
const AAC_BITRATE: usize = 128_000;
/// Bits a second: what AAC needs a third more for.
const OPUS_BITRATE: i32 = 96_000;
/// Bytes of a packet at most (RFC 6716 §3.2.1, of one frame).
const MAX_OPUS: usize = 1_276;

/// An encoder of the row of samples that a broadcast's sound is.
pub(super) trait SoundEncoder: Send {
    /// What the samples are.
    fn config(&self) -> TrackConfig;
    /// [`FRAME`] samples of each channel, left and right in turn, of which the first is number `first`; they follow those before.
    fn encode(
        &mut self,
        first: u64,
        samples: &[f32],
        take: &mut dyn FnMut(Sample),
    ) -> Result<(), SoundError>;
}

/// AAC-LC, which every player decodes.
pub(super) struct Aac(encoder::Audio);

impl Aac {
    pub(super) fn new() -> Result<Self, SoundError> {
        let library = encoder::find(codec::Id::AAC).ok_or(SoundError::Missing)?;
        let mut audio = codec::Context::new_with_codec(library).encoder().audio()?;
        audio.set_rate(SAMPLE_RATE as i32);
        audio.set_format(format::Sample::F32(format::sample::Type::Planar));
        audio.set_channel_layout(ChannelLayout::STEREO);
        audio.set_time_base(Rational(1, SAMPLE_RATE as i32));
        audio.set_bit_rate(AAC_BITRATE);
        // At this bitrate it is as good as the one that is taken else, in half of the time (docs/decisions/0014-pass-through.md).
        let options = Dictionary::from_iter([("aac_coder", "fast")]);
        Ok(Self(audio.open_with(options)?))
    }

    fn receive(&mut self, take: &mut dyn FnMut(Sample)) -> Result<(), SoundError> {
        let mut packet = Packet::empty();
        loop {
            match self.0.receive_packet(&mut packet) {
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

impl SoundEncoder for Aac {
    fn config(&self) -> TrackConfig {
        // AAC-LC (2), 48 kHz (3), two channels: 5, 4 and 4 bits (ISO/IEC 14496-3 §1.6.2.1).
        let config = (2_u16 << 11) | (3 << 7) | ((CHANNELS as u16) << 3);
        TrackConfig::Aac {
            config: Bytes::copy_from_slice(&config.to_be_bytes()),
            sample_rate: SAMPLE_RATE,
            channels: CHANNELS as u16,
        }
    }

    fn encode(
        &mut self,
        first: u64,
        samples: &[f32],
        take: &mut dyn FnMut(Sample),
    ) -> Result<(), SoundError> {
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
        self.0.send_frame(&frame)?;
        self.receive(take)
    }
}

/// Opus: as good as AAC with fewer bits, where players have it.
pub(super) struct Opus {
    encoder: opus::Encoder,
    /// A decoder gives each sample so many later.
    lookahead: u64,
    /// Samples that don't fill a packet yet, and the number of the first.
    held: Vec<f32>,
    next: u64,
}

impl Opus {
    pub(super) fn new() -> Result<Self, SoundError> {
        let mut encoder = opus::Encoder::new(
            SAMPLE_RATE,
            opus::Channels::Stereo,
            opus::Application::Audio,
        )?;
        encoder.set_bitrate(opus::Bitrate::Bits(OPUS_BITRATE))?;
        let lookahead = u64::try_from(encoder.get_lookahead()?).unwrap_or(0);
        Ok(Self {
            encoder,
            lookahead,
            held: Vec::new(),
            next: 0,
        })
    }
}

impl SoundEncoder for Opus {
    fn config(&self) -> TrackConfig {
        TrackConfig::Opus {
            sample_rate: SAMPLE_RATE,
            channels: CHANNELS as u16,
        }
    }

    fn encode(
        &mut self,
        first: u64,
        samples: &[f32],
        take: &mut dyn FnMut(Sample),
    ) -> Result<(), SoundError> {
        if self.held.is_empty() {
            self.next = first;
        }
        self.held.extend_from_slice(samples);
        while let Some(packet) = self.held.get(..OPUS_FRAME * CHANNELS) {
            let data = self.encoder.encode_vec_float(packet, MAX_OPUS)?;
            self.held.drain(..OPUS_FRAME * CHANNELS);
            // By when it's heard; what comes first is of before the epoch.
            if let Some(time) = self.next.checked_sub(self.lookahead) {
                take(Sample {
                    data: data.into(),
                    time,
                    duration: OPUS_FRAME as u32,
                    keyframe: true,
                });
            }
            self.next += OPUS_FRAME as u64;
        }
        Ok(())
    }
}
