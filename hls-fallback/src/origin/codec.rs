//! How playlists name a codec (RFC 6381).

use crate::media::TrackConfig;

/// The element of `CODECS`; nothing if the configuration is too short to be one.
pub(crate) fn name(config: &TrackConfig) -> Option<String> {
    match config {
        // ISO/IEC 14496-15 §E.3: profile, constraints and level, as in the avcC.
        TrackConfig::H264 { avcc, .. } => match avcc[..] {
            [1, profile, constraints, level, ..] => {
                Some(format!("avc1.{profile:02X}{constraints:02X}{level:02X}"))
            }
            _ => None,
        },
        // RFC 6381 §3.3: the object type indication of MPEG-4 audio, and the audio object type, its first five bits.
        TrackConfig::Aac { config, .. } => {
            config.first().map(|byte| format!("mp4a.40.{}", byte >> 3))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use bytes::Bytes;

    use super::*;

    #[test]
    fn codecs_have_the_names_that_players_ask_their_decoders_for() {
        let avcc = Bytes::from_static(&[1, 0x64, 0, 0x1f, 0xff]);
        let video = TrackConfig::H264 {
            avcc,
            width: 1280,
            height: 720,
        };
        assert_eq!(name(&video).as_deref(), Some("avc1.64001F"));
        let config = Bytes::from_static(&[0x11, 0x90]);
        let audio = TrackConfig::Aac {
            config,
            sample_rate: 48_000,
            channels: 2,
        };
        assert_eq!(name(&audio).as_deref(), Some("mp4a.40.2"));
    }

    #[test]
    fn what_is_too_short_has_no_name() {
        let video = TrackConfig::H264 {
            avcc: Bytes::from_static(&[1]),
            width: 2,
            height: 2,
        };
        assert_eq!(name(&video), None);
    }
}
